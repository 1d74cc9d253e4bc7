#!/bin/bash
# Stands in for one of libgpiod's tools, since no GPIO line is here: gpiodetect, gpioget, gpiomon, gpioset, by the name it is
# called by. It takes the options of version $FAKE_MAJOR as that one's man pages give them (1.6.3, 2.2.1), and refuses others; it
# holds its lines exclusively, and lets go of them when it is killed, as the kernel does (here with flock). In the folder:
#
#     chips        what gpiodetect prints            hang.TOOL   that tool hangs
#     level.17     0, 1, or z: nothing connected     deaf        gpiomon misses every edge; deaf.17: of that line
#     out.22       what gpioset drove last           calls       every command line
#     history.22   all that it drove, and when (µs)
#     mute.17      that line has no interrupt,       linger.17   a killed gpiomon of that line is gone 300 ms later
#                  and gpiomon fails on it
dir=${0%/*}/..
tool=${0##*/}
echo "$tool $*" >>"$dir/calls"
[ -e "$dir/hang.$tool" ] && exec sleep 1000

fail() {
  echo "$tool: $*" >&2
  exit 1
}

if [ "$tool" = gpiodetect ]; then
  if [ "$1" = --version ]; then
    case $FAKE_MAJOR in 1) version=1.6.3 ;; 2) version=2.2.1 ;; *) version=$FAKE_MAJOR.0 ;; esac
    echo "gpiodetect (libgpiod) v$version"
    echo "License: GPL-2.0-or-later"
    exit 0
  fi
  [ $# = 0 ] || fail "try gpiodetect --help"
  exec cat "$dir/chips"
fi

bias= chip= buffered= format= numeric= mode= toggle=
while [ "${1#-}" != "$1" ]; do
  case "$FAKE_MAJOR $tool $1" in
    "1 gpioget --bias="* | "1 gpiomon --bias="*) bias=${1#*=} ;;
    "1 gpiomon --line-buffered") buffered=1 ;;
    "1 gpiomon --format="*) format=${1#*=} ;;
    "1 gpioset --mode="*) mode=${1#*=} ;;
    "2 gpioget --bias" | "2 gpiomon --bias") bias=$2 && shift ;;
    "2 gpioget --numeric") numeric=1 ;;
    "2 gpiomon --edges") [ "$2" = both ] && shift || fail "invalid edges: $2" ;;
    "2 gpiomon --format") format=$2 && shift ;;
    "2 gpioset --toggle") toggle=$2 && shift ;;
    "2 "*" --chip") chip=$2 && shift ;;
    *) fail "unrecognized option '$1'" ;;
  esac
  shift
done
if [ "$FAKE_MAJOR" = 1 ]; then chip=$1 numeric=1 && shift; else buffered=1; fi
case $tool in
  gpioget) doing='reading GPIO values' ;;
  gpiomon) doing='waiting for events' ;;
  gpioset) doing='setting the GPIO line values' ;;
esac
if ! grep -q "^$chip \[" "$dir/chips"; then
  [ "$FAKE_MAJOR" = 1 ] && fail "error $doing: No such file or directory"
  fail "cannot find GPIO chip character device '$chip'"
fi
[ $# -gt 0 ] || fail "at least one GPIO line must be specified"

# The kernel gives a line to one at a time.
for each in "$@"; do
  exec {lock}>>"$dir/lock.${each%=*}"
  if ! flock -n "$lock"; then
    [ "$FAKE_MAJOR" = 1 ] && fail "error $doing: Device or resource busy"
    fail "unable to request lines: Device or resource busy"
  fi
done

# A line that nothing is connected to has the level of its bias, and without one any: here the dangerous one.
level() {
  local found
  read -r found <"$dir/level.$1"
  [ "$found" != z ] || { [ "$bias" = pull-up ] && found=1 || found=0; }
  echo "$found"
}

case $tool in
  gpioget)
    [ -n "$numeric" ] || fail "the fake speaks numbers only"
    values=()
    for each in "$@"; do values+=("$(level "$each")"); done
    echo "${values[@]}"
    ;;
  gpiomon)
    [ "$format" = '%o %e' ] || fail "the fake knows one format"
    for each in "$@"; do
      [ -e "$dir/mute.$each" ] || continue
      [ "$FAKE_MAJOR" = 1 ] && fail "error waiting for events: No such device"
      fail "unable to request lines: No such device"
    done
    # Somebody who keeps its pipe open and not its line.
    outlive="while kill -0 $$ 2>/dev/null; do sleep 0.01; done; sleep 0.3"
    for each in "$@"; do [ -e "$dir/linger.$each" ] && setsid sh -c "$outlive" {lock}>&- & done
    declare -A last
    for each in "$@"; do read -r "last[$each]" <"$dir/level.$each"; done
    exec {quiet}<> <(:)
    while :; do
      read -r -t 0.02 -u "$quiet"
      for each in "$@"; do
        read -r now <"$dir/level.$each"
        [ "$now" = "${last[$each]}" ] || [ -z "$now" ] && continue
        last[$each]=$now
        [ -e "$dir/deaf" ] || [ -e "$dir/deaf.$each" ] || [ -z "$buffered" ] && continue
        if [ "$now" != 0 ]; then echo "$each 1"; else echo "$each $([ "$FAKE_MAJOR" = 1 ] && echo 0 || echo 2)"; fi
      done
    done
    ;;
  gpioset)
    for each in "$@"; do
      echo "${EPOCHREALTIME//[!0-9]/} ${each#*=}" >>"$dir/history.${each%=*}"
      # A child of it holds no line: when this is killed, the next one finds the line free.
      echo "${each#*=}" >"$dir/new.$$" && mv "$dir/new.$$" "$dir/out.${each%=*}" {lock}>&-
    done
    case "$FAKE_MAJOR $mode$toggle" in
      "1 exit" | "2 0") exit 0 ;;
      "1 signal" | "2 ") exec sleep 1000 ;;
      *) fail "unknown mode" ;;
    esac
    ;;
esac
