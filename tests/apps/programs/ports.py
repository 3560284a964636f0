"""Prints the address, as Linux writes it, and the port of every socket that listens in a container."""

from pathlib import Path

# https://docs.kernel.org/networking/proc_net_tcp.html
LISTEN = "0A"

for name in ("tcp", "tcp6"):
    for line in Path("/proc/net", name).read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        if state == LISTEN:
            address, port = local.split(":")
            print(address, int(port, 16))
