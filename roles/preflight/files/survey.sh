# What preflight wants to know of a host: read-only, POSIX sh, and no Python.
# Each section is a line "@@ NAME" and what a common command or file says, which the control node reads.
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
section() { printf '@@ %s\n' "$1"; }

# "password" also stands for a user who may do nothing: sudo asks before it says so.
if [ "$(id -u)" = 0 ]; then root=yes as_root=
elif ! command -v sudo >/dev/null; then root=no as_root=false
elif sudo -n true 2>/dev/null; then root=sudo as_root='sudo -n'
else root=password as_root=false
fi

section user; id -un
section root; echo "$root"
section os; cat /etc/os-release
section machine; uname -m
section systemd; if [ -d /run/systemd/system ]; then echo yes; else echo no; fi
section python3; command -v python3
section memory; grep MemTotal: /proc/meminfo
section disks; df -Pk 2>/dev/null
# One of them may be a storage that does not answer.
section links; timeout -s KILL 5 sh -c "find / -maxdepth 1 -type l -printf '%p %l\n'; find /opt /srv /var -maxdepth 2 -type l -printf '%p %l\n'" 2>/dev/null
section address; ip -4 -o route get 192.0.2.1 2>/dev/null
# Without what may be a password.
section accounts; cut -d: -f1,3- /etc/passwd
section groups; cut -d: -f1,3- /etc/group
section listeners; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep ': .* 0A '
section processes; $as_root ss -Hltnp 2>/dev/null
section end
