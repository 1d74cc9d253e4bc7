/** Device checks: what udev and the units do about devices that appear, and about rules that somebody flushes. */

export async function deviceChecks(guest, report) {
  // Without the guard, so that it is the udev rule that is seen.
  await guest.must('systemctl stop groundlock-guard')
  const made = await guest.run(`
    ip link add up1 type veth peer name far1; ip link set far1 up; udevadm settle
    nft list table netdev groundlock_$(cat /sys/class/net/up1/ifindex)`)
  report.check(
    'a device that appears is covered',
    /hook egress device "?up1"? .*drop/.test(made.out),
    made.out,
  )
  const renamed = await guest.run(`
    ip link set up1 name up2; udevadm settle
    nft list table netdev groundlock_$(cat /sys/class/net/up2/ifindex)`)
  report.check(
    'one that is renamed is covered by its new name',
    /hook egress device "?up2"? .*drop/.test(renamed.out),
    renamed.out,
  )
  const sent = await guest.run(`
    ip addr add 10.9.0.1/24 dev up2; ip link set up2 up; before=$(cat /sys/class/net/up2/statistics/tx_packets)
    ping -c 2 -W 1 10.9.0.9; python3 -c '
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("up2", 0))
for n in range(5): 
    try: s.send(b"\\xff" * 6 + b"\\2" * 6 + b"\\x88\\xb5" + b"x" * 46)
    except OSError as error: print(error)'
    echo grew $(($(cat /sys/class/net/up2/statistics/tx_packets) - before))`)
  report.check('neither pings nor raw frames leave it', sent.out.endsWith('grew 0'), sent.out)
  await flushChecks(guest, report)
  await guest.must('ip link del up2; systemctl start --no-block groundlock-guard')
}

async function flushChecks(guest, report) {
  for (const verb of ['reload', 'restart', 'stop', 'start']) {
    const { out } = await guest.run(
      `systemctl ${verb} nftables.service; nft list tables | grep -c '^table [a-z]* groundlock$'`,
    )
    report.check(`nftables.service: ${verb} leaves the base in place`, out === '3', out)
  }
}
