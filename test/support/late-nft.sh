#!/bin/sh
# Stands in the guard's PATH before the real nft, and is late as the files beside it say: seconds, or `hang`.
#   permit    a child that gives leases       shutting  a child that shuts
#   resident  each line of the resident; is looked at when the resident starts, and then at each line
# It becomes the real nft, so that process id and descriptors are those that the guard gave.
here=${0%/*}
real=/usr/sbin/nft
late=0
wait_for() {
  late=0
  read -r late <"$here/$1" 2>/dev/null || late=${late:-0}
  case $late in
    0) return ;;
  esac
  : >"$here/$1-waits"
  case $late in
    hang) exec sleep 3600 ;;
    *) sleep "$late" ;;
  esac
}
case "$*" in
  *'add element'*) wait_for permit ;;
  '-f -') wait_for shutting ;;
  '-i')
    if [ -e "$here/resident" ]; then
      pipe=$here/pipe.$$
      mkfifo "$pipe"
      exec 4<&0
      while IFS= read -r line; do wait_for resident; printf '%s\n' "$line"; done <&4 >"$pipe" &
      exec 4<&- <"$pipe"
      rm "$pipe"
    fi
    ;;
esac
exec "$real" "$@"
