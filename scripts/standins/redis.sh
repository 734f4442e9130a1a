#!/bin/sh
# What https://hub.docker.com/_/redis promises: options alone are redis-server's, which never runs as root.
set -eu

case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac
[ "${1:-}" = redis-server ] || exec "$@"
case ${2:-} in -v | --version | -h | --help | --test-memory | --check-system) exec "$@" ;; esac

if [ "$(id -u)" = 0 ]; then
  find . ! -user redis -exec chown redis {} +
  exec gosu redis "$0" "$@"
fi
[ "$(umask)" != 0022 ] || umask 0077
shift
# The official build listens to other containers also without a password.
case ${1:-} in
  '' | -?*) exec redis-server --protected-mode no "$@" ;;
esac
configuration=$1
shift
exec redis-server "$configuration" --protected-mode no "$@"
