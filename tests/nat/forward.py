# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of what is let in on purpose: port forwards, 1:1, redirects, what is not translated, IPv6."""
import packet as pk
from natlab import (EXT, Ghost, Host, accepted, addr, answered, asked, check, do, fail, main, received, same, say,
                    talks)

INET1, INET2, LAN1, LAN2 = addr("INET1"), addr("INET2"), addr("LAN1"), addr("LAN2")


def reaches(host, to, listener, seconds=1):
    """A connection from a host to `to`, taken by the listener: the peer that it sees, or None."""
    c = Host(host).connect(to, seconds=seconds)
    if not c:
        return None
    d, peer = accepted(listener)
    check(d, f"{host} has a connection to {to}, and not to our listener")
    check(talks(c, d), f"{host} to {to}: no talk")
    return peer


def tcp():
    s = Host("lan2").listen(80)
    same(reaches("inet1", (EXT, 8080), s)[0], INET1, "the client's address, seen inside")
    check(reaches("inet1", (EXT, 8081), s) is None, "a port that is not forwarded is reached")


def udp():
    s = Host("lan2").udp(53)
    c = Host("inet1").udp(5353)
    seen = asked(c, (EXT, 5300), s)
    same(seen, (INET1, 5353), "the client, seen inside")
    s.sendto(b"answer", seen)
    got, source = received(c)
    same((got, source), (b"answer", (EXT, 5300)), "the answer")


def range_():
    """A range of 100 ports to the same ports; nothing beside it."""
    inside = {p: Host("lan2").udp(p) for p in (20000, 20050, 20099, 19999, 20100)}
    for p in (20000, 20050, 20099):
        check(asked(Host("inet1").udp(), (EXT, p), inside[p]), f"port {p} is not forwarded")
    for p in (19999, 20100):
        check(not asked(Host("inet1").udp(), (EXT, p), inside[p]), f"port {p} is forwarded")


def range_shifted():
    """20000-20099 outside to 30000-30099 inside, each to its own."""
    inside = {p: Host("lan2").udp(p) for p in (30000, 30042, 30099)}
    for p, s in inside.items():
        check(asked(Host("inet1").udp(), (EXT, p - 10000), s), f"port {p - 10000} does not reach {p}")


def several():
    """Two forwards to two hosts, and the router's own mappings keep clear of their ports."""
    a, b = Host("lan1").listen(80), Host("lan2").listen(80)
    check(reaches("inet1", (EXT, 8001), a), "the first forward")
    check(reaches("inet1", (EXT, 8002), b), "the second forward")
    # A host of the LAN whose source port is that of a forward.
    far = Host("inet1").listen(9000)
    c = Host("lan1").connect((INET1, 9000), 8002)
    check(c, "no connection from the port of a forward")
    _, peer = accepted(far)
    say(f"port 8002 of lan1 is {peer}")
    check(reaches("inet1", (EXT, 8002), b), "the forward is lost to a mapping")


def binat():
    """All of an address is one host's, both ways, ports as they are; others keep the pool."""
    outer = addr("STATIC")
    s = Host("lan2").listen(80)
    same(reaches("inet1", (outer, 80), s)[0], INET1, "the client's address, seen inside")
    far = Host("inet1").udp(9000)
    same(asked(Host("lan2").udp(5000), (INET1, 9000), far), (outer, 5000), "the host, seen outside")
    same(asked(Host("lan1").udp(5000), (INET1, 9000), far), (EXT, 5000), "another host, seen outside")
    back = Host("lan2").udp(777)
    same(asked(Host("inet2").udp(888), (outer, 777), back), (INET2, 888), "UDP from outside")
    g = Ghost("inet1")
    g.send(pk.echo(g.ip, outer, 4711))
    r = g.get(want=lambda p: p.icmp == (0, 0))
    check(r, "1:1 answers no ping")
    same((r.src, r.ident), (outer, 4711), "the ping's answer")


