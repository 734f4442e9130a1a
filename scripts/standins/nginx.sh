#!/bin/sh
# What https://hub.docker.com/_/nginx promises: scripts of the image's users run before nginx. (Without its templates.)
set -eu

if [ "${1:-}" = nginx ]; then
  # shellcheck source=/dev/null
  for file in /docker-entrypoint.d/*; do
    [ -x "$file" ] || continue
    case $file in
      *.envsh) . "$file" ;;
      *.sh) "$file" ;;
    esac
  done
fi
exec "$@"
