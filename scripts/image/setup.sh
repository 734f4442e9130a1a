#!/bin/sh
# Runs once, while the image of a test host is built.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Packages are unpacked without a sync after each file: the hosts are thrown away.
printf 'force-unsafe-io\n' > /etc/dpkg/dpkg.cfg.d/testbed
printf 'path-exclude=%s\n' '/usr/share/man/*' '/usr/share/locale/*' >> /etc/dpkg/dpkg.cfg.d/testbed
printf 'Acquire::Languages "none";\nAPT::Install-Recommends "false";\n' > /etc/apt/apt.conf.d/90testbed

apt-get -qq update
# shellcheck disable=SC2086 # a list
apt-get -qq install -y --no-install-recommends $PACKAGES >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/*

# The certificates that this machine trusts beside Debian's (a company's proxy, say).
cp /opt/testbed/certificates/*.crt /usr/local/share/ca-certificates/ 2>/dev/null || true
update-ca-certificates >/dev/null 2>&1

# Who logs in: one sudo user with a key; no password, no root.
useradd --create-home --shell /bin/bash --gid operator operator # a group of Debian's own
printf 'operator ALL=(ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/operator
chmod 0440 /etc/sudoers.d/operator
printf 'PermitRootLogin no\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n' \
  > /etc/ssh/sshd_config.d/testbed.conf
# Each host gets its keys and its machine id at its first boot.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

# A container has no kernel, no devices and no consoles of its own.
for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-modules-load.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount getty.target console-getty.service \
  systemd-logind.service systemd-networkd.service systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer; do
  ln -sf /dev/null "/etc/systemd/system/$unit"
done

# Each reload of systemd would run them anew, to find no disk, no console and no encrypted volume.
install -d /etc/systemd/system-generators
for generator in bless-boot cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run ssh system-update tpm2 \
  veritysetup; do
  ln -s /dev/null "/etc/systemd/system-generators/systemd-$generator-generator"
done

# Redis wants more open files than a container's hard limit gives, and a user namespace of its own.
for unit in redis-server redis-server@ redis-sentinel; do
  install -d "/etc/systemd/system/$unit.service.d"
  printf '[Service]\nLimitNOFILE=16384\nPrivateUsers=no\n' > "/etc/systemd/system/$unit.service.d/zz-testbed.conf"
done

# Modules of Ansible are compiled once on a host, and not each time.
install -D -m 0644 /opt/testbed/bytecode.py /usr/lib/python3/dist-packages/testbed_bytecode.py
printf 'import testbed_bytecode\n' > /usr/lib/python3/dist-packages/testbed_bytecode.pth

install -m 0755 /opt/testbed/boot.sh /usr/local/sbin/testbed-boot
install -m 0644 /opt/testbed/testbed-boot.service /etc/systemd/system/testbed-boot.service
systemctl enable --quiet testbed-boot.service
rm -rf /opt/testbed
