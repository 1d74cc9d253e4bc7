/** Death checks: guard and station killed and stopped; how soon they are back, and in what state the uplink is. */
import { unitTime } from './boot-checks.mjs'

/** Longest until a program that died is started again (s). */
const RESTART_S = 2
/** Longest until a program that hangs is ended: its watchdog, and what systemd takes (s). */
const HANG_S = 2 + 1

export async function deathChecks(guest, report) {
  for (const unit of ['guard', 'station']) {
    const took = await deathOf(guest, `groundlock-${unit}.service`, 'KILL')
    report.check(
      `the ${unit} is started again after SIGKILL`,
      took !== null && took.startS <= RESTART_S,
      said(took),
    )
  }
  const hung = await deathOf(guest, 'groundlock-guard.service', 'STOP')
  report.check(
    'a guard that is stopped is ended by its watchdog',
    hung !== null && hung.endS <= HANG_S,
    said(hung),
  )
  await uplinkChecks(guest, report)
  const broken = await guest.run(`mv /usr/bin/node /usr/bin/node.off; ip link set up0 up
    kill -KILL $(systemctl show -P MainPID groundlock-guard); sleep 3
    journalctl -b -n 40 --no-pager -u groundlock-guard | grep -E 'shut\\[[0-9]+\\]'; cat /sys/class/net/up0/flags
    mv /usr/bin/node.off /usr/bin/node; ip link del up0`)
  report.check('the uplink is shut also where Node is broken', broken.out === IS_DOWN, broken.out)
  const back = await guest.run(
    'for n in $(seq 60); do systemctl is-active -q groundlock-guard && exit; sleep 1; done; exit 1',
  )
  report.check('and when Node is back, the guard is', back.status === 0)
}

const said = (took) =>
  took === null ? 'never' : `ended after ${took.endS.toFixed(2)} s, started after ${took.startS.toFixed(2)} s`

/** Sends the signal to the main process; when it ended and when the next one was started, in s after the signal. */
async function deathOf(guest, unit, signal) {
  const { status, out } = await guest.run(`
    for n in $(seq 60); do systemctl is-active -q ${unit} && break; sleep 1; done
    old=$(systemctl show -P MainPID ${unit})
    at=$(awk '{ printf "%d", $1 * 1000000 }' /proc/uptime)
    kill -${signal} $old
    for n in $(seq 200); do
      new=$(systemctl show -P MainPID ${unit})
      [ "$new" != 0 ] && [ "$new" != "$old" ] && { echo $at; exit 0; }
      sleep 0.1
    done; exit 1`)
  if (status !== 0) return null
  const sinceUs = Number(out)
  const startUs = await unitTime(guest, unit, 'ExecMainStartTimestampMonotonic')
  const endUs = Number(
    await guest.must(`journalctl -b -o json -u ${unit} _PID=1 --no-pager |
      python3 -c 'import json,sys; print([e["__MONOTONIC_TIMESTAMP"] for e in map(json.loads, sys.stdin) if "Main process exited" in e["MESSAGE"]][-1])'`),
  )
  return { startS: (startUs - sinceUs) / 1e6, endS: (endUs - sinceUs) / 1e6 }
}

/** Flags of a veth that is down: broadcast and multicast (if.h). */
const IS_DOWN = '0x1002'

/**
 * An uplink that a guard left open: a lease in the sets and the link up. The guard is stopped before, for one that runs takes
 * a lease back that is not its own; it has the two seconds of its watchdog then.
 */
async function uplinkChecks(guest, report) {
  await guest.must('ip link add up0 type veth peer name far0')
  const deaths = {
    'SIGKILL to the guard': 'kill -KILL $(systemctl show -P MainPID groundlock-guard)',
    'SIGKILL to all of its unit': 'systemctl kill -s KILL groundlock-guard',
    'systemctl stop': 'systemctl stop groundlock-guard',
  }
  for (const [death, command] of Object.entries(deaths)) {
    const { out } = await guest.run(`
      systemctl start groundlock-guard
      touch /run/groundlock/guard/permitted-once
      kill -STOP $(systemctl show -P MainPID groundlock-guard)
      ip link set up0 up
      nft "add element inet groundlock leased { $(cat /sys/class/net/up0/ifindex) timeout 1h }"
      nft list set inet groundlock leased | grep -c expires
      ${command}; sleep 2
      nft list set inet groundlock leased | grep -c expires
      cat /sys/class/net/up0/flags`)
    report.check(`what it left open is shut after ${death}`, out === `1\n0\n${IS_DOWN}`, out)
  }
  await guest.must('systemctl start groundlock-guard')
}
