"""Port hog: takes every UDP port that the kernel gives out by itself in the place where this runs, of which there are few then."""
import socket, sys

FEW = (40000, 40009)  # any user can take the 28,000 that there are; the test need not
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as stock:
    stock.write("%d %d" % FEW)
held = []
for port in range(FEW[0], FEW[1] + 1):
    held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    held[-1].bind(("0.0.0.0", port))
print("ready", flush=True)
sys.stdin.read()
