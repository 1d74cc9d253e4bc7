"""Traffic: sends every kind of frame that a program of the machine could, as often as it is told, and says what became of it.

Runs in the place under test. One JSON object a line, in and out. Orders:
  {"op": "send", "row": "udp", "count": 5, "device": "up0", "via": 0}   answers {"tried": 5, "errors": {"EPERM": 5}}
  {"op": "send all", "rows": ["udp", "raw"], "count": 5, ...}           the same for several; answers each row's by its name
  {"op": "connect", "via": 0}     a TCP connection that stays; answers {"tried": 1, "errors": {}}
  {"op": "hang up"}               forgets the connections that stay, without a word to the other end if the kernel lets none out
  {"op": "hammer", "rows": [...], "device": "up0", "via": 0, "everyMs": 0.5}   sends on and on, all rows in turn
  {"op": "hammered"}              answers what was sent up to now
  {"op": "stop"}                  ends that; answers what was sent
  {"op": "appear", "device": "tap7", "ms": 500}   makes an Ethernet device, takes it up at once and sends raw frames as fast as it can
                                  for so long; answers how many came out of it, for how long, and what else came out
A row may be given another `mark` than its name, and an `address` instead of the far end's.
`via` is the number of the uplink: its far end is 198.18.<via>.1 and 2001:db8:<via>::1. What is sent carries `GL:<row>:<number>;`.
"""
import errno, fcntl, json, os, select, socket, struct, sys, threading, time

UDP_PORT, TCP_PORT = 7000, 7001
CONNECT_S = 0.25        # a far end in the next namespace answers within this, or nothing does
HAMMER_MOST = 5_000_000  # frames: a forgotten hammer ends by itself
PACKET_QDISC_BYPASS, SOL_PACKET = 20, 263
kept, taps, numbers = [], {}, {}


def mark(row):
    numbers[row] = numbers.get(row, 0) + 1
    return b"GL:%s:%d;" % (row.encode(), numbers[row])


def v4(order, host=1):
    return "198.18.%d.%d" % (order["via"], host)


def v6(order):
    return "2001:db8:%d::1" % order["via"]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_frame(order, payload, tag=b""):
    return ethernet(order) + tag + b"\x08\x00" + ipv4_packet(order, payload)


def ipv4_packet(order, payload):
    udp = struct.pack("!HHHH", 40000, UDP_PORT, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                       socket.inet_aton(v4(order, 2)), socket.inet_aton(v4(order)))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


def ethernet(order):
    return bytes.fromhex("02000000%02x01" % (0x10 + order["via"])) + b"\x02\0\0\0\0\x99"


def udp(order, row, family=socket.AF_INET, to=None, size=0, options=()):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        for option in options:
            s.setsockopt(*option)
        s.setblocking(False)
        s.sendto(mark(row).ljust(size, b"."), to or (v4(order), UDP_PORT))


def icmp(order, row):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        body = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + mark(row)
        s.sendto(body[:2] + struct.pack("!H", checksum(body)) + body[4:], (v4(order), 0))


def icmpv6(order, row):
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as s:
        s.sendto(struct.pack("!BBHHH", 128, 0, 0, 7, 1) + mark(row), (v6(order), 0))


def connect(order, family, address):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setblocking(False)
    failed = s.connect_ex((address, TCP_PORT))
    if failed == errno.EINPROGRESS:
        select.select([], [s], [], CONNECT_S)
        failed = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            s.getpeername()
        except OSError:
            failed = failed or errno.ETIMEDOUT
    if failed:
        s.close()
        raise OSError(failed, "connect")
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def tcp_new(order, row, family=socket.AF_INET, address=None):
    s = connect(order, family, address or v4(order))
    s.send(mark(row))
    # Gone without a FIN: what is counted later is not of this row.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def tcp_kept(order, row):
    if not kept:
        raise OSError(errno.ENOTCONN, "none kept")
    for s in kept:
        s.send(mark(row))


def multicast(order, row):
    index = socket.if_nametoindex(order["device"])
    request = struct.pack("4s4si", b"\0" * 4, b"\0" * 4, index)
    udp(order, row, to=("224.0.0.251", 5353), options=[(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)])


def multicast6(order, row):
    index = socket.if_nametoindex(order["device"])
    udp(order, row, socket.AF_INET6, ("ff02::fb", 5353, 0, index))


def broadcast(order, row):
    udp(order, row, to=(v4(order, 255), UDP_PORT), options=[(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)])


def join(order, row):
    """The kernel itself reports who listens to a group: IGMP and MLD."""
    group = "239.1.%d.%d" % divmod(int(mark(row)[len(row) + 4:-1]) % 65000, 256)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        index = socket.if_nametoindex(order["device"])
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4si", socket.inet_aton(group), b"\0" * 4, index))


def neighbour(order, row):
    """Somebody whose address nobody knows: the kernel asks for it by ARP."""
    numbers[row] = numbers.get(row, 0) + 1
    udp(order, row, to=(v4(order, 3 + numbers[row] % 250), UDP_PORT))


packet_sockets = {}  # kept: closing one waits for all processors, which takes longer than what is to be seen


def packet(order, frame, bypass=False, kind=0x88B5):
    s = packet_sockets.get(bypass)
    if s is None:
        s = packet_sockets[bypass] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if bypass:
            s.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        s.setblocking(False)
    s.sendto(frame, (order["device"], kind))


def raw(order, row):
    packet(order, ethernet(order) + b"\x88\xb5" + mark(row).ljust(50, b"."))


def raw_bypass(order, row):
    packet(order, ethernet(order) + b"\x88\xb5" + mark(row).ljust(50, b"."), True)


