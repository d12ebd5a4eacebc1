#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Move a known stream over TCP and compare every byte of it.

    tcp.py serve PORT BYTES READYFILE    one connection: status 0 if the stream is right
    tcp.py send HOST PORT BYTES          sends it and waits for the other side's verdict

READYFILE is touched once the server listens; "-" for none.
"""
import hashlib
import socket
import sys

SECONDS = 30


def stream(size):
    """`size` bytes that repeat nowhere, 32 at a time."""
    for n in range(0, size, 32):
        block = hashlib.sha256(b"ropewalk %d" % n).digest()
        yield block[: min(32, size - n)]


def expected(size):
    return b"".join(stream(size))


def serve(port, size, ready):
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    s = socket.create_server(("", port), family=family, dualstack_ipv6=family == socket.AF_INET6)
    s.settimeout(SECONDS)
    if ready != "-":
        open(ready, "w").close()
    c, _ = s.accept()
    c.settimeout(SECONDS)
    got = bytearray()
    while len(got) < size:
        part = c.recv(1 << 16)
        if not part:
            break
        got += part
    right = bytes(got) == expected(size)
    c.sendall(b"ok" if right else b"no")
    print(f"{len(got)} of {size} bytes, {'right' if right else 'WRONG'}")
    return 0 if right else 1


def send(host, port, size):
    c = socket.create_connection((host, port), timeout=SECONDS)
    c.sendall(expected(size))
    verdict = c.recv(2)
    return 0 if verdict == b"ok" else 1


def main(argv):
    if argv[1] == "serve":
        return serve(int(argv[2]), int(argv[3]), argv[4])
    if argv[1] == "send":
        return send(argv[2], int(argv[3]), int(argv[4]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
