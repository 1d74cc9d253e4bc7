# The line over which somebody installs: if it is SSH, it runs over an interface that Groundlock will shut, unless that is
# configured as local. Sourced by scripts/install, after actions.sh. Reads: program, stage (a folder for what is made meanwhile).

# ssh_connection: CLIENT PORT SERVER PORT, or nothing. sudo takes the variable away, so the processes above are asked too.
ssh_connection() {
  local pid=$$ found=${SSH_CONNECTION-}
  while [ -z "$found" ] && [ "$pid" -gt 1 ]; do
    found=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p') || true
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null || echo 1)
  done
  printf '%s' "$found"
}

# interface_of ADDRESS: the interface that has this address of ours.
interface_of() {
  ip -o address show | awk -v address="${1%%%*}" '{ split($4, parts, "/") } parts[1] == address { print $2 }' |
    sed -n 1p
}

# is_local INTERFACE MAC SUBNET PORT CONFIGURATION: whether the configuration lets SSH in over this very interface.
is_local() {
  node "$here/pi/is-local.mjs" "$@"
}

# is_private SUBNET: whether the configuration takes it as that of a local interface; the program itself is asked.
is_private() {
  printf '[link.a]\ndevice = "/dev/null"\n[uplink]\nlocal = [{ name = "a", mac = "02:00:00:00:00:01", subnet = "%s" }]\n' "$1" >"$stage/local"
  "$program" config check --config "$stage/local" >/dev/null 2>&1
}

# mind_the_line CONFIGURATION: returns where the line stays, or where a person has said that it may be cut; else gives up.
mind_the_line() {
  local connection client server port interface mac subnet over answer=''
  connection=$(ssh_connection)
  [ -n "$connection" ] || return 0
  read -r client _ server port <<<"$connection"
  # Of a text that is not sshd's the interface cannot be told; it is asked for all the same.
  [[ $port =~ ^[0-9]+$ ]] || { server='' port=22; }
  interface=$(interface_of "$server")
  case $interface in
    lo) return 0 ;;
  esac
  mac=$(cat "/sys/class/net/$interface/address" 2>/dev/null || echo MAC)
  subnet=$(ip -o -4 route show dev "$interface" proto kernel scope link 2>/dev/null | sed -n '1s/ .*//p') || true
  if is_local "$interface" "$mac" "${subnet:-none}" "$port" "$1"; then
    say "You are connected over $interface, which is configured as local. It is shut for the seconds until the guard is up:
this connection may end, and a new one will be let in."
    return 0
  fi
  over="the interface $interface"
  [ -n "$interface" ] || over="one that cannot be told from \"$connection\""
  say "
You are connected over SSH, from $client, and this very connection runs over $over.
Groundlock shuts every interface that is not configured as local: this connection ends when the lockdown starts, and
there will be no other over that interface until the switch permits it."
  if [ -n "$subnet" ] && ! is_private "$subnet"; then
    say "
Its network, $subnet, cannot be local: that takes a private one (10/8, 172.16/12, 192.168/16), /16 or narrower. To be let in
after this, use another interface that has one, a keyboard or the serial console."
  elif [ -n "$interface" ]; then
    say "
To keep it, name it local in /etc/groundlock/groundlock.toml (a first one: write it to a file, --config FILE), then run this again:

    [uplink]
    local = [{ name = \"$interface\", mac = \"$mac\", subnet = \"${subnet:-192.168.7.0/24}\" }]
    ssh_port = $port
"
    [ -n "$subnet" ] || say 'It has no IPv4 network now, and needs a private one, /16 or narrower: the one above is an example.
'
  fi
  say 'Only a network that leads no further may be local: one with a router in it is an uplink, whatever it is called.
'
  [ "$dry" = 0 ] || return 0
  [ "$shut_line" = 0 ] || { say 'You said --yes-shut-this-connection: it will be shut.'; return 0; }
  if [ -t 0 ]; then
    printf 'Type yes to go on and have this connection shut: '
    read -r answer || true
  fi
  [ "$answer" = yes ] || give_up 'Nothing was changed. To go on all the same: --yes-shut-this-connection'
}
