# What scripts/install and scripts/uninstall do to a system: each action is said, and done unless this is a dry run.
# Sourced. Reads: dry (1: only say), root (where the system begins: '' or a folder without a slash at its end).

say() { printf '%s\n' "$*"; }
give_up() {
  printf '%s\n' "$*" >&2
  exit 1
}
changes=0

# act WHAT COMMAND…: says WHAT, runs the command.
act() {
  changes=$((changes + 1))
  say "  $1"
  [ "$dry" = 1 ] || "${@:2}" || give_up "That failed: ${*:2}"
}

# put SOURCE TARGET MODE: makes TARGET the same as SOURCE; nothing, where it is.
put() {
  if cmp -s "$1" "$root$2" && [ "$(stat -c %a "$root$2")" = "$3" ]; then return; fi
  act "write $2" install -D -m "$3" "$1" "$root$2"
}

# drop FILE: removes it, and the folder it was in if that is a drop-in folder and empty now.
drop() {
  [ -e "$root$1" ] || [ -L "$root$1" ] || return 0
  act "remove $1" rm -f "$root$1"
  case $1 in */*.service.d/*) [ "$dry" = 1 ] || rmdir --ignore-fail-on-non-empty "$(dirname "$root$1")" ;; esac
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
