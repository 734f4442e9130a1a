# Fetches the package lists and installs packages, and waits for other programs that hold apt's or dpkg's locks: POSIX sh,
# and no Python. Arguments: how many seconds to wait, and the packages.
# apt itself waits for dpkg's locks alone, and fails at once where another apt fetches lists or packages.
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
export LC_ALL DEBIAN_FRONTEND
umask 022
limit=$1
shift

# Since boot: the clock may be set at first boot, and would end the wait early or never.
seconds() { read -r uptime _idle </proc/uptime && echo "${uptime%.*}"; }
deadline=$(($(seconds) + limit))

apt() {
  while :; do
    left=$((deadline - $(seconds)))
    if [ "$left" -lt 0 ]; then left=0; fi
    output=$(apt-get -q -o DPkg::Lock::Timeout="$left" "$@" 2>&1)
    status=$?
    case $status:$output in
      0:*) printf '%s\n' "$output"; return ;;
      *'E: Could not get lock'*) ;;
      *) printf '%s\n' "$output" >&2; exit "$status" ;;
    esac
    if [ "$(seconds)" -ge "$deadline" ]; then
      {
        echo "apt-get $1 waited $limit s for another program, which still runs:"
        printf '%s\n' "$output" | grep '^E: Could not get lock'
        echo "No package was installed. Run this again when that program has ended, or raise edusphere_apt_lock_timeout."
      } >&2
      exit "$status"
    fi
    sleep 1
  done
}

apt update
apt install --yes --no-install-recommends "$@"
