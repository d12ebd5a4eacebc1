# SPDX-License-Identifier: BSD-2-Clause
"""One process, sockets in every namespace of nat.subr: how a scene of packets is written.

Host("lan1") opens kernel sockets there; Ghost("lan1") owns an address that no kernel has, sends any
bytes and sees what arrives for it. Addresses come from the shell library by their names there.
A scene fails by fail(), and says what it saw.
"""
import contextlib
import ctypes
import errno
import os
import pathlib
import select
import socket
import struct
import sys
import time

import packet as pk

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def addr(name):
    """An address of nat.subr: addr("LAN1"), addr("EXT")."""
    return os.environ["NAT_" + name]


EXT = os.environ.get("NAT_EXT", "")


def fail(text):
    print(f"scene: {text}", flush=True)
    sys.exit(1)


def say(text):
    print(f"# {text}", flush=True)


def check(truth, text):
    if not truth:
        fail(text)


def same(got, wanted, what):
    if got != wanted:
        fail(f"{what}: {got}, wanted {wanted}")


def do(verb):
    """Has the shell side call do_VERB, and waits for it."""
    state = pathlib.Path(os.environ["RW_STATE"])
    (state / f"do.{verb}").touch()
    end = time.monotonic() + 20
    while not (state / f"done.{verb}").exists():
        if time.monotonic() > end:
            fail(f"do {verb}: not done")
        time.sleep(0.02)
    (state / f"done.{verb}").unlink()


@contextlib.contextmanager
def inside(name):
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{os.environ['NS_' + name.upper()]}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Host:
    """A host's kernel sockets. Without an address, its first of that family."""

    def __init__(self, name):
        self.name = name
        self.ip = addr(name.upper())
        self.ip6 = addr(name.upper() + "_6")

    def socket(self, kind, address, port):
        address = address or self.ip
        with inside(self.name):
            s = socket.socket(family(address), kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.settimeout(2)
        s.bind((address, port))
        return s

    def udp(self, port=0, address=None):
        return self.socket(socket.SOCK_DGRAM, address, port)

    def listen(self, port, address=None):
        s = self.socket(socket.SOCK_STREAM, address, port)
        s.listen(64)
        return s

    def connect(self, to, port=0, address=None, seconds=2):
        """A connection to (host, port), or None."""
        s = self.socket(socket.SOCK_STREAM, address or (self.ip6 if ":" in to[0] else self.ip), port)
        s.settimeout(seconds)
        try:
            s.connect(to)
        except OSError as e:
            say(f"{self.name} to {to}: {e}")
            s.close()
            return None
        s.settimeout(2)
        return s


def received(s, seconds=1.0):
    """(data, from) of a datagram socket, or (None, None)."""
    s.settimeout(seconds)
    try:
        data, source = s.recvfrom(65536)
    except (TimeoutError, OSError):
        return None, None
    return data, source[:2]


def asked(client, to, server, data=b"ask"):
    """From client to server: where the server sees it come from; None if it does not come."""
    client.sendto(data, to)
    got, source = received(server)
    if got is None:
        return None
    same(got, data, "the datagram's data")
    return source


def answered(server, to, client, data=b"answer", seconds=0.4):
    """From server to `to`: whether the client gets it."""
    server.sendto(data, to)
    got, _ = received(client, seconds)
    return got == data


def accepted(listener, seconds=2):
    """(connection, peer) or (None, None)."""
    listener.settimeout(seconds)
    try:
        c, peer = listener.accept()
    except TimeoutError:
        return None, None
    c.settimeout(2)
    return c, peer[:2]


def talks(a, b, data=b"0123456789"):
    """Both directions of a TCP connection."""
    try:
        a.sendall(data)
        if b.recv(len(data), socket.MSG_WAITALL) != data:
            return False
        b.sendall(data[::-1])
        return a.recv(len(data), socket.MSG_WAITALL) == data[::-1]
    except OSError as e:
        say(f"talk: {e}")
        return False


ROUTER = {"lan1": "LAN0", "lan2": "LAN0", "inet1": "ISP1", "inet2": "ISP2", "isp": "WAN0"}


class Ghost:
    """Packets by hand, from and to an address without a kernel behind it."""

    def __init__(self, name, filter_own=True):
        self.name = name
        # On the provider's router, next to ours, anybody's packets can be made: inet1's, mostly.
        who = "INET1" if name == "isp" else name.upper()
        self.ip, self.ip6 = addr(who + "_GHOST"), addr(who + "_GHOST6")
        self.mine = {self.ip, self.ip6} if filter_own else None
        mac = addr("MAC_" + name.upper()).replace(":", "")
        router = addr("MAC_" + ROUTER[name]).replace(":", "")
        self.to_router = bytes.fromhex(router + mac)
        with inside(name):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.s.bind(("cust" if name == "isp" else "eth0", 0))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def send(self, *packets):
        for p in packets:
            kind = 0x86DD if p and p[0] >> 4 == 6 else 0x0800
            self.s.send(self.to_router + struct.pack("!H", kind) + p)

    def get(self, seconds=1.0, want=None):
        """The next packet for us (that `want` likes), or None; each must be sound."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.s], [], [], left)[0]:
                return None
            frame, where = self.s.recvfrom(65536)
            if where[2] == socket.PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            try:
                p = pk.Packet(frame[14:])
            except (IndexError, struct.error, ValueError):
                continue
            if self.mine is not None and p.dst not in self.mine:
                continue
            say(f"{self.name} saw {p}")
            if p.faults:
                fail(f"{self.name} got a broken packet: {p}")
            if want is None or want(p):
                return p

    def none(self, seconds=0.4, want=None, what="a packet"):
        p = self.get(seconds, want)
        if p is not None:
            fail(f"{self.name} got {what} that must not arrive: {p}")

    def drain(self):
        while self.get(0.05) is not None:
            pass


def main(scenes):
    """python3 FILE.py CASE: the function of that name."""
    name = sys.argv[1]
    if name not in scenes:
        fail(f"no scene {name}")
    try:
        scenes[name](*sys.argv[2:])
    except OSError as e:
        fail(f"{name}: {errno.errorcode.get(e.errno or 0, '')} {e}")
    print("# done")
