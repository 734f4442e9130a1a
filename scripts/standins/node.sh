#!/bin/sh
# What https://hub.docker.com/_/node promises: what is no command is node's.
set -eu

case ${1:-} in
  -*) set -- node "$@" ;;
  *) command -v "${1:-}" > /dev/null || set -- node "$@" ;;
esac
exec "$@"
