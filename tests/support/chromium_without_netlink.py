#!/usr/bin/env python3
"""Start Chromium so that it does not see the machine's network interfaces come and go.

Chromium gives up every connection that is being made when an interface appears
(``ERR_NETWORK_CHANGED``), also one to 127.0.0.1, and each Compose project of a test
beside it brings interfaces: https://github.com/microsoft/playwright/issues/13062. No switch
turns that off, but without a netlink socket Chromium watches nothing and counts as online.
A seccomp filter refuses it that socket; it needs no rights. Tried with a TLS handshake of
0.2 s and a network made and removed all the time: 139 of 150 navigations failed, then 0.

Usage: chromium_without_netlink.py ARGUMENT...
"""

import ctypes
import os
import platform
import struct
import sys

# The number of socket(2), which differs between machines.
SOCKET = {"x86_64": 41, "aarch64": 198}
AF_NETLINK = 16
EAFNOSUPPORT = 97

# <linux/prctl.h>, <linux/seccomp.h>, <linux/bpf_common.h>
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # where struct seccomp_data has them


class Program(ctypes.Structure):
    """struct sock_fprog: a filter of so many instructions."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_netlink(socket: int) -> None:
    """Let socket(AF_NETLINK, ...) fail with EAFNOSUPPORT in this process and its children.

    Args:
        socket: the number of the system call on this machine.

    Raises:
        OSError: the kernel takes no filter.
    """
    instructions = [
        (LOAD, 0, 0, NUMBER),
        (JUMP_IF_EQUAL, 0, 3, socket),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, AF_NETLINK),
        (RETURN, 0, 0, FAIL | EAFNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(instructions), code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "this kernel takes no seccomp filter")


if __name__ == "__main__":
    number = SOCKET.get(platform.machine())
    if number:
        refuse_netlink(number)
    os.execvp("chromium", ["chromium", *sys.argv[1:]])  # noqa: S606 - as the fixture has found it on the PATH
