/**
 * GPIO checks: the switch on real kernel lines, made by gpio-sim, through both backends: as the guard's user reads it, and how
 * soon; and the guard as it is installed, with its door. What is a contact there says scripts/vm/contact.
 */

const PERMIT_LINE = 17
const SHUT_LINE = 27
/** How often the switch is turned to PERMIT and back while it is watched. */
const TURNS = 5

/** A chip of 54 lines as on a Pi 4, and the two contacts: SHUT. */
const CHIP = `set -e
modprobe gpio-sim
cd /sys/kernel/config/gpio-sim && mkdir -p board/bank0/line${PERMIT_LINE} board/bank0/line${SHUT_LINE}
echo 54 >board/bank0/num_lines; echo pinctrl-bcm2711 >board/bank0/label; echo 1 >board/live
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
mkfifo /run/contacts
systemd-run -q --unit=contact -p StandardOutput=append:/run/contacts.log /checkout/scripts/vm/contact \\
  /sys/devices/platform/$(cat board/dev_name)/$(cat board/bank0/chip_name) /run/contacts
gpiodetect`

const contact = (line, way) => `echo ${line} ${way} >/run/contacts\n`
const PERMIT = contact(SHUT_LINE, 'open') + contact(PERMIT_LINE, 'closed')
const SHUT = contact(PERMIT_LINE, 'open') + contact(SHUT_LINE, 'closed')

/** Waits until `test` succeeds, for 10 s of the machine at least. */
const until = (test) => `for n in $(seq 200); do ${test} && break; sleep 0.05; done\n`

/** Until the installed guard is in this phase. */
const phase = (name) => until(`grep -q '"phase": "${name}"' /run/groundlock/guard/guard.json`)

export async function gpioChecks(guest, report) {
  const chip = await guest.run(CHIP + `\n${SHUT}`)
  if (chip.status !== 0) {
    report.skip('the switch on real lines', chip.out)
    return
  }
  report.note(chip.out)
  await levelCheck(guest, report)
  await guest.must(`cat >/root/gpio.toml <<'EOF'
[station]
name = "guest"
[link.radio]
device = "/dev/ttyS1"
[switch]
backend = "chardev"
EOF`)
  const installed = await guest.run('/checkout/scripts/install --config /root/gpio.toml')
  report.check('it installs', installed.status === 0, installed.out)
  for (const backend of ['chardev', 'sysfs']) {
    await watch(guest, report, backend)
    await guarded(guest, report, backend)
    await stalled(guest, report, backend)
  }
}

/** That our contacts are some: closed reads low also where a pull-up is asked for. */
async function levelCheck(guest, report) {
  const { out } = await guest.run(
    `for n in $(seq 20); do gpioget --bias pull-up --numeric --chip gpiochip0 ${PERMIT_LINE} ${SHUT_LINE}; done | sort | uniq -c`,
  )
  report.check('a closed contact is stronger than a pull-up', out.trim() === '20 1 0', out)
}

/** `switch-watch` as the guard's user, with the guard out of the way. */
async function watch(guest, report, backend) {
  const last = (position) => until(`tail -n 1 /tmp/watch | grep -q '"position":"${position}"'`)
  const { out } = await guest.run(`systemctl stop groundlock-guard; rm -f /tmp/watch; : >/run/contacts.log
    setpriv --reuid groundlock-guard --regid groundlock --init-groups timeout 300 \\
      node /checkout/scripts/switch-watch.mjs --backend ${backend} --lamp-line 0 >/tmp/watch 2>&1 &
    ${last('shut')}
    for turn in $(seq ${TURNS}); do
      sleep 1.$((turn * 37 % 100)); ${PERMIT} ${last('permit')}
      sleep 0.$((turn * 37 % 100)); ${SHUT} ${last('shut')}
    done
    ${contact(PERMIT_LINE, 'closed')} ${last('doubt')}
    ${contact(PERMIT_LINE, 'open')} ${last('shut')}
    kill %1; wait; cat /tmp/watch; cat /run/contacts.log`)
  const lines = out.split('\n')
  const readings = lines.filter((line) => line.startsWith('{"atMs')).map((line) => JSON.parse(line))
  const course = readings
    .map(({ position }) => position)
    .filter((position, index, all) => position !== all[index - 1])
    .join(' ')
  const wanted = `shut ${'permit shut '.repeat(TURNS)}doubt shut`
  report.check(
    `${backend}: SHUT, PERMIT and SHUT ${TURNS} times, both contacts closed, SHUT`,
    course === wanted,
    out,
  )
  const took = contactsOf(lines)
    .filter(({ line, way }) => line === PERMIT_LINE && way === 'open')
    .slice(0, TURNS)
    .flatMap(({ atMs }) => {
      const seen = readings.find((reading) => reading.atMs >= atMs && reading.position !== 'permit')
      return seen === undefined ? [] : [seen.atMs - atMs]
    })
  report.check(
    `${backend}: a contact that leaves PERMIT is read as such`,
    took.length === TURNS,
    spread(took),
  )
}

