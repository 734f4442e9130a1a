# What preflight wants to know of a host: read-only, POSIX sh, and no Python.
# Each section is a line "@@ NAME" and what a common command or file says, which the control node reads.
# Each question has a time limit: a storage or a directory service that is gone never answers. The last section names those that did not.
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
silent=
section() { printf '@@ %s\n' "$1"; }
# Killed by its limit, timeout ends with 137.
limited() { { timeout -s KILL "$@"; } 2>/dev/null; }
ask() {
  section "$1"
  limited 10 sh -c "$2"
  [ $? != 137 ] || silent="$silent $1"
}

# "password" also stands for a user who may do nothing: sudo asks before it says so.
if [ "$(id -u)" = 0 ]; then root=yes as_root=
elif ! command -v sudo >/dev/null; then root=no as_root=false
else
  limited 10 sudo -n true >/dev/null
  case $? in
    0) root=sudo as_root='sudo -n' ;;
    137) root=silent as_root=false silent=sudo ;;
    *) root=password as_root=false ;;
  esac
fi

ask user 'id -un'
section root; echo "$root"
ask os 'cat /etc/os-release'
ask machine 'uname -m'
ask systemd 'if [ -d /run/systemd/system ]; then echo yes; else echo no; fi'
ask python3 'command -v python3'
ask memory 'grep MemTotal: /proc/meminfo'
section disks
limited 10 df -Pk
if [ $? = 137 ]; then
  # One at a time: the others answer, and it is known which one does not.
  while read -r _device mount kind _rest; do
    case $kind in autofs | binfmt_misc | bpf | cgroup* | configfs | debugfs | devpts | fusectl | mqueue | proc | pstore | securityfs | sysfs | tracefs) continue ;; esac
    mount=$(printf %b "$mount")
    limited 2 df -Pk "$mount"
    [ $? != 137 ] || echo "silent $mount"
  done </proc/self/mounts
fi
ask links "find / -maxdepth 1 -type l -printf '%p %l\n'; find /opt /srv /var -maxdepth 2 -type l -printf '%p %l\n'"
ask address 'ip -4 -o route get 192.0.2.1'
# Without what may be a password.
ask accounts 'cut -d: -f1,3- /etc/passwd'
ask groups 'cut -d: -f1,3- /etc/group'
ask listeners "cat /proc/net/tcp /proc/net/tcp6 | grep ': .* 0A '"
ask processes "$as_root ss -Hltnp"
# Version 2 is a plugin of docker's; the package docker-compose may be version 1.
ask compose 'docker compose version --short'
ask compose_package "dpkg-query --show --showformat '\${db:Status-Status} \${Version}\n' docker-compose"
# Which image each stack's database was made of. An engine that does not run is not asked, since that would start it. The braces are Go's, not Jinja's.
open='{''{' close='}''}'
ask databases "systemctl is-active --quiet docker && $as_root docker ps --all --filter label=com.docker.compose.service=postgres \\
  --format '$open .Label \"com.docker.compose.project\" $close $open .Image $close'"
# What else there is of nginx, Redis and PostgreSQL. No quotes within these: of nginx a line for each directive, without comments.
look_nginx='
  for file in /etc/nginx/conf.d/*.conf /etc/nginx/sites-enabled/*; do
    sed "s/#.*//" "$file" | tr "\n\t;" "  \n" | sed -nE "s,^(.*[{} ])?((listen|server_name) .*),$file \2,p"
  done
  sum=$(md5sum /etc/nginx/sites-enabled/default | cut -c -32)
  if dpkg-query --show --showformat "\${Conffiles}" nginx-common | grep -qF " /etc/nginx/sites-available/default $sum"; then
    echo /etc/nginx/sites-enabled/default sample
  fi'
# The package's own can't run where its unit is masked, which role redis does.
look_redis='for file in /etc/redis/redis*.conf; do
    if [ "$file $(readlink /etc/systemd/system/redis-server.service)" != "/etc/redis/redis.conf /dev/null" ]; then
      awk "FNR == 1 || /^port/ { print FILENAME, \$0 }" "$file"
    fi
  done'
ask nginx "$as_root sh -c '$look_nginx'"
ask redis "$as_root sh -c '$look_redis'"
ask clusters "$as_root pg_lsclusters --no-header"
ask published "systemctl is-active --quiet docker && $as_root docker ps \\
  --format '$open .Label \"com.docker.compose.project\" $close $open .Ports $close'"
# Where nft is missing, nothing is filtered, or by rules that it can't list. No sets and no counters.
ask filter "$as_root nft --numeric --stateless list ruleset"
# Of sites with a live release, the settings that their data hang on. Without a record of them, units and containers tell some.
section records; cat /var/lib/edusphere-platform/sites/*.json 2>/dev/null
units='/etc/systemd/system/multi-user.target.wants/*-backend@[ab].service'
section units; grep -Es '^(User|Group|WorkingDirectory|EnvironmentFile)=' /dev/null $units
stacks=
# An engine that does not run would be started by the question.
if [ -e /run/docker.pid ]; then
  stacks=$($as_root timeout -s KILL 10 docker ps --all --filter label=com.docker.compose.service=backend --format \
    '{{ .Label "com.docker.compose.project" }} {{ .Label "com.docker.compose.project.working_dir" }}' 2>/dev/null | sort -u |
    while read -r name stack; do if [ -e "${stack%/stack}/records/live.fact" ]; then echo "$name $stack"; fi; done)
fi
section stacks; echo "$stacks"
section environments
# A slot's unit is an instance of one file, which has %i in the place of its slot.
$as_root grep -Es '^DB_(NAME|USER|HOST)=' /dev/null $(for unit in $units; do
  slot=${unit##*@}; sed -n "s/%i/${slot%.service}/g; s/^EnvironmentFile=//p" "$unit" 2>/dev/null; done) \
  $(echo "$stacks" | sed -n 's/^[^ ]* \(.*\)/\1\/.env.docker/p')
section silent
for question in $silent; do echo "$question"; done
section end
