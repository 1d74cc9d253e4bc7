# A system below a folder (--root): what can be told of it before it has ever run.
# Sourced by scripts/install, after actions.sh.

# machine_of FILE: word length, byte order and machine of a program, as one word. (elf(5): EI_CLASS, EI_DATA, e_machine)
machine_of() {
  local class machine
  class=$(od -An -tu1 -j4 -N2 "$1" | tr -d ' ')
  machine=$(od -An -tu2 -j18 -N2 "$1" | tr -d ' ')
  case $class/$machine in
    21/62) echo amd64 ;;
    21/183) echo arm64 ;;
    11/40) echo armhf ;;
    11/3) echo i386 ;;
    21/243) echo riscv64 ;;
    *) echo "ELF machine $machine" ;;
  esac
}

# mind_the_machine: gives up where the packages are compiled for another machine than the system's: the station would not start.
mind_the_machine() {
  local ours theirs program
  ours=$(machine_of "$checkout/node_modules/sqlite3/build/Release/node_sqlite3.node")
  for program in usr/bin/dash bin/dash usr/bin/bash bin/bash; do
    [ -f "$root/$program" ] || continue
    theirs=$(machine_of "$root/$program")
    [ "$theirs" = "$ours" ] || give_up "The packages of this checkout are compiled for another machine: found $ours here, expected $theirs as in $root.
Run ./scripts/prepare and this on a machine of $theirs, for instance in the image itself on a Pi."
    return 0
  done
  say "What machine $root is for cannot be told, it has no shell: what is installed works on $ours alone."
}

# has_program NAME: whether the system below the folder has it.
has_program() {
  local folder
  for folder in usr/bin usr/sbin bin sbin usr/local/bin; do
    # A link in it may lead through its own /etc, which is not ours.
    [ ! -e "$root/$folder/$1" ] && [ ! -L "$root/$folder/$1" ] || return 0
  done
  return 1
}
