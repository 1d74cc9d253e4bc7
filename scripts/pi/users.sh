# The users that the program runs as, and the groups that they are in.
# Sourced by scripts/install, after actions.sh.

# make_users: those of systemd/sysusers.conf, which is installed by now, where the system's lists lack any. A system below a
# folder that has no lists yet makes them when it first boots; so it does where we cannot.
make_users() {
  [ -e "$root/etc/passwd" ] && command -v systemd-sysusers >/dev/null || return 0
  are_users_there "$checkout/systemd/sysusers.conf" ||
    act 'make the users (systemd-sysusers)' systemd-sysusers ${root:+--root="$root"} groundlock.conf
}

# are_users_there FILE: whether each user that it names is there, and in each group.
are_users_there() {
  local kind name group
  while read -r kind name group; do
    case $kind in
      u) grep -qs "^$name:" "$root/etc/passwd" || return 1 ;;
      m) grep -qsE "^$group:.*[:,]$name(,|\$)" "$root/etc/group" || return 1 ;;
    esac
  done <"$1"
}
