# SPDX-License-Identifier: BSD-2-Clause
"""Corner cases as capture files: made here, written as pcap, read back, replayed at the router.

    corner.py make FILE SET     writes the set (all of its packets must stay out)
    corner.py SCENE ...         replays FILE and looks what arrives
"""
import random
import struct
import sys

import packet as pk
from natlab import EXT, Ghost, addr, check, fail, main, same, say

LINKTYPE_RAW = 101


def write(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_RAW))
        for n, p in enumerate(packets):
            f.write(struct.pack("<IIII", n // 1000, n % 1000 * 1000, len(p), len(p)) + p)


def read(path):
    with open(path, "rb") as f:
        head = f.read(24)
        check(struct.unpack("<I", head[:4])[0] == 0xA1B2C3D4, f"{path} is no capture file")
        while record := f.read(16):
            yield f.read(struct.unpack("<IIII", record)[2])


def garbage(src, dst, mapped):
    """Random bytes; random bytes behind a right header; right packets with one byte changed."""
    rng = random.Random(0x11BF)
    for _ in range(300):
        yield rng.randbytes(rng.randrange(1, 200))
    for _ in range(300):
        proto = rng.choice((pk.TCP, pk.UDP, pk.ICMP, pk.GRE, pk.ESP, 0, 255, rng.randrange(256)))
        yield pk.ip4(src, dst, proto, rng.randbytes(rng.randrange(0, 100)))


def truncated(src, dst, mapped):
    """Packets that end early: the header says more than there is."""
    for p in (pk.udp(src, 9000, dst, mapped, b"x" * 40), pk.tcp(src, 80, dst, mapped, pk.ACK, 1, 1, data=b"x" * 40),
              pk.echo(src, dst, mapped, reply=True)):
        for n in range(1, len(p)):
            yield p[:n]
    # Lengths within that do not fit.
    for length in (0, 7, 9, 1000, 65535):
        yield pk.udp(src, 9001, dst, mapped, b"0123456789", length=length)
    for offset in (0, 1, 4, 6, 15):
        yield pk.tcp(src, 80, dst, mapped, pk.ACK, 1, 1, offset=offset)
    for ihl in (0, 1, 4, 6, 15):
        yield pk.ip4(src, dst, pk.UDP, b"\0" * 8, ihl=ihl)
    for total in (0, 10, 19, 20, 24, 5000):
        yield pk.ip4(src, dst, pk.UDP, struct.pack("!HHHH", 9000, mapped, 8, 0), total=total)
    for version in (0, 5, 6, 15):
        yield pk.ip4(src, dst, pk.UDP, struct.pack("!HHHH", 9000, mapped, 8, 0), version=version)


def missummed(src, dst, mapped):
    """Wrong checksums at every layer."""
    yield pk.udp(src, 9000, dst, mapped, b"wrong header", bad=False) [:10] + b"\x12\x34" + \
        pk.udp(src, 9000, dst, mapped, b"wrong header")[12:]
    yield pk.ip4(src, dst, pk.UDP, b"\0" * 30, bad=True)
    yield pk.udp(src, 9001, dst, mapped, b"wrong datagram", bad=True)
    yield pk.tcp(src, 80, dst, mapped, pk.ACK, 1, 1, data=b"wrong segment", bad=True)
    yield pk.echo(src, dst, mapped, reply=True, bad=True)
    yield pk.icmp(src, dst, 3, 3, 0, pk.udp(dst, mapped, src, 9000, b"12345678"), bad=True)


def addresses(src, dst, mapped):
    """Sources and destinations that no packet from outside has."""
    for s in (dst, "127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", addr("LAN1_GHOST"), addr("GW4")):
        yield pk.udp(s, 9000, dst, mapped, b"strange source")
        yield pk.tcp(s, 9000, dst, mapped, pk.SYN, 1)
    for d in (addr("LAN1_GHOST"), addr("LAN1"), "127.0.0.1", "255.255.255.255"):
        yield pk.udp(src, 9000, d, 5000, b"strange destination")
    # Land: from itself to itself, port and all.
    yield pk.tcp(dst, mapped, dst, mapped, pk.SYN, 1)


def options(src, dst, mapped):
    """IPv4 options: source routes, broken ones."""
    body = pk.Packet(pk.udp(src, 9002, dst, mapped, b"options")).payload
    for o in (b"\x83\x07\x04" + pk.address(addr("LAN1_GHOST")), b"\x89\x07\x04" + pk.address(addr("LAN1_GHOST")),
              b"\x44\x00\x05\x00", b"\x07\x02\x04\x00", b"\x94\xff\x00\x00", b"\x07\x27\x04\x00"):
        yield pk.ip4(src, dst, pk.UDP, body, options=o)


def overlapping(src, dst, mapped):
    """Fragments over each other; the head is a mapped flow's, the rest something else."""
    p = pk.Packet(pk.udp(src, 9003, dst, mapped, b"a" * 100))
    for n in range(40):
        yield pk.fragment(p, p.payload[:48], 0, True, 5000 + n)
        yield pk.fragment(p, b"\xee" * 48, 8 * (n % 6), True, 5000 + n)
        yield pk.fragment(p, p.payload[48:], 48, False, 5000 + n)


def six(src, dst, mapped):
    """IPv6: extension headers that loop, end early, or hide what they carry."""
    far, near = addr("INET1_GHOST6"), addr("LAN1_GHOST6")
    udp = pk.Packet(pk.udp(far, 9000, near, 4999, b"unasked")).payload
    for n in range(1, 40):
        yield pk.udp(far, 9000, near, 4999, b"unasked")[:n]
    option = bytes((0, 0, 1, 4, 0, 0, 0, 0))
    for count in (1, 8, 60, 150):
        yield pk.ip6(far, near, 0, option * (count - 1) + bytes((pk.UDP,)) + option[1:] + udp)
        yield pk.ip6(far, near, 60, bytes((60,)) + option[1:] + (bytes((60,)) + option[1:]) * count)
    # Routing header of type 0, a jumbogram, no next header, a fragment of nothing.
    yield pk.ip6(far, near, 43, bytes((pk.UDP, 2, 0, 1, 0, 0, 0, 0)) + pk.address(near) + udp)
    yield pk.ip6(far, near, 0, bytes((pk.UDP, 0, 0xC2, 4, 0, 1, 0, 0)) + udp, total=0)
    yield pk.ip6(far, near, 59, udp)
    yield pk.ip6(far, near, 44, bytes((pk.UDP, 0, 0xFF, 0xF9, 0, 0, 0, 1)) + udp)
    yield pk.ip6(far, near, 44, bytes((pk.UDP, 0, 0, 1, 0, 0, 0, 2)) + udp[:4])
    yield pk.ip6(far, near, pk.UDP, udp, total=4000)


SETS = {f.__name__: f for f in (garbage, truncated, missummed, addresses, options, overlapping, six)}


def flow(a, b):
    """UDP both ways; the port outside."""
    a.send(pk.udp(a.ip, 5000, b.ip, 9000, b"out"))
    p = b.get(want=lambda p: p.proto == pk.UDP and p.body == b"out")
    check(p, "nothing passes outwards")
    b.send(pk.udp(b.ip, 9000, EXT, p.sport, b"back"))
    q = a.get(want=lambda q: q.proto == pk.UDP and q.body == b"back")
    check(q, "nothing passes inwards")
    return p.sport


def replay(name):
    """All packets of a set, from outside, at a router with a mapping that they aim at: none arrives."""
    path = f"{name}.pcap"
    a, b = Ghost("lan1", filter_own=False), Ghost("inet1")
    other = Ghost("lan2", filter_own=False)
    # From next to the router: the provider's own would not let most of this through.
    wire = Ghost("isp")
    port = flow(a, b)
    packets = list(SETS[name](b.ip, EXT, port))
    write(path, packets)
    same(len(list(read(path))), len(packets), "packets in the capture file")
    for p in read(path):
        wire.send(p)
        if len(p) % 7 == 0:
            arrived(a, other)
    arrived(a, other)
    same(flow(a, b), port, "the mapping afterwards")
    say(f"{len(packets)} packets of {path}, none arrived")


def replay_inside(name):
    """The same from the LAN: what is broken does not leave, and the router goes on."""
    a, b = Ghost("lan1"), Ghost("inet1")
    flow(a, b)
    for p in SETS[name](a.ip, b.ip, 9000):
        a.send(p)
    while (p := b.get(0.2)) is not None:
        check(p.src == EXT or p.version == 6, f"an inner address leaves: {p}")
    flow(a, b)


def arrived(*ghosts):
    for g in ghosts:
        while (p := g.get(0.02, ours)) is not None:
            fail(f"arrived: {p}")


def ours(p):
    """Not the neighbours' talk, which no router passes on: its hop limit is whole."""
    if p.version == 6 and p.icmp and p.icmp[0] in range(133, 138) and p.ttl == 255:
        return False
    return not (p.version == 6 and (p.dst.startswith("ff02:") or p.src.startswith("fe80:")))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        write(sys.argv[2], list(SETS[sys.argv[3]]("203.0.113.21", "198.51.100.1", 5000)))
    else:
        main({"replay": replay, "inside": replay_inside})
