/** Local checks: the interface that the configuration names as local, with somebody at its other end, and one that it does not. */

const CONNECT = (port) =>
  `ip netns exec site timeout 8 python3 -c 'import socket; socket.create_connection(("192.168.7.1", ${port}), 5); print("connected")'`

export async function localChecks(guest, report) {
  await guest.must(`
    ip netns add site
    ip link add lan0 address 02:00:00:00:00:07 type veth peer name pc0 netns site
    ip addr add 192.168.7.1/24 dev lan0; ip link set lan0 up
    ip -n site addr add 192.168.7.2/24 dev pc0; ip -n site link set pc0 up`)
  const letIn = await guest.run(
    'for n in $(seq 40); do nft list set bridge groundlock locals | grep lan0 && exit; sleep 0.5; done; groundlock status; exit 1',
  )
  report.check('the guard lets the configured interface in', letIn.status === 0, letIn.out)
  const ssh = await guest.run(CONNECT(22))
  report.check('whoever installed over it keeps SSH', ssh.out === 'connected', ssh.out)
  await guest.must('systemctl kill -s KILL groundlock-guard')
  const after = await guest.run(`sleep 1; cat /sys/class/net/lan0/flags; ${CONNECT(22)}`)
  report.check('also while the guard is dead', after.out === '0x1003\nconnected', after.out)
  await guest.run(
    'ip link del lan0; ip netns del site; ip link add lan0 address 02:00:00:00:00:08 type veth peer name pc0',
  )
  const other = await guest.run(
    'sleep 5; nft list set bridge groundlock locals | grep -c lan0; ip link del lan0',
  )
  report.check('another card of that name is not let in', other.out === '0', other.out)
}
