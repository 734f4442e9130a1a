# unusable.sh USER GROUP SECONDS DIRECTORY...
# Prints what in shared directories the backend's account can't read or write, or nginx can't read; at most 1001 lines, and after them, or where the
# time was too short, "@@ more". A directory that nginx serves from has "served:" before it, one in a volume of Docker "volume:".
user=$1 group=$2 seconds=$3
shift 3
for place; do
  others=0
  case $place in served:*) others=1 place=${place#served:} ;; esac
  case $place in volume:*) place=$(docker volume inspect --format '{{.Mountpoint}}' "${place#volume:}" 2>/dev/null) || continue ;; esac
  [ -d "$place" ] || continue
  # A storage whose server is gone never answers.
  timeout --signal=KILL "$seconds" find "$place" '(' -type f -o -type d ')' '(' \
    -user "$user" ! -perm -u=rw -o ! -user "$user" -group "$group" ! -perm -g=rw -o ! -user "$user" ! -group "$group" ! -perm -o=rw \
    -o "$([ $others = 1 ] && echo -true || echo -false)" ! -perm -o=r \
    ')' -print
  [ $? -le 1 ] || echo '@@ more'
done | head -n 1001