/** What scripts/vm/contact says. */
function contactsOf(lines) {
  return lines
    .map((text) => /^(\d+) (open|closed) ([\d.]+)$/.exec(text))
    .filter((match) => match !== null)
    .map(([, line, way, atMs]) => ({ line: Number(line), way, atMs: Number(atMs) }))
}

function spread(took) {
  const sorted = took.toSorted((a, b) => a - b).map((ms) => ms.toFixed(1))
  return `after ${sorted[Math.floor(sorted.length / 2)]} ms (half), ${sorted.at(-1)} (worst of ${sorted.length})`
}

/** The guard as it is installed, with an uplink: from the contact to the last lease, as the kernel tells of it. */
async function guarded(guest, report, backend) {
  const leased = 'nft list set inet groundlock leased | grep -q expires'
  const { out } =
    await guest.run(`sed -i 's/^backend = .*/backend = "${backend}"/' /etc/groundlock/groundlock.toml
    ip link add up0 type veth peer name far0; ip link set far0 up
    systemctl restart groundlock-guard; : >/run/contacts.log
    nft monitor elements > >(python3 -uc '
import sys, time
for line in sys.stdin: print(f"{time.monotonic() * 1000:.3f} {line}", end="")' >/tmp/leases) &
    ${phase('blocked')}
    for turn in $(seq ${TURNS}); do
      sleep 1.$((turn * 37 % 100)); ${PERMIT} ${phase('permitted')} ${until(leased)} ${leased} && echo leased
      sleep 0.$((turn * 37 % 100)); ${SHUT} ${phase('blocked')} ${leased} || echo none
    done
    groundlock status | grep -E '^(Door|Switch|  )'
    journalctl -o short-monotonic --no-pager -n 200 -u groundlock-guard -u groundlock-station
    kill %1; ip link del up0; cat /run/contacts.log /tmp/leases`)
  const lines = out.split('\n')
  const held = lines.filter((line) => /^(leased|none)$/.test(line)).join(' ')
  report.check(
    `${backend}: the installed guard permits and shuts ${TURNS} times`,
    held === 'leased none '.repeat(TURNS).trim() && out.includes(`(${backend}: `),
    out,
  )
  const took = shuttingsOf(lines)
  report.check(
    `${backend}: a contact that leaves PERMIT ends the last lease`,
    took.length === TURNS,
    spread(took),
  )
}

/** A turn in the middle of which the machine does not run the guard for longer than contacts may agree. */
async function stalled(guest, report, backend) {
  const { out } = await guest.run(`since=$(date +%s.%N); pid=$(systemctl show -P MainPID groundlock-guard)
    ${contact(SHUT_LINE, 'open')} sleep 0.05; kill -STOP $pid
    ${contact(PERMIT_LINE, 'closed')} sleep 0.6; kill -CONT $pid
    ${phase('permitted')} grep '"phase"' /run/groundlock/guard/guard.json
    ${SHUT} ${phase('blocked')}
    journalctl -o cat --no-pager --since @$since -u groundlock-guard -u groundlock-station`)
  report.check(
    `${backend}: a guard that stood still while the switch was turned permits`,
    out.includes('"phase": "permitted"'),
    out,
  )
}

/** From each contact that leaves PERMIT to the last change of a lease before the next PERMIT, which has to be its end (ms). */
function shuttingsOf(lines) {
  const changes = lines
    .map((text) => /^([\d.]+) (add|delete) element \S+ groundlock\w* leased /.exec(text))
    .filter((match) => match !== null)
    .map(([, atMs, verb]) => ({ atMs: Number(atMs), verb }))
  const contacts = contactsOf(lines).filter(({ line }) => line === PERMIT_LINE)
  return contacts.flatMap(({ way, atMs }, index) => {
    if (way === 'closed') return []
    const untilMs = contacts[index + 1]?.atMs ?? Infinity
    const last = changes.findLast((change) => change.atMs >= atMs && change.atMs < untilMs)
    return last?.verb === 'delete' ? [last.atMs - atMs] : []
  })
}
