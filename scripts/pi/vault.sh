# The vault, where the configuration has it elsewhere than the units: its folder has to be there and be groundlock's.
# Sourced by scripts/install, after actions.sh. Reads: vault (its folder; '' where the unit makes it).

# vault_state: ready, missing, empty (somebody else's) or foreign (somebody else's, and not empty; or no folder).
vault_state() {
  if [ -z "$vault" ]; then
    echo ready
  elif [ ! -e "$vault" ] && [ ! -L "$vault" ]; then
    echo missing
  elif [ "$(stat -L -c %F,%U "$vault" 2>/dev/null)" = directory,groundlock ]; then
    echo ready
  elif [ -n "$(find "$vault/" -maxdepth 0 -type d -empty 2>/dev/null)" ]; then
    echo empty
  else
    echo foreign
  fi
}

# mind_the_vault: gives up where the folder is somebody else's and holds something: that is not ours to give away.
mind_the_vault() {
  [ "$(vault_state)" != foreign ] || give_up "vault.dir: found $vault, $(stat -L -c "%F of %U" "$vault" 2>/dev/null || echo 'a link to nowhere'), not empty or no folder;
expected a folder of groundlock's, an empty one, or none. It is left alone. Name one below it; or, where all in it may be groundlock's:
    sudo chown -R groundlock: $(printf %q "$vault")"
}

# file_system_of PATH: where the file system is mounted that PATH is on, or will be.
file_system_of() {
  local path=$1
  until [ -e "$path" ]; do path=$(dirname "$path"); done
  stat -c %m "$path"
}

# ready_vault: makes it so. After the users.
ready_vault() {
  case $(vault_state) in
    missing)
      act "make $vault for the flights, groundlock's (on the file system mounted at $(file_system_of "$vault"))" \
        install -d -o groundlock -g groundlock -m 750 "$vault"
      ;;
    empty)
      act "give $vault, which is empty and was $(stat -L -c %U "$vault")'s, to groundlock" \
        chown groundlock:groundlock "$vault"
      ;;
  esac
  [ -z "$vault" ] || [ "$dry" = 1 ] || setpriv --reuid groundlock --regid groundlock --init-groups test -w "$vault" ||
    give_up "The user groundlock cannot write to $vault: \`namei -l $vault\` shows which folder on the way does not let it through."
}
