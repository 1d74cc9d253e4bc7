/**
 * Radio checks: what the units' sandbox says of devices that come after the programs started, as a radio on USB does on most
 * days. There is no such device in the machine before.
 */
import { unitTime } from './boot-checks.mjs'

const STATION = 'groundlock-station'
/** What this run of the station said. */
const SAID = `journalctl -o cat --no-pager _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID ${STATION})`
/** Waits until it said so, for 10 s of the machine at least; else what it said last. */
const untilSaid = (words, count = 1) =>
  `for n in $(seq 50); do [ $(${SAID} | grep -c '${words}') -ge ${count} ] && exit; sleep 0.2; done
  ${SAID} | tail -n 3; exit 1`
const OPEN = '/dev/ttyUSB0 is open'
const BYTES = 500

export async function radioChecks(guest, report) {
  await kindChecks(guest, report)
  await lateRadioChecks(guest, report)
  await rfkillCheck(guest, report)
}

/** As the machine has booted. */
async function kindChecks(guest, report) {
  const kinds = await guest.run(
    `ls -d /dev/ttyUSB* /dev/ttyACM* 2>/dev/null; grep -woE 'ttyUSB|ttyACM|gpiochip' /proc/devices | sort`,
  )
  report.check(
    'the kinds of device that the units allow are known before there is one',
    kinds.out === 'gpiochip\nttyACM\nttyUSB',
    kinds.out.replaceAll('\n', ' '),
  )
  const startUs = await unitTime(guest, STATION, 'InactiveExitTimestampMonotonic')
  for (const module of ['usbserial', 'cdc_acm']) {
    const doneUs = await unitTime(guest, `modprobe@${module}`, 'InactiveEnterTimestampMonotonic')
    report.check(
      `${module} was loaded before the station started`,
      doneUs > 0 && doneUs <= startUs,
      doneUs === 0 ? 'never' : `by ${((startUs - doneUs) / 1e6).toFixed(1)} s`,
    )
  }
  const none = await guest.run('systemctl start modprobe@no_such_driver')
  report.check('a driver that the kernel does not have is no failure', none.status === 0, none.out)
}

async function lateRadioChecks(guest, report) {
  await guest.must(`cp -p /etc/groundlock/groundlock.toml /root/before-radio.toml
    printf '\\n[link.late]\\ndevice = "/dev/ttyUSB0"\\n' >>/etc/groundlock/groundlock.toml
    systemctl restart ${STATION}`)
  const waiting = await guest.run(untilSaid('GL-LINK-01 .*/dev/ttyUSB0: no such device'))
  report.check('the station waits for a radio', waiting.status === 0, waiting.out)

  const radio = await guest.plugInRadio()
  const first = await guest.run(untilSaid(OPEN))
  report.check(
    'a USB radio that is plugged in after the station started is opened',
    first.status === 0,
    first.out,
  )
  radio.write(Buffer.alloc(BYTES, 0x55))
  const bytes = await guest.run(`for n in $(seq 100); do
      links=$(tr -d ' \\n' </run/groundlock/station/station.json | grep -o '"name":"late".*')
      grep -q '^[^}]*"bytesIn":${BYTES},' <<<"$links" && exit
      sleep 0.2
    done; echo "$links"; exit 1`)
  report.check('and all that it sends comes in', bytes.status === 0, bytes.out)

  radio.destroy()
  const gone = await guest.run(untilSaid('GL-LINK-02 .*/dev/ttyUSB0'))
  report.check('pulled out it is said to be gone', gone.status === 0, gone.out)
  const again = await guest.plugInRadio()
  const second = await guest.run(untilSaid(OPEN, 2))
  report.check('and opened when it is back', second.status === 0, second.out)
  again.destroy()
  await guest.must(
    `cp -p /root/before-radio.toml /etc/groundlock/groundlock.toml; systemctl restart ${STATION}`,
  )
}

/** A machine whose kernel does not name /dev/rfkill for systemd to make, and that has no radio when the guard starts. */
async function rfkillCheck(guest, report) {
  const { out } = await guest.run(`
    systemctl stop groundlock-guard NetworkManager wpa_supplicant systemd-rfkill.socket systemd-rfkill
    modprobe -r cfg80211 rfkill; grep ^rfkill /proc/modules; rm -f /dev/rfkill
    systemctl start groundlock-guard; modprobe mac80211_hwsim radios=1; udevadm settle
    sh -c 'echo $$ >/sys/fs/cgroup/system.slice/groundlock-guard.service/cgroup.procs
      [ -c /dev/rfkill ] && exec 3<>/dev/rfkill && echo may'
    modprobe -r mac80211_hwsim; systemctl start --no-block NetworkManager`)
  report.check('the guard may use the soft block of a radio that comes later', out === 'may', out)
}
