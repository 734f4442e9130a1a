# Starts a Redis with a configuration, which nobody reaches and which keeps nothing, and ends it again: try-redis FILE
# Says what the server says, and fails, where it does not start.
set -u
place=$(mktemp -d) || exit 1
server=
finish() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null
  rm -rf "$place"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
# Not where an account may not look.
cd / || exit 1

# A Redis that was built without TLS does not know the option.
tls=
! grep -q '^tls-port ' "$1" || tls='--tls-port 0'
# The directory of the live one is there only while that runs. The line stays, since errors tell its number.
sed 's/^dir .*/#/' "$1" > "$place/redis.conf" || exit 1
# shellcheck disable=SC2086 # two words or none
redis-server "$place/redis.conf" --port 0 $tls --unixsocket "$place/socket" --dir "$place" --pidfile "$place/pid" --logfile '' \
  --daemonize no --supervised no --save '' --appendonly no --replicaof no one > "$place/said" 2>&1 &
server=$!
left=100
while kill -0 "$server" 2>/dev/null && [ "$left" -gt 0 ]; do
  # That it asks for the password is an answer as well.
  case $(redis-cli -s "$place/socket" ping 2>&1) in *PONG* | *NOAUTH*) exit 0 ;; esac
  left=$((left - 1))
  sleep 0.2
done
[ "$left" -gt 0 ] || echo 'It did not answer within 20 s.'
cat "$place/said"
exit 1
