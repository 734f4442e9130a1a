#!/bin/sh
echo "docker-entrypoint.d ran"
