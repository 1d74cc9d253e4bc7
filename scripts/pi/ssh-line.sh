# The line over which somebody installs: if it is SSH, it runs over an interface that Groundlock will shut, unless that is
# configured as local. Sourced by scripts/install, after actions.sh. Reads: here, dry, shut_line.

# ssh_connection: CLIENT PORT SERVER PORT, or nothing. sudo takes the variable away, so the processes above are asked too.
ssh_connection() {
  local pid=$$ found=${SSH_CONNECTION-}
  while [ -z "$found" ] && [ "$pid" -gt 1 ]; do
    found=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p') || true
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null || echo 1)
  done
  printf '%s' "$found"
}

# mind_the_line SETTINGS: returns where the line stays, or where a person has said that it may be cut; else gives up. SETTINGS: a file
# with what `config check --json` says.
mind_the_line() {
  local connection answer=''
  connection=$(ssh_connection)
  [ -n "$connection" ] || return 0
  if node "$here/pi/ssh-line.mjs" "$connection" <"$1"; then return 0; fi
  [ "$dry" = 0 ] || return 0
  [ "$shut_line" = 0 ] || { say 'You said --yes-shut-this-connection: it will be shut.'; return 0; }
  if [ -t 0 ]; then
    printf 'Type yes to go on and have this connection shut: '
    read -r answer || true
  fi
  [ "$answer" = yes ] || give_up 'Nothing was changed. To go on all the same: --yes-shut-this-connection'
}
