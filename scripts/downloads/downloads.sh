#!/bin/bash
# Is the name server of the test hosts, and in the place of the hosts in `names` for them: over TLS with an authority of its own, which
# the test hosts trust, and whose key is not kept. $DOWNLOADS_ADDRESS is its own. The names are the public ones that Debian, pip and npm
# have as their defaults.
set -euo pipefail
cd /var/lib/downloads

if ! cmp -s /etc/downloads/names names; then
  new="-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650"
  # shellcheck disable=SC2086 # words
  {
    openssl req $new -subj "/CN=Authority of the test bed's downloads" -addext basicConstraints=critical,CA:TRUE \
      -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt
    openssl req $new -CA ca.crt -CAkey ca.key -subj "/CN=Downloads of the test bed" \
      -addext "subjectAltName=$(sed 's/^/DNS:/' /etc/downloads/names | paste -sd ,)" \
      -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth -keyout server.key -out server.crt
  } 2>/dev/null
  rm ca.key
  cp /etc/downloads/names names
fi
install -d -o www-data -g www-data kept

# What the engine's own name server says of all others: it knows the test hosts.
mapfile -t addresses < <(sed "s|.*|--address=/&/$DOWNLOADS_ADDRESS|" /etc/downloads/names)
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv --server=127.0.0.11 --cache-size=0 \
  --listen-address="$DOWNLOADS_ADDRESS" --bind-interfaces --user=root "${addresses[@]}" &
nginx -g 'daemon off;' &
trap 'kill $(jobs -p)' TERM QUIT
# One without the other is of no use; `scripts/testbed up` starts both again.
wait -n
exit 1
