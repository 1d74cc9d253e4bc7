/** Boot checks: what came before what, who runs as whom, and what the two programs share. */

/** Services that bring a network up, of those in the virtual machine. */
export const NETWORK_SERVICES = [
  'systemd-networkd',
  'NetworkManager',
  'networking',
  'wpa_supplicant',
  'ModemManager',
  'dhcpcd',
].map((name) => `${name}.service`)

/** A property of a unit, as a number of µs since boot, 0 where it never happened. */
export async function unitTime(guest, unit, property) {
  return Number(await guest.must(`systemctl show -P ${property} ${unit}`))
}

export async function bootChecks(guest, report) {
  await orderChecks(guest, report)
  for (const unit of ['lockdown', 'guard', 'station']) {
    const { out } = await guest.run(`systemctl is-active groundlock-${unit}`)
    const log =
      out === 'active' ? { out: '' } : await guest.run(`journalctl -b -n 15 --no-pager -u groundlock-${unit}`)
    report.check(`groundlock-${unit} runs`, out === 'active', `${out}\n${log.out}`)
  }
  const shared = await guest.must(
    "cd /run/groundlock && stat -c '%A %U:%G %n' . token token/link guard station",
  )
  const wanted = [
    'drwxr-xr-x root:root .',
    'drwxr-xr-x root:root token',
    '-rw-r----- root:groundlock token/link',
    'drwxr-xr-x groundlock-guard:groundlock guard',
    'drwxr-xr-x groundlock:groundlock station',
  ].join('\n')
  report.check('the shared folders belong to whom they should', shared === wanted, shared)
  await privilegeChecks(guest, report)
  const status = await guest.run('setpriv --reuid=nobody --regid=nogroup --clear-groups groundlock status')
  report.check('anybody may ask for the status', /^Door /m.test(status.out), status.out)
}

async function orderChecks(guest, report) {
  const loadedUs = await unitTime(guest, 'groundlock-lockdown.service', 'ActiveEnterTimestampMonotonic')
  report.check('the lockdown came up', loadedUs > 0, `${(loadedUs / 1e6).toFixed(1)} s after boot`)
  let started = 0
  for (const unit of NETWORK_SERVICES) {
    const startUs = await unitTime(guest, unit, 'InactiveExitTimestampMonotonic')
    if (startUs === 0) continue
    started++
    report.check(
      `the lockdown came before ${unit}`,
      loadedUs < startUs,
      `by ${((startUs - loadedUs) / 1e6).toFixed(1)} s`,
    )
  }
  report.check(
    'there were network services to come before',
    started >= 3,
    `${started} of ${NETWORK_SERVICES.length}`,
  )
  const cycles = await guest.run("journalctl -b --no-pager | grep -i 'ordering cycle' | head -n 3")
  report.check('no ordering cycle', cycles.out === '', cycles.out)
  const flushUs = await unitTime(guest, 'nftables.service', 'ActiveEnterTimestampMonotonic')
  report.check(
    'the lockdown came after nftables.service',
    flushUs > 0 && flushUs <= loadedUs,
    `${flushUs} ${loadedUs}`,
  )
}

/** What the kernel says of the processes, not what the units ask for. */
async function privilegeChecks(guest, report) {
  const facts = (unit) =>
    guest.must(
      `pid=$(systemctl show -P MainPID groundlock-${unit}); ps -o user= -p $pid; grep -E '^Cap(Eff|Bnd)' /proc/$pid/status | tr -s '\\t\\n' ' '`,
    )
  const guard = await facts('guard')
  report.check(
    'the guard has CAP_NET_ADMIN and no other',
    /^groundl\S+\nCapEff: 0000000000001000 CapBnd: 0000000000001000/.test(guard),
    guard,
  )
  const station = await facts('station')
  report.check(
    'the station has no capability',
    /^groundl\S+\nCapEff: 0{16} CapBnd: 0{16}/.test(station),
    station,
  )
  const links = await guest.must('nsenter -t $(systemctl show -P MainPID groundlock-station) -n ip -br link')
  report.check('the station has a network of its own, with nothing in it', /^lo .*$/.test(links), links)
}
