/** Others: the programs that may bring a network up, open a way out or change firewall rules, as data. */

export interface Other {
  name: string
  units: readonly string[]
  /** What it does that matters here. */
  does: string
  todo: string
  /** Needing the lockdown is enough: what it brings up is an uplink, and shut. */
  isTamed: boolean
}

const SHUT_ANYWAY = 'what it brings up is an uplink and shut'

export const OTHERS: readonly Other[] = [
  {
    name: 'NetworkManager',
    units: ['NetworkManager.service'],
    does: `it configures every interface that it finds; ${SHUT_ANYWAY}`,
    todo: 'Keep it from local interfaces (unmanaged-devices= in /etc/NetworkManager/conf.d), and have no connection with method=shared.',
    isTamed: true,
  },
  {
    name: 'systemd-networkd',
    units: ['systemd-networkd.service'],
    does: `it configures interfaces; ${SHUT_ANYWAY}`,
    todo: 'For local interfaces: a static address, DHCP=no, IPv6AcceptRA=no, no IPMasquerade=, no Gateway=.',
    isTamed: true,
  },
  {
    name: 'dhcpcd',
    units: ['dhcpcd.service'],
    does: `it asks for addresses and routes on every interface; ${SHUT_ANYWAY}`,
    todo: 'For local interfaces: denyinterfaces eth1 in /etc/dhcpcd.conf, and a static address.',
    isTamed: true,
  },
  {
    name: 'ifupdown',
    units: ['networking.service', 'ifup@.service'],
    does: `it brings up what /etc/network/interfaces names; ${SHUT_ANYWAY}`,
    todo: 'For local interfaces: static, without a gateway line.',
    isTamed: true,
  },
  {
    name: 'ConnMan',
    units: ['connman.service'],
    does: `it configures interfaces and can share them; ${SHUT_ANYWAY}`,
    todo: 'One network service is enough: sudo systemctl disable --now connman',
    isTamed: true,
  },
  {
    name: 'Wi-Fi',
    units: ['wpa_supplicant.service', 'iwd.service', 'hostapd.service'],
    does: 'it joins or makes radio networks; data frames are dropped, management frames are not',
    todo: 'Where no Wi-Fi is used: dtoverlay=disable-wifi in config.txt; sudo systemctl disable --now wpa_supplicant',
    isTamed: false,
  },
  {
    name: 'Bluetooth',
    units: ['bluetooth.service'],
    does: 'it is no network interface, so no rule of the firewall reaches it',
    todo: 'Where it is not used: dtoverlay=disable-bt in config.txt; sudo systemctl disable --now bluetooth',
    isTamed: false,
  },
  {
    name: 'ModemManager',
    units: ['ModemManager.service'],
    does: 'it opens serial devices and speaks AT to them: to a modem, which may dial by itself, and to a telemetry radio',
    todo: 'sudo systemctl disable --now ModemManager, or sudo apt purge modemmanager',
    isTamed: false,
  },
  {
    name: 'Docker',
    units: ['docker.service', 'podman.service'],
    does: 'it writes rules of its own and forwards; a drop of ours holds, but a device that is given to a container is out of reach',
    todo: 'Give no device to a container (no macvlan or ipvlan, no --network=host); best: sudo systemctl disable --now docker docker.socket',
    isTamed: false,
  },
  {
    name: 'libvirt or LXC',
    units: ['libvirtd.service', 'lxc-net.service'],
    does: 'it makes bridges and forwards; a drop of ours holds, but a device that is given to a guest is out of reach',
    todo: 'Give no device to a guest; best: disable it.',
    isTamed: false,
  },
  {
    name: 'tailscale',
    units: ['tailscaled.service'],
    does: 'it opens a tunnel as soon as an uplink is permitted, and may let others in by it',
    todo: 'sudo systemctl disable --now tailscaled: what leaves while permitted should be what you start.',
    isTamed: false,
  },
  {
    name: 'other tunnels',
    units: ['zerotier-one.service', 'openvpn.service', 'cloudflared.service', 'wg-quick@.service'],
    does: 'it opens a tunnel as soon as an uplink is permitted',
    todo: 'Disable it: what leaves while permitted should be what you start.',
    isTamed: false,
  },
  {
    name: 'ufw',
    units: ['ufw.service'],
    does: 'it loads rules of its own; they cannot undo a drop of ours',
    todo: 'One firewall is easier to trust: sudo systemctl disable --now ufw',
    isTamed: false,
  },
  {
    name: 'firewalld',
    units: ['firewalld.service'],
    does: 'it loads rules of its own, with nft or iptables; they cannot undo a drop of ours',
    todo: 'One firewall is easier to trust: sudo systemctl disable --now firewalld',
    isTamed: false,
  },
  {
    name: 'netfilter-persistent',
    units: ['netfilter-persistent.service'],
    does: 'it restores saved rules, and flushes with stop; ours are put back, which is an event',
    todo: 'sudo systemctl disable --now netfilter-persistent',
    isTamed: false,
  },
  {
    name: 'cloud-init',
    units: ['cloud-init-local.service', 'cloud-init.service'],
    does: 'it may configure a network before others do',
    todo: 'sudo touch /etc/cloud/cloud-init.disabled',
    isTamed: false,
  },
  {
    name: 'Raspberry Pi Connect',
    units: ['rpi-connect.service', 'rpi-connect-wayvnc.service'],
    does: 'it lets others in from the internet as soon as an uplink is permitted',
    todo: 'sudo apt purge rpi-connect rpi-connect-lite',
    isTamed: false,
  },
]

/** Those that must not start where the lockdown failed, besides what the installation lists itself. */
export const NETWORK_UNITS: readonly string[] = OTHERS.filter(({ isTamed }) => isTamed).flatMap(
  ({ units }) => units,
)
