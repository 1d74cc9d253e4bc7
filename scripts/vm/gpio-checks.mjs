/** GPIO checks: the switch on real kernel lines, made by gpio-sim, through both backends, as the guard's user would. */

const PERMIT_LINE = 17
const SHUT_LINE = 27

/** A chip of 54 lines as on a Pi, with a pull on the two contacts: pull-down is a circuit closed to ground. */
const CHIP = `set -e
modprobe gpio-sim
cd /sys/kernel/config/gpio-sim && mkdir -p board/bank0/line${PERMIT_LINE} board/bank0/line${SHUT_LINE}
echo 54 >board/bank0/num_lines; echo pinctrl-bcm2711 >board/bank0/label; echo 1 >board/live
udevadm settle; gpiodetect`

/**
 * gpio-sim takes the bias that a program asks for as the level itself: a pull-up asked for would open our contacts. So here,
 * and only here, libgpiod's tools are asked for the lines as they are; that the bias is asked for, other tests see.
 */
const AS_IS = `mkdir -p /tmp/as-is
for tool in gpioget gpiomon; do
  cat >/tmp/as-is/$tool <<EOF
#!/bin/bash
words=()
for word; do case \\$word in --bias | pull-up) ;; *) words+=("\\$word") ;; esac; done
exec /usr/bin/$tool "\\\${words[@]}"
EOF
  chmod +x /tmp/as-is/$tool
done`

const pull = (line, way) =>
  `echo ${way} >/sys/devices/platform/$(cat /sys/kernel/config/gpio-sim/board/dev_name)/$(cat /sys/kernel/config/gpio-sim/board/bank0/chip_name)/sim_gpio${line}/pull\n`
const PERMIT = pull(SHUT_LINE, 'pull-up') + pull(PERMIT_LINE, 'pull-down')
const SHUT = pull(PERMIT_LINE, 'pull-up') + pull(SHUT_LINE, 'pull-down')

export async function gpioChecks(guest, report) {
  const chip = await guest.run(CHIP)
  if (chip.status !== 0) {
    report.skip('the switch on real lines', chip.out)
    return
  }
  report.note(chip.out)
  await guest.must(AS_IS)
  for (const backend of ['chardev', 'sysfs']) await watch(guest, report, backend)
}

async function watch(guest, report, backend) {
  const { out } = await guest.run(`${SHUT}
    PATH=/tmp/as-is:$PATH timeout 40 node /checkout/scripts/switch-watch.mjs --backend ${backend} --seconds 30 --lamp-line 0 >/tmp/watch 2>&1 &
    for n in $(seq 200); do grep -q '"shut"' /tmp/watch && break; sleep 0.1; done
    sleep 1
    ${PERMIT}
    for n in $(seq 100); do grep -q '"position":"permit"' /tmp/watch && break; sleep 0.1; done
    ${SHUT}
    for n in $(seq 50); do tail -n 1 /tmp/watch | grep -q '"position":"shut"' && break; sleep 0.1; done
    ${pull(PERMIT_LINE, 'pull-down')}
    for n in $(seq 50); do tail -n 1 /tmp/watch | grep -q '"position":"doubt"' && break; sleep 0.1; done
    ${SHUT}
    sleep 1; kill %1; wait; cat /tmp/watch`)
  const readings = out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).position)
  const course = readings.filter((position, index) => position !== readings[index - 1]).join(' ')
  report.check(
    `${backend}: SHUT, PERMIT, SHUT, both contacts closed, SHUT`,
    /shut permit shut doubt/.test(course),
    `${course}\n${out}`,
  )
}
