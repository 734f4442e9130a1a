# shellcheck shell=bash
# Sourced by the scripts that may install Debian packages on the control node.

is_root_on_debian() { [ "$(id -u)" = 0 ] && (. /etc/os-release 2>/dev/null && [ "$ID" = debian ]); }

# Installs those of the packages that are missing; free where none is.
install_packages() {
  local package missing=() status=0
  for package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  # Parts of `make test` run side by side, and apt waits for dpkg's lock alone.
  local lock
  exec {lock}> /var/lock/edusphere-packages
  flock "$lock"
  printf '%s: installing %s\n' "$(basename "$0")" "${missing[*]}" >&2
  # Where systemd does not run, the packages' own attempts to start a service would fail.
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -d /run/systemd/system ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
    ours=1
  fi
  {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update &&
      DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
        "${missing[@]}" >/dev/null
  } || status=$?
  [ -z "$ours" ] || rm -f $policy
  exec {lock}>&-
  return $status
}
