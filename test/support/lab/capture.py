"""Capture: counts every frame that arrives at a place, by interface, kind and mark, and takes what is sent to it by TCP.

Runs in the place. One JSON object a line, in and out. Orders:
  {"op": "settle"}  answers with what has arrived so far, once everything that the devices counted as received is seen
  {"op": "forget"}  the same, and counts from nothing afterwards
  {"op": "await", "least": 1, "at": null}  the same, once so many have arrived (at that device, if one is named), or after AWAIT_S
A mark is the text `GL:<row>:<number>;` anywhere in a frame: the test's word of what it sent.
"""
import ctypes, glob, json, re, select, socket, struct, sys, time

TCP_PORT = 7001
SETTLE_S = 5           # a frame that a device counted and the socket does not show within this is lost: the capture says so
AWAIT_S = 3            # the kernel reports a group's listener, or asks who somebody is, within this
SO_TIMESTAMPNS = 35
PACKET_OUTGOING, SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 4, 263, 6, 8
BARE = 65534           # ARPHRD_NONE: a tunnel, whose frames have no Ethernet header
VLAN_VALID = 1 << 4    # of an auxdata's status: the kernel took a tag off
PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmpv6", 0: "hop-by-hop", 44: "fragment"}
MARK = re.compile(rb"GL:([a-z0-9 -]+):(\d+);")
KEPT_FRAMES = 8        # of the frames since the last forgetting, the first so many are kept as hex for a person to read

raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
raw.setblocking(False)
listeners = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, TCP_PORT))
    listener.listen(64)
    listener.setblocking(False)
    listeners.append(listener)
# In order of their coming. The oldest are let go: their other ends were reset long ago, and select takes 1,024.
connections = {}
MAX_CONNECTIONS = 256


def received():
    """Frames that each device but lo has received, by ifindex, as the kernel counts them. A tunnel counts its handshakes too."""
    counts = {}
    for path in glob.glob("/sys/class/net/*/"):
        try:
            index = int(open(path + "ifindex").read())
            if index != 1 and int(open(path + "type").read()) != BARE:
                counts[index] = int(open(path + "statistics/rx_packets").read())
        except OSError:
            pass  # the device went away meanwhile
    return counts


class Tally:
    def __init__(self):
        self.total, self.kinds, self.marks, self.devices, self.frames = 0, {}, {}, {}, []
        self.marks_of = {}
        self.last_ms = self.first_ms = None


base, seen, lost = received(), {}, 0
tally = Tally()


def kind_of(frame):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800:
        return "ipv4/" + PROTOCOLS.get(frame[23], str(frame[23]))
    if kind == 0x86DD:
        return "ipv6/" + PROTOCOLS.get(frame[20], str(frame[20]))
    return {0x0806: "arp", 0x8100: "vlan", 0x88A8: "vlan"}.get(kind, "ethertype %04x" % kind)


def take(frame, name, index, stamp_ns, is_tagged, is_bare):
    seen[index] = seen.get(index, 0) + 1
    kind = "vlan" if is_tagged else "bare" if is_bare else kind_of(frame.ljust(24, b"\0"))
    ms = (stamp_ns - (time.time_ns() - time.monotonic_ns())) / 1e6
    tally.total += 1
    tally.kinds[kind] = tally.kinds.get(kind, 0) + 1
    tally.devices[name] = tally.devices.get(name, 0) + 1
    tally.first_ms = tally.first_ms or ms
    tally.last_ms = ms
    for mark in {m.group(1).decode() for m in MARK.finditer(frame)}:
        tally.marks[mark] = tally.marks.get(mark, 0) + 1
        there = tally.marks_of.setdefault(name, {})
        there[mark] = there.get(mark, 0) + 1
    if len(tally.frames) < KEPT_FRAMES:
        tally.frames.append("%s %s %s" % (name, kind, frame[:96].hex()))


def drain():
    while True:
        try:
            frame, extra, _, address = raw.recvmsg(65600, 128)
        except BlockingIOError:
            return
        except OSError:
            continue  # a device went down: the socket says so once
        name, _, direction = address[0], address[1], address[2]
        if direction == PACKET_OUTGOING or name == "lo":
            continue
        stamp, is_tagged = time.time_ns(), False
        for level, what, data in extra:
            if level == SOL_PACKET and what == PACKET_AUXDATA:
                is_tagged = bool(struct.unpack_from("I", data)[0] & VLAN_VALID)
            elif what == SO_TIMESTAMPNS:
                s, ns = struct.unpack("qq", data[:16])
                stamp = s * 10**9 + ns
        try:
            index = socket.if_nametoindex(name)
        except OSError:
            index = -1
        take(frame, name, index, stamp, is_tagged, address[3] == BARE)


def settle():
    """Waits until every frame that a device has counted is seen; what a device counted before the capture is not asked for."""
    global lost
    until = time.monotonic() + SETTLE_S
    while True:
        target = received()
        drain()
        missing = {i: n - base.get(i, 0) - seen.get(i, 0) for i, n in target.items()}
        if all(n <= 0 for n in missing.values()):
            break
        if time.monotonic() > until:
            return "counted by the device and not seen: %s" % {i: n for i, n in missing.items() if n > 0}
        select.select([raw], [], [], 0.001)
    lost += struct.unpack("II", raw.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    return "frames lost by the socket: %d" % lost if lost else None


def answer(order):
    global tally
    until = time.monotonic() + AWAIT_S
    at = order.get("at")
    while (tally.devices.get(at, 0) if at else tally.total) < order.get("least", 0) and time.monotonic() < until:
        serve(select.select([raw, *listeners, *connections], [], [], 0.05)[0])
        drain()
    problem = settle()
    print(json.dumps({"problem": problem, "total": tally.total, "kinds": tally.kinds, "marks": tally.marks,
                      "devices": tally.devices, "marksOf": tally.marks_of, "frames": tally.frames, "firstMs": tally.first_ms,
                      "lastMs": tally.last_ms}), flush=True)
    if order["op"] == "forget":
        tally = Tally()


def serve(ready):
    for each in ready:
        if each in listeners:
            connection, _ = each.accept()
            connection.setblocking(False)
            connections[connection] = True
            while len(connections) > MAX_CONNECTIONS:
                oldest = next(iter(connections))
                del connections[oldest]
                oldest.close()
        elif each in connections:
            try:
                if each.recv(1 << 20):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            connections.pop(each, None)
            each.close()


print("ready", flush=True)
while True:
    ready, _, _ = select.select([sys.stdin, raw, *listeners, *connections], [], [])
    if raw in ready:
        drain()
    serve(ready)
    if sys.stdin in ready:
        line = sys.stdin.readline()
        if line == "":
            break
        answer(json.loads(line))
