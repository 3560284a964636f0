"""A socket that listens, and that is closed without a connection that nobody takes.

Closing it resets the connections that the kernel has accepted and the server has not. Between the
last one that is taken and the end there is always time for another. So first the kernel accepts no
more, as only Linux can be told.
"""

import struct
import sys
from contextlib import suppress
from socket import IPPROTO_TCP, SOL_SOCKET, socket
from time import sleep

# Seconds for which connections are read at the end of a server: what is on its way is answered.
LINGER = 0.5
# Seconds between looks at what waits; longer than it takes to connect.
PAUSE = 0.005

# A socket that is bound to a network interface hears of no others, and no interface has this number:
# SO_BINDTODEVICE by a number, https://man7.org/linux/man-pages/man7/socket.7.html
SO_BINDTOIFINDEX, NONE = 62, 2**31 - 1
# In struct tcp_info of linux/tcp.h, where a connection that is open has its unacknowledged packets.
TCP_INFO, WAITING = 11, 24


def refuse(listening: socket) -> None:
    """Let the kernel accept no more connections. Whoever asks is refused, and may ask another server.

    Args:
        listening: the socket, which is closed as soon as nothing waits any more.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel that cannot loses little: what comes at the last moment
            listening.setsockopt(SOL_SOCKET, SO_BINDTOIFINDEX, NONE)
        sleep(PAUSE)  # whoever has asked just before is accepted by now


def waiting(listening: socket) -> int:
    """Return how many connections the kernel has accepted that nobody has taken."""
    if sys.platform != "linux":
        return 0
    info = listening.getsockopt(IPPROTO_TCP, TCP_INFO, WAITING + 4)
    (count,) = struct.unpack("I", info[WAITING:])
    return int(count)
