#!/bin/bash
# What https://hub.docker.com/_/postgres promises: a database made of POSTGRES_* where there is none yet, then the command, never as root.
set -Eeuo pipefail

fail() { printf 'Error: %s\n' "$@" >&2; exit 1; }

# Gives the variable $1 its value: its own, that of the file which $1_FILE names, or $2.
setting() {
  local file=$1_FILE value=${!1:-$2}
  if [ -n "${!file:-}" ]; then
    [ -z "${!1:-}" ] || fail "both $1 and $file are set: set one of them"
    value=$(< "${!file}")
  fi
  export "$1=$value"
}

sql() { PGHOST='' PGHOSTADDR='' psql --no-psqlrc --no-password --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"; }

initialise() {
  setting POSTGRES_PASSWORD ''
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS ''
  [ -n "$POSTGRES_PASSWORD" ] || [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ] ||
    fail "the superuser has no password: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in"

  # The arguments are words of a shell.
  eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") $POSTGRES_INITDB_ARGS"
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}" >> "$PGDATA/pg_hba.conf"

  # Nobody is let in from outside before everything is there.
  pg_ctl --wait --options="$(printf '%q ' "$@" -c listen_addresses=)" start
  if [ "$POSTGRES_DB" != postgres ]; then sql --dbname postgres --set name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name"'; fi
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  local file
  # shellcheck source=/dev/null
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) sql --dbname "$POSTGRES_DB" --file "$file" ;;
      *.sql.gz) gunzip --stdout "$file" | sql --dbname "$POSTGRES_DB" ;;
    esac
  done
  unset PGPASSWORD
  pg_ctl --wait --mode=fast stop
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
[ "${1:-}" = postgres ] || exec "$@"
for argument; do
  case $argument in -'?' | --help | --describe-config | -V | --version) exec "$@" ;; esac
done

if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -m 0700 "$PGDATA"
  find "$PGDATA" ! -user postgres -exec chown postgres {} +
  install -d -o postgres -g postgres -m 3775 /var/run/postgresql
  exec gosu postgres "$0" "$@"
fi
mkdir -p "$PGDATA"
# As another user than 999 it may be impossible, and unneeded.
chmod 0700 "$PGDATA" || true
[ -s "$PGDATA/PG_VERSION" ] || initialise "${@:2}"
exec "$@"