def raw_ip(order, row):
    packet(order, ipv4_frame(order, mark(row)))


def raw_bare(order, row):
    """For a tunnel: no Ethernet header, and what it is stands beside it."""
    packet(order, ipv4_packet(order, mark(row)), kind=0x0800)


def raw_bare_bypass(order, row):
    packet(order, ipv4_packet(order, mark(row)), True, 0x0800)


def raw_vlan(order, row):
    packet(order, ipv4_frame(order, mark(row), b"\x81\x00\x00\x05"))


def raw_arp(order, row):
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + b"\x02\0\0\0\0\x99" + socket.inet_aton(v4(order, 2)) + b"\0" * 6
    packet(order, b"\xff" * 6 + b"\x02\0\0\0\0\x99" + b"\x08\x06" + body + socket.inet_aton(v4(order)) + mark(row))


def fragments(order, row):
    udp(order, row, size=4000, options=[(socket.IPPROTO_IP, 10, 0)])  # IP_MTU_DISCOVER: PMTUDISC_DONT


def fragments6(order, row):
    udp(order, row, socket.AF_INET6, (v6(order), UDP_PORT), 4000, [(socket.IPPROTO_IPV6, 23, 0)])


def to(order, row):
    """To an address that the order names, wherever the routes of the machine lead; from a port of its choice."""
    options = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        if "from" in order:
            for option in options:
                s.setsockopt(*option)
            s.bind(("0.0.0.0", order["from"]))
        s.setblocking(False)
        s.sendto(mark(row), (order["to"], order.get("port", UDP_PORT)))


ROWS = {
    "udp": udp, "tcp new": tcp_new, "tcp kept": tcp_kept, "queued": tcp_kept, "icmp": icmp, "multicast": multicast, "broadcast": broadcast,
    "igmp": join, "fragments": fragments, "arp": neighbour, "to": to,
    "udp6": lambda o, r: udp(o, r, socket.AF_INET6, (v6(o), UDP_PORT)), "icmpv6": icmpv6, "multicast6": multicast6,
    "fragments6": fragments6, "tcp6 new": lambda o, r: tcp_new(o, r, socket.AF_INET6, v6(o)),
    "raw": raw, "raw bypass": raw_bypass, "raw ip": raw_ip, "raw vlan": raw_vlan, "raw arp": raw_arp,
    "raw bare": raw_bare, "raw bare bypass": raw_bare_bypass,
}


def tun(order, row=None):
    """Makes a tun device and reads what is sent into it: what a VPN's program would encrypt and send on."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH", order["device"].encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    taps[order["device"]] = fd


def tun_seen(order):
    seen = 0
    while True:
        try:
            seen += len(os.read(taps[order["device"]], 65536)) > 0
        except OSError:
            return {"tried": seen, "errors": {}}


def appear(order):
    """As early as anything can be sent at all: the program that makes a device sends on it, and reads what comes out."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = order["device"].encode()
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH", name, 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH", name, 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
    start = time.monotonic()
    tried, raw_seen, other, last = 0, 0, [], start
    while time.monotonic() < start + order["ms"] / 1000:
        try:
            tried += 1
            raw(order, "raw")
        except OSError:
            pass
        try:
            while True:
                frame = os.read(fd, 65536)
                if b"GL:raw" in frame:
                    raw_seen, last = raw_seen + 1, time.monotonic()
                else:
                    other.append(frame[:96].hex())
        except OSError:
            pass
    os.close(fd)
    return {"tried": tried, "raw": raw_seen, "windowMs": (last - start) * 1000, "other": other}


def send(order, count):
    errors, made = {}, ROWS[order["row"]]
    for _ in range(count):
        try:
            made(order, order.get("mark", order["row"]))
        except OSError as error:
            name = errno.errorcode.get(error.errno, str(error.errno))
            errors[name] = errors.get(name, 0) + 1
    return {"tried": count, "errors": errors}


class Hammer(threading.Thread):
    def __init__(self, order):
        super().__init__(daemon=True)
        self.order, self.halt, self.tried, self.errors = order, threading.Event(), 0, {}

    def run(self):
        while not self.halt.is_set() and self.tried < HAMMER_MOST:
            for row in self.order["rows"]:
                done = send({**self.order, "row": row}, 1)
                self.tried += 1
                for name, count in done["errors"].items():
                    self.errors[name] = self.errors.get(name, 0) + count
                time.sleep(self.order["everyMs"] / 1000)


hammer = None


def keep(order):
    try:
        kept.append(connect(order, socket.AF_INET, v4(order)))
        return {"tried": 1, "errors": {}}
    except OSError as error:
        return {"tried": 1, "errors": {errno.errorcode.get(error.errno, "?"): 1}}


def obey(order):
    global hammer
    op = order["op"]
    if op == "send":
        return send(order, order["count"])
    if op == "send all":
        return {row: send({**order, "row": row}, order["count"]) for row in order["rows"]}
    if op == "connect":
        return keep(order)
    if op == "hang up":
        for s in kept:
            s.close()
        kept.clear()
        return {"tried": 0, "errors": {}}
    if op == "hammer":
        hammer = Hammer(order)
        hammer.start()
        return {"tried": 0, "errors": {}}
    if op == "hammered":
        return {"tried": hammer.tried, "errors": {}}
    if op == "stop":
        hammer.halt.set()
        hammer.join()
        return {"tried": hammer.tried, "errors": hammer.errors}
    if op == "appear":
        return appear(order)
    if op == "tun":
        tun(order)
        return {"tried": 0, "errors": {}}
    if op == "tun seen":
        return tun_seen(order)
    raise ValueError(op)


print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    print(json.dumps(obey(json.loads(line))), flush=True)
