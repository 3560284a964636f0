"""A socket that listens, and that is closed without a connection that nobody takes.

Closing it resets the connections that the kernel has accepted and the server has not. Between the
last one that is taken and the end there is always time for another. So first the kernel accepts no
more, as only Linux can be told.
"""

import struct
import sys
from contextlib import suppress
from ctypes import addressof, create_string_buffer
from socket import IPPROTO_TCP, SOL_SOCKET, socket

# Seconds for which connections are read at the end of a server: what is on its way is answered.
LINGER = 0.5
# Seconds between looks at what waits.
PAUSE = 0.005

# Drops packets that ask for a connection, and passes all others on, also to sockets of connections, which
# have the filter of the one that listens. https://docs.kernel.org/networking/filter.html
SO_ATTACH_FILTER = 26
SYN, ACK = 0x02, 0x10
FILTER = (
    (0x30, 0, 0, 13),  # the flags of TCP
    (0x54, 0, 0, SYN | ACK),
    (0x15, 0, 1, SYN),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)
# In struct tcp_info of linux/tcp.h, where a connection that is open has its unacknowledged packets.
TCP_INFO, WAITING = 11, 24


def refuse(listening: socket) -> None:
    """Let the kernel accept no more connections. Whoever asks is asked to do so again by silence.

    Args:
        listening: the socket, which is closed as soon as nothing waits any more.
    """
    if sys.platform == "linux":
        steps = create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in FILTER))
        program = struct.pack("HP", len(FILTER), addressof(steps))
        with suppress(OSError):  # a kernel that cannot loses little: what comes at the last moment
            listening.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, program)


def waiting(listening: socket) -> int:
    """Return how many connections the kernel has accepted that nobody has taken."""
    if sys.platform != "linux":
        return 0
    info = listening.getsockopt(IPPROTO_TCP, TCP_INFO, WAITING + 4)
    (count,) = struct.unpack("I", info[WAITING:])
    return int(count)
