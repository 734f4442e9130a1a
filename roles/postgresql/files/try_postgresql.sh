# Starts a PostgreSQL with a configuration, in an empty cluster of its own that nobody reaches, and ends it again:
#   try-postgresql FILE [DIRECTORY]      FILE is postgresql.conf; the server's programs are in DIRECTORY
# Says what the server says, and fails, where it does not start.
set -u
PATH=${2:+$2:}$PATH
place=$(mktemp -d) || exit 1
finish() {
  pg_ctl --pgdata "$place/data" --mode immediate --silent stop >/dev/null 2>&1
  rm -rf "$place"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
# Not where an account may not look.
cd / || exit 1

initdb --pgdata "$place/data" --auth trust --no-sync --locale C --encoding UTF8 > "$place/said" 2>&1 || {
  cat "$place/said"
  exit 1
}
# What would meet the live server, or reach beyond this one. Huge pages may all be the live server's.
options="-c config_file=$1 -c data_directory=$place/data -c listen_addresses= -c unix_socket_directories=$place"
options="$options -c external_pid_file=$place/pid -c archive_mode=off -c logging_collector=off -c log_destination=stderr -c huge_pages=off -c fsync=off"
case $(postgres --version) in *' 12'* | *' 13'* | *' 14'*) options="$options -c stats_temp_directory=pg_stat_tmp" ;; esac
pg_ctl --pgdata "$place/data" --wait --timeout 60 --log "$place/log" --options "$options" start > "$place/said" 2>&1 && exit 0
# Its last words; without those, pg_ctl's.
if [ -s "$place/log" ]; then tail -n 20 "$place/log"; else cat "$place/said"; fi
exit 1
