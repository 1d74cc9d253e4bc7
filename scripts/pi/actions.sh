# What scripts/install and scripts/uninstall do to a system: each action is said, and done unless this is a dry run.
# Sourced. Reads: dry (1: only say), root (where the system begins: '' or a folder without a slash at its end).

units=/usr/lib/systemd/system
manual=/usr/share/doc/groundlock

say() { printf '%s\n' "$*"; }
give_up() {
  printf '%s\n' "$*" >&2
  exit 1
}
# wrong WHAT: ends it with what was wrong with the arguments, and how they are.
wrong() {
  printf '%s\n\n' "$1" >&2
  usage >&2
  exit 2
}
changes=0 heading=''

# part HEADING: what the next actions belong to. It is said before the first of them, and not where there is none.
part() { heading=$1; }

# act WHAT COMMAND…: says WHAT, runs the command.
act() {
  changes=$((changes + 1))
  [ -z "$heading" ] || say "$heading"
  heading=''
  say "  $1"
  [ "$dry" = 1 ] || "${@:2}" || give_up "That failed: ${*:2}"
}

# say_result AGAIN: how many changes it was, or would be, with the command AGAIN that makes them.
say_result() {
  local count="$changes changes"
  [ "$changes" != 1 ] || count='1 change'
  if [ "$dry" = 1 ]; then say "That would be $count. To make them: $1"; else say "Done: $count."; fi
}

# put SOURCE TARGET: makes TARGET the same as SOURCE; nothing, where it is.
put() { is_same "$1" "$2" || act "write $2" install_all "$1" "$2"; }
is_same() { cmp -s "$1" "$root$2" && [ "$(stat -c %a "$root$2")" = 644 ]; }
install_all() {
  while [ $# -gt 0 ]; do
    install -D -m 644 "$1" "$root$2" || return 1
    shift 2
  done
}

# put_all WHAT SOURCE TARGET…: the same of many, said in one line: how many of WHAT.
put_all() {
  local what=$1 differ=()
  shift
  while [ $# -gt 0 ]; do
    is_same "$1" "$2" || differ+=("$1" "$2")
    shift 2
  done
  [ ${#differ[@]} = 0 ] || act "write $((${#differ[@]} / 2)) $what" install_all "${differ[@]}"
}

is_there() { [ -e "$root$1" ] || [ -L "$root$1" ]; }

# drop FILE: removes it, and the folder it was in if that is one of ours and empty now.
drop() { ! is_there "$1" || act "remove $1" remove_all "$1"; }
remove_all() {
  local file folder
  for file; do
    rm -f "$root$file" || return 1
    folder=$root${file%/*}
    case $file in
      "$manual"/docs/*) remove_empty "$folder" "$root$manual" || return 1 ;;
      "$manual"/* | *.service.d/*) remove_empty "$folder" || return 1 ;;
    esac
  done
}
remove_empty() { rmdir --ignore-fail-on-non-empty "$@"; }

# drop_all WHAT FILE…: the same of many, said in one line.
drop_all() {
  local what=$1 file there=()
  shift
  for file; do ! is_there "$file" || there+=("$file"); done
  [ ${#there[@]} = 0 ] || act "remove ${#there[@]} $what" remove_all "${there[@]}"
}

# What there is many of, and nobody reads one by one.
pages="pages of the manual, below $manual"
absent='drop-ins for network services that are not on this system'

# has_unit SERVICE: whether the system has such a service.
has_unit() {
  local folder
  for folder in /etc/systemd/system /run/systemd/system "$units" /lib/systemd/system; do
    [ ! -e "$root$folder/$1" ] || return 0
  done
  return 1
}

# drop_files FILE…: removes what an installation made; what there is many of in one line.
drop_files() {
  local file service of_manual=() of_absent=()
  for file; do
    service=${file#"$units"/}
    service=${service%.d/50-groundlock.conf}
    case $file in
      "$manual"/*) of_manual+=("$file") ;;
      */50-groundlock.conf) if has_unit "$service"; then drop "$file"; else of_absent+=("$file"); fi ;;
      *) drop "$file" ;;
    esac
  done
  drop_all "$absent" "${of_absent[@]}"
  drop_all "$pages" "${of_manual[@]}"
}

# The paths outside /usr/lib/groundlock that an installation made, one a line.
manifest=/usr/lib/groundlock/installed-files
installed_files() { [ ! -e "$root$manifest" ] || cat "$root$manifest"; }

# door_state: what the running guard says, or nothing. Plain text, so that it can be asked without Node.
door_state() { sed -n 's/.*"door" *: *"\([a-z]*\)".*/\1/p' /run/groundlock/guard/guard.json 2>/dev/null || true; }

# flight_on: the flight that the running station records, or nothing.
flight_on() {
  local folder
  for folder in /run/groundlock/station /run/groundlock; do
    [ ! -e "$folder/station.json" ] || sed -n 's/.*"flight" *: *"\([^"]*\)".*/\1/p' "$folder/station.json" | head -n 1
  done
}

# No change under way: a restart shuts the door on a person who permits it, or cuts a flight in two.
nothing_under_way() {
  local door flight
  door=$(door_state)
  [ "$door" != permitted ] || ! systemctl is-active --quiet groundlock-guard.service ||
    give_up 'The door is permitted. Turn the switch to SHUT, then run this again: the guard is never restarted while it permits.'
  flight=$(flight_on)
  [ -z "$flight" ] || ! systemctl is-active --quiet groundlock-station.service ||
    give_up "Flight $flight is being recorded. Land, or end it with \`groundlock close\`, then run this again."
}
