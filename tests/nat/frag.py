# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of fragments: in any order, overlapping, incomplete, too many; IPv4 translated, IPv6 not."""
import itertools

import packet as pk
from natlab import EXT, Ghost, check, fail, main, same, say

DATA = bytes((n * 7 + n // 256) & 0xFF for n in range(3000))
SIZES = (1200, 1200, 608)


def whole(ghost, proto=pk.UDP, seconds=1.0):
    """The next datagram of that protocol, put together from what arrives, or None: (packet, payload)."""
    parts, first = {}, None
    while True:
        p = ghost.get(seconds, lambda p: p.proto == proto)
        if p is None:
            if parts:
                say(f"incomplete: {sorted(parts)}")
            return None
        if not p.fragment:
            return p, p.payload
        parts[p.offset] = p
        first = parts.get(0)
        end = sorted(parts.values(), key=lambda p: p.offset)
        if first and not end[-1].more and sum(len(p.payload) for p in end) == end[-1].offset + len(end[-1].payload):
            data = b"".join(p.payload for p in end)
            check(len({p.src for p in end}) == 1, "fragments of one packet have several sources")
            same(pk.add(pk.pseudo(first.src, first.dst, proto, len(data)) + data), 0xFFFF, "the checksum over all")
            return first, data


class Pair:
    """A flow whose mapping is there, so that fragments can come in too."""

    def __init__(self, family=4):
        self.a, self.b = Ghost("lan1"), Ghost("inet1")
        self.ip, self.far = (self.a.ip, self.b.ip) if family == 4 else (self.a.ip6, self.b.ip6)
        self.a.send(self.out(b"first"))
        p = self.b.get()
        check(p, "nothing arrived")
        self.outer = (p.src, p.sport)
        if family == 4:
            same(p.src, EXT, "the address outside")

    def out(self, data):
        return pk.udp(self.ip, 5000, self.far, 7000, data)

    def into(self, data):
        return pk.udp(self.far, 7000, *self.outer, data)

    def went(self, data=DATA):
        got = whole(self.b)
        check(got, "the datagram did not arrive outside")
        p, payload = got
        same((p.src, p.sport, p.dport), (*self.outer, 7000), "its source and ports outside")
        same(payload[8:], data, "its data")

    def came(self, data=DATA):
        got = whole(self.a)
        check(got, "the datagram did not arrive inside")
        p, payload = got
        same((p.dst, p.dport), (self.ip, 5000), "its destination inside")
        same(payload[8:], data, "its data")

    def alive(self):
        self.a.send(self.out(b"alive"))
        self.went(b"alive")
        self.b.send(self.into(b"back"))
        self.came(b"back")


def order(family="4"):
    """Every order of three fragments, both ways."""
    f = Pair(int(family))
    for n, turn in enumerate(itertools.permutations(range(3))):
        parts = pk.fragments(f.out(DATA), SIZES, 100 + n)
        f.a.send(*(parts[i] for i in turn))
        f.went()
        parts = pk.fragments(f.into(DATA), SIZES, 200 + n)
        f.b.send(*(parts[i] for i in turn))
        f.came()


def interleaved():
    """Fragments of two datagrams, mixed."""
    f = Pair()
    one, two = pk.fragments(f.into(DATA), SIZES, 1), pk.fragments(f.into(DATA[::-1]), SIZES, 2)
    f.b.send(one[0], two[2], one[1], two[1], one[2])
    f.came()
    f.b.send(two[0])
    f.came(DATA[::-1])


def overlap(family="4"):
    """Overlapping fragments are refused, whichever comes first; what is sound passes afterwards."""
    f = Pair(int(family))
    p = pk.Packet(f.into(DATA))
    body = p.payload
    cut = lambda at, end, more=True: (lambda ident: pk.fragment(p, body[at:end], at, more, ident))
    # The same bytes, other bytes, a hole that is filled twice, all of a part again.
    forged = lambda at, end, more=True: (lambda ident: pk.fragment(p, b"\xee" * (end - at), at, more, ident))
    sets = (
        (cut(0, 1200), cut(1192, 2400), cut(2400, None, False)),
        (cut(0, 1200), forged(960, 2400), cut(2400, None, False)),
        (cut(2400, None, False), cut(0, 1208), cut(1200, 2400)),
        (cut(0, 1200), forged(8, 16), cut(1200, 2400), cut(2400, None, False)),
        (forged(0, 16), cut(0, 1200), cut(1200, 2400), cut(2400, None, False)),
        (cut(0, 1200), cut(1200, 2400), cut(2400, None, False), forged(2400, 3008, False)),
    )
    for n, make in enumerate(sets):
        f.b.send(*(m(300 + n) for m in make))
        got = whole(f.a, seconds=0.3)
        # What is wholly within an earlier fragment may be passed over; no forged byte arrives.
        check(got is None or (n in (3, 5) and got[1][8:] == DATA), f"overlapping set {n} arrived")
    f.alive()


def duplicate():
    """A fragment that came twice spoils no later datagram."""
    f = Pair()
    parts = pk.fragments(f.into(DATA), SIZES, 7)
    f.b.send(parts[0], parts[0], parts[1], parts[2])
    got = whole(f.a, seconds=0.3)
    check(got is None or got[1][8:] == DATA, "another datagram was made of it")
    f.alive()


def holes():
    """Incomplete datagrams, of which no part arrives that the filter could not judge."""
    f = Pair()
    parts = pk.fragments(f.into(DATA), SIZES, 8)
    f.b.send(parts[1], parts[2])
    f.a.none(0.3, what="a fragment without its head")
    f.alive()


def too_long():
    """Fragments that reach beyond 65,535 bytes; offsets that are no multiple; parts of no length."""
    f = Pair()
    p = pk.Packet(f.into(DATA))
    ghost = lambda at, size, more, ident: pk.fragment(p, p.payload[:size], at, more, ident)
    f.b.send(ghost(0, 1200, True, 21), ghost(65528, 1200, False, 21))
    f.b.send(ghost(65528, 8, True, 22), ghost(0, 1200, True, 22))
    f.b.send(ghost(0, 1200, True, 23), ghost(1200, 0, False, 23))
    # A middle part whose length is no multiple of eight.
    f.b.send(ghost(0, 1201, True, 24), ghost(1208, 100, False, 24))
    check(whole(f.a, seconds=0.4) is None, "an impossible datagram arrived")
    f.alive()


def tiny():
    """A SYN whose flags stand in the second fragment passes no rule that forbids it."""
    a, b = Ghost("lan2"), Ghost("inet1")
    syn = pk.tcp(b.ip, 4000, EXT, 8081, pk.SYN, 1)
    for ident, sizes in ((31, (8, 12)), (32, (16, 4))):
        b.send(*pk.fragments(syn, sizes, ident))
        b.send(*reversed(pk.fragments(syn, sizes, ident + 10)))
    check(whole(a, pk.TCP, 0.4) is None, "a SYN to a closed port arrived in pieces")
    # That it is not the pieces: whole ones to the open port arrive.
    b.send(pk.tcp(b.ip, 4000, EXT, 8080, pk.SYN, 1))
    check(whole(a, pk.TCP), "the forward does not work")


def flood():
    """Thousands of fragments that nothing completes; whole and fragmented packets still pass."""
    f = Pair()
    p = pk.Packet(f.into(DATA))
    for n in range(6000):
        f.b.send(pk.fragment(p, b"x" * 64, 1200 + 8 * (n % 50), True, 1000 + n))
    f.a.drain()
    f.alive()
    parts = pk.fragments(f.out(DATA), SIZES, 9)
    f.a.send(*parts)
    f.went()
    parts = pk.fragments(f.into(DATA), SIZES, 999)
    f.b.send(*parts)
    f.came()


def atomic():
    """An IPv6 packet that is its own only fragment (RFC 6946)."""
    f = Pair(6)
    p = pk.Packet(f.into(b"atomic"))
    f.b.send(pk.fragment(p, p.payload, 0, False, 5))
    f.came(b"atomic")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
