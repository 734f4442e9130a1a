#!/bin/sh
# Runs at each boot of a test host, before its SSH server: what a provider's metadata service does for a real machine.
set -eu

# Docker's --env is the environment of process 1.
from_engine() { tr '\0' '\n' < /proc/1/environ | sed -n "s/^$1=//p" | base64 --decode; }

# Downloads come by way of what keeps them, which is the name server too; Docker writes this file at each start. An engine inside
# this host passes its containers on to the same one.
printf 'nameserver %s\n' "$(from_engine TESTBED_RESOLVER)" > /etc/resolv.conf
from_engine TESTBED_AUTHORITY > /run/testbed-downloads.crt
if ! cmp -s /run/testbed-downloads.crt /usr/local/share/ca-certificates/testbed-downloads.crt; then
  install -m 0644 /run/testbed-downloads.crt /usr/local/share/ca-certificates/
  update-ca-certificates >/dev/null 2>&1
fi

install -d -m 0700 -o operator -g operator /home/operator/.ssh
from_engine TESTBED_AUTHORIZED_KEY > /home/operator/.ssh/authorized_keys
chown operator:operator /home/operator/.ssh/authorized_keys
chmod 0600 /home/operator/.ssh/authorized_keys
umask 077
from_engine TESTBED_HOST_KEY > /etc/ssh/ssh_host_ed25519_key
ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key > /etc/ssh/ssh_host_ed25519_key.pub

# Without --privileged the cgroup trees and /proc/sys come read-only; an engine inside this host needs to write them.
# `bind` changes this mount alone, not the kernel's.
awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts | while read -r tree; do
  mount -o remount,bind,rw "$tree" 2>/dev/null || true
done
mount -o remount,bind,rw /proc/sys 2>/dev/null || true

# An empty lists directory must not pass for a fresh one: the apt module's cache_valid_time looks at its date.
ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || touch -d @86400 /var/lib/apt/lists

# A host that starts from a provisioned image has its engine's data in an archive, since they have to be on a volume.
if [ -e /var/lib/testbed-docker.tar ]; then
  tar --extract --xattrs --xattrs-include='*' --file /var/lib/testbed-docker.tar --directory /var/lib/docker
  rm /var/lib/testbed-docker.tar
fi