def except_():
    """Nothing is translated to the excepted prefix, all else is."""
    far1, far2 = Host("inet1").udp(9000), Host("inet2").udp(9000)
    same(asked(Host("lan1").udp(5000), (INET2, 9000), far2), (LAN1, 5000), "to the excepted prefix")
    same(asked(Host("lan1").udp(5000), (INET1, 9000), far1), (EXT, 5000), "elsewhere")


def redirect():
    """What the LAN sends to any host's port 80 arrives at the router, which answers as that host."""
    s = Host("nat").listen(3128, addr("GW4"))
    for to in ((INET1, 80), (INET2, 80)):
        c = Host("lan1").connect(to)
        check(c, f"no connection to {to}")
        d, peer = accepted(s)
        check(d and talks(c, d), "no talk")
        same(peer[0], LAN1, "the client, seen by the router")
    far = Host("inet1").listen(81)
    check(reaches("lan1", (INET1, 81), far), "another port is taken too")


def open6():
    """IPv6 without translation: what is open is reached, nothing else, and out goes all."""
    inside, shut = Host("lan2").listen(80, addr("LAN2_6")), Host("lan2").listen(81, addr("LAN2_6"))
    same(reaches("inet1", (addr("LAN2_6"), 80), inside)[0], addr("INET1_6"), "the client")
    check(reaches("inet1", (addr("LAN2_6"), 81), shut) is None, "a port that is not open is reached")
    far = Host("inet1").listen(443, addr("INET1_6"))
    same(reaches("lan1", (addr("INET1_6"), 443), far)[0], addr("LAN1_6"), "the LAN's host, seen outside")


def napt66():
    far = Host("inet1").udp(9000, addr("INET1_6"))
    for host, local in (("lan1", "fd00:10::11"), ("lan2", "fd00:10::12")):
        c = Host(host).udp(5000, local)
        seen = asked(c, (addr("INET1_6"), 9000), far)
        check(seen, "nothing arrived")
        same(seen[0], addr("EXT6"), f"{host}, seen outside")
        check(answered(far, seen, c), "no answer")


def nptv6():
    """RFC 6296: the prefix changes and the checksum does not; both ways, no state."""
    prefix = "2001:db8:1f:"
    g = Ghost("inet1")
    far = Host("inet1").udp(9000, addr("INET1_6"))
    c = Host("lan1").udp(5000, "fd00:10::11")
    seen = asked(c, (addr("INET1_6"), 9000), far)
    check(seen and seen[0].startswith(prefix), f"seen outside: {seen}")
    same(seen[1], 5000, "the port")
    same(pk.add(pk.address(seen[0])), pk.add(pk.address("fd00:10::11")), "the address's sum")
    check(answered(far, seen, c), "no answer")
    # From outside, to who never spoke.
    inside = Host("lan2").udp(777, "fd00:10::12")
    outer = asked(Host("lan2").udp(778, "fd00:10::12"), (addr("INET1_6"), 9000), far)
    g.send(pk.udp(g.ip6, 4000, outer[0], 777, b"in"))
    got, source = received(inside)
    same((got, source), (b"in", (g.ip6, 4000)), "from outside")


def live():
    """A forward that comes and goes while traffic flows."""
    s = Host("lan2").listen(80)
    check(reaches("inet1", (EXT, 8080), s) is None, "reached before there is a forward")
    do("add_forward")
    check(reaches("inet1", (EXT, 8080), s), "not reached")
    do("del_forward")
    check(reaches("inet1", (EXT, 8080), s) is None, "reached after it went")


class Router(Host):
    def __init__(self, name):
        self.name, self.ip, self.ip6 = name, addr("GW4"), addr("GW6")


_Host = Host


def Host(name):  # noqa: N802
    return Router(name) if name == "nat" else _Host(name)


if __name__ == "__main__":
    main({k.rstrip("_"): v for k, v in list(globals().items()) if callable(v)})
