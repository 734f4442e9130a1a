#!/bin/sh
# A registry for the engines of test hosts, at $REGISTRY_ADDRESS, with an authority of its own, whose key is not kept.
set -eu
cd /etc/docker/registry

if [ ! -e server.crt ]; then
  new="-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 3650"
  # shellcheck disable=SC2086 # words
  {
    openssl req $new -subj "/CN=Authority of the test bed's registry" -addext basicConstraints=critical,CA:TRUE \
      -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt
    openssl req $new -CA ca.crt -CAkey ca.key -subj "/CN=$REGISTRY_ADDRESS" -addext "subjectAltName=IP:$REGISTRY_ADDRESS" \
      -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth -keyout server.key -out server.new
  } 2>/dev/null
  rm ca.key
  mv server.new server.crt
fi
# It would take the variable for a setting.
unset REGISTRY_ADDRESS
exec docker-registry serve config.yml
