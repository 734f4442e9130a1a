# What a host has of what everything else needs, one word or list a line: POSIX sh, and no Python.
LC_ALL=C
export LC_ALL
if [ -x /usr/bin/python3 ] && [ -e /usr/lib/python3/dist-packages/apt/__init__.py ]; then echo python; fi
if ls /var/lib/apt/lists | grep -q Packages; then echo lists; fi
# Not older than a day.
if find /var/lib/apt/lists /var/lib/apt/periodic/update-success-stamp -maxdepth 0 -mmin -1440 2>/dev/null | grep -q .; then echo fresh; fi
# Installed, and not for another package's sake alone, with which it would go.
{
  awk '$1 == "Package:" { name = $2 } $1 == "Auto-Installed:" && $2 { print "auto", name }' /var/lib/apt/extended_states 2>/dev/null
  dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Architecture}\n'
} | awk -v own="$(dpkg --print-architecture)" '
  $1 == "auto" { auto[$2] }
  $1 == "installed" && ($3 == own || $3 == "all") && !($2 in auto) { names = names " " $2 }
  END { print "packages" names }'
echo looked
