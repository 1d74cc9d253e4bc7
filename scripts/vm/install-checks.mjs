/** Install checks: scripts/install as a person runs it, on a system that has never seen it, and once more. */

/** The configuration of the test: a serial port that exists, a switch that is a file, one local interface. */
const CONFIGURATION = `[station]
name = "guest"
[link.radio]
device = "/dev/ttyS1"
[switch]
backend = "simulated"
[uplink]
local = [{ name = "lan0", mac = "02:00:00:00:00:07", subnet = "192.168.7.0/24" }]
ssh_port = 22
`

/** Every file but what the running system itself writes, with size and time of change; into /root, which is left out. */
const tree = (
  name,
) => `find / -xdev \\( -path /var/log -o -path /var/cache -o -path /tmp -o -path /var/tmp -o -path /var/lib/systemd \\
  -o -path /checkout -o -path /var/lib/NetworkManager -o -path /root -o -path /dev -o -path /run \\) -prune -o -printf '%p %s %C@\\n' | sort >/root/${name}\n`
/** Prints what is not as it was, and nothing else. */
const CHANGED = `${tree('after')} diff /root/before /root/after`

export async function installChecks(guest, report) {
  await guest.must(`cat >/root/test.toml <<'EOF'\n${CONFIGURATION}EOF`)
  await guest.must('echo 127.0.1.1 guest >>/etc/hosts')
  // Who manages interfaces may not touch that of the SSH connection meanwhile, nor write of it.
  await guest.run('systemctl stop NetworkManager dhcpcd systemd-networkd.socket systemd-networkd')
  await guest.must(tree('before'))
  const dry = await guest.run('/checkout/scripts/install --dry-run --config /root/test.toml')
  report.check(
    'a dry run says what it would do',
    dry.status === 0 && dry.out.includes('the uplinks are shut'),
    dry.out,
  )
  await unchangedCheck(guest, report, 'a dry run changes nothing')
  await sshChecks(guest, report)

  const first = await guest.run('/checkout/scripts/install --config /root/test.toml')
  report.check('it installs', first.status === 0, first.out.split('\n').at(-2))
  if (first.status !== 0) report.fail('what it said', first.out)
  const tables = await guest.run('systemctl is-active --wait groundlock-lockdown; nft list tables')
  report.check(
    'the base is loaded',
    ['inet', 'arp', 'bridge'].every(
      (family) =>
        tables.out.includes(`table ${family} groundlock\n`) ||
        tables.out.endsWith(`table ${family} groundlock`),
    ),
    tables.out,
  )
  await guest.run(
    'for n in $(seq 60); do systemctl is-active -q groundlock-guard groundlock-station && break; sleep 1; done',
  )
  const second = await guest.run('/checkout/scripts/install')
  report.check('once more there is nothing to do', second.out.includes('Nothing to do'), second.out)
}

async function unchangedCheck(guest, report, what) {
  const { status, out } = await guest.run(CHANGED)
  report.check(what, status === 0, out)
}

async function sshChecks(guest, report) {
  await guest.must(
    'ip link add up7 type veth peer name far7; ip link set far7 up; ip addr add 10.9.0.1/24 dev up7; ip link set up7 up',
  )
  const mac = await guest.must('cat /sys/class/net/up7/address')
  // As sudo leaves it: the variable is gone from the environment, and still in that of the shell above.
  const run = await guest.run(
    `env SSH_CONNECTION='10.9.0.2 50000 10.9.0.1 22' bash -c 'sudo /checkout/scripts/install --config /root/test.toml </dev/null; exit $?'`,
  )
  // Beside the one of the configuration, which stays.
  const lines = `{ name = "up7", mac = "${mac}", subnet = "10.9.0.0/24" }]`
  report.check('over SSH it says which lines keep the connection', run.out.includes(lines), run.out)
  report.check(
    'over SSH it goes no further',
    run.status === 1 && run.out.includes('Nothing was changed'),
    run.out,
  )
  await guest.must('ip link del up7')
  await unchangedCheck(guest, report, 'and nothing was changed')
}
