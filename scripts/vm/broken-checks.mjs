/** Broken checks: a base that cannot be loaded means no network, and what was taken off again leaves the flights. */
import { NETWORK_SERVICES } from './boot-checks.mjs'

export async function brokenChecks(guest, report) {
  report.part('A base that cannot be loaded')
  await guest.must(
    'cp /usr/lib/groundlock/base.nft /root; echo "this is no rule" >>/usr/lib/groundlock/base.nft',
  )
  await guest.reboot()
  report.note(`the machine is ${await guest.settled()}`)
  const lockdown = await guest.run('systemctl is-active groundlock-lockdown')
  report.check('the lockdown failed', lockdown.out === 'failed', lockdown.out)
  const active = (await guest.run(`systemctl is-active ${NETWORK_SERVICES.join(' ')}`)).out.split('\n')
  report.check('no network service runs', !active.includes('active'), active.join(' '))
  const up = await guest.run("ip -br link | grep -vE '^(lo |glcanary)' | grep -w UP")
  report.check('no interface is up', up.out === '', up.out)
  const station = await guest.run('systemctl is-active groundlock-station')
  report.check('the station records all the same', station.out === 'active', station.out)

  report.part('Taken off again')
  await guest.must(
    'cp /root/base.nft /usr/lib/groundlock/base.nft; systemctl start groundlock-lockdown; systemctl start --no-block groundlock-guard',
  )
  await guest.must('mkdir -p /var/lib/groundlock/vault && echo flight >/var/lib/groundlock/vault/kept')
  await guest.must(
    "ip link add up8 type veth peer name far8; ip link set up8 alias 'groundlock: down while shut'",
  )
  const off = await guest.run('/checkout/scripts/uninstall && /checkout/scripts/uninstall')
  report.check('uninstall takes it off', off.status === 0 && off.out.includes('Nothing to do'), off.out)
  const link = await guest.must('ip -o link show up8; cat /sys/class/net/up8/ifalias')
  report.check(
    'a link that it had taken down is up again',
    /[<,]UP[,>]/.test(link) && !link.includes('groundlock'),
    link,
  )
  const left =
    await guest.run(`nft list tables | grep groundlock; find /usr /etc/systemd /etc/needrestart -xdev -name '*groundlock*' -not -path '/etc/systemd/system/groundlock-*.d'
    ls /var/lib/groundlock/vault/kept /etc/groundlock/groundlock.toml`)
  report.check(
    'the flights and the configuration stay, nothing else',
    left.out === '/etc/groundlock/groundlock.toml\n/var/lib/groundlock/vault/kept',
    left.out,
  )
}
