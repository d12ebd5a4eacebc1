#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Misuse a control socket: junk, half messages, clients that stall or vanish.

    junk.py SOCKET SECONDS

The sequence is fixed (seeded), so a failure can be repeated.
"""
import contextlib
import random
import socket
import sys
import time


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(0.5)
    s.connect(path)
    return s


def main(argv):
    path, seconds = argv[1], float(argv[2])
    rng = random.Random(0x115)
    stalled = []
    sent = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and sent < 4000:
        sent += 1
        # A full backlog or a closed door is a fair answer to this client.
        with contextlib.suppress(OSError):
            s = connect(path)
            kind = rng.randrange(5)
            if kind == 0:
                s.sendall(rng.randbytes(rng.randrange(1, 4096)))
            elif kind == 1:
                s.sendall(b"\xff" * rng.choice((1, 4, 8, 16, 64, 65536)))
            elif kind == 2:
                s.sendall(b"\x00" * rng.choice((1, 4, 8, 16, 64, 65536)))
            elif kind == 3:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if kind == 4 and len(stalled) < 16:
                s.sendall(rng.randbytes(3))
                stalled.append(s)
                continue
            if rng.randrange(2):
                s.recv(4096)
            s.close()
    print(f"{sent} clients, {len(stalled)} of them stalled")
    return 0 if sent > 10 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
