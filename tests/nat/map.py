# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of mappings: which address and port a flow gets, who may answer it, how long it lives."""
import time

from natlab import EXT, Host, accepted, addr, answered, asked, check, do, fail, main, received, same, say, talks

PORT = 7000


def servers(*wanted):
    """UDP servers: (host, address, port) each, as {(address, port): socket}."""
    return {(a, p): Host(h).udp(p, a) for h, a, p in wanted}


def four():
    return servers(("inet1", addr("INET1"), PORT), ("inet1", addr("INET1"), PORT + 1),
                   ("inet1", addr("INET1B"), PORT), ("inet2", addr("INET2"), PORT))


def mapped(client, to, server):
    seen = asked(client, to, server)
    check(seen, f"nothing arrived at {to}")
    return seen


def endpoint_independent():
    """One socket, four endpoints, one mapping."""
    client = Host("lan1").udp(5000)
    seen = {to: mapped(client, to, s) for to, s in four().items()}
    same(len(set(seen.values())), 1, f"mappings {seen}; their number")
    same(seen.popitem()[1][0], EXT, "the address outside")


def endpoint_independent_tcp():
    got = set()
    for host, a, p in (("inet1", addr("INET1"), PORT), ("inet1", addr("INET1B"), PORT),
                       ("inet2", addr("INET2"), PORT + 1)):
        s = Host(host).listen(p, a)
        c = Host("lan1").connect((a, p), 5000)
        check(c, f"no connection to {a}")
        d, peer = accepted(s)
        check(d and talks(c, d), "no talk")
        got.add(peer)
    same(len(got), 1, f"mappings {got}; their number")


def conflict(count="20"):
    """Two hosts with the same ports: no mapping of one is ever the other's, to whomever they speak."""
    remote = four()
    first = next(iter(remote))
    seen = {}
    for n in range(int(count)):
        for host in ("lan1", "lan2"):
            client = Host(host).udp(6000 + n)
            where = {mapped(client, to, s) for to, s in remote.items()}
            same(len(where), 1, f"{host} port {6000 + n}: mappings {where}; their number")
            m = where.pop()
            check(m not in seen, f"{host} port {6000 + n} has {m}, which is {seen.get(m)}'s")
            seen[m] = (host, 6000 + n)
    say(f"{len(seen)} mappings, first endpoint {first}")


def overloading():
    """To one endpoint, two hosts with one source port are told apart, and answers find them."""
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    a, b = Host("lan1").udp(5000), Host("lan2").udp(5000)
    ma, mb = mapped(a, to, s), mapped(b, to, s)
    check(ma != mb, f"both are {ma}")
    check(answered(s, ma, a, b"to a") and answered(s, mb, b, b"to b"), "an answer went astray")


def preserve():
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    for port in (1024, 5001, 33333, 65535):
        same(mapped(Host("lan1").udp(port), to, s), (EXT, port), f"port {port} that is free")


def random():
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    pairs = [(p, mapped(Host("lan1").udp(p), to, s)[1]) for p in range(5000, 5040)]
    kept = [p for p, m in pairs if p == m]
    check(len(kept) <= 2, f"{len(kept)} of 40 ports were kept")
    steps = {b[1] - a[1] for a, b in zip(pairs, pairs[1:])}
    check(len(steps) > 20, f"ports follow each other: {pairs}")
    check(all(m >= 1024 for _, m in pairs), f"ports below 1024: {pairs}")


def parity():
    """In conflict an even port becomes an even one, an odd one odd."""
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    for port in range(5000, 5020):
        mapped(Host("lan1").udp(port), to, s)
    for port in range(5000, 5020):
        got = mapped(Host("lan2").udp(port), to, s)[1]
        check(got != port and got % 2 == port % 2, f"port {port} became {got}")


def port_class():
    """Ports below 1024 stay below, others stay above, in conflict too."""
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    for port in (600, 1023, 1024, 40000, 65535):
        for host in ("lan1", "lan2"):
            got = mapped(Host(host).udp(port), to, s)[1]
            check((got < 1024) == (port < 1024), f"{host} port {port} became {got}")


def paired():
    """All of a host's flows, of every protocol, leave from one address of the pool."""
    remote = four()
    pool = addr("POOL").split()
    used = {}
    listener = Host("inet1").listen(PORT + 5, addr("INET1"))
    for host in ("lan1", "lan2"):
        got = {mapped(Host(host).udp(p), to, s)[0] for p in range(5000, 5008) for to, s in remote.items()}
        for _ in range(4):
            c = Host(host).connect((addr("INET1"), PORT + 5))
            d, peer = accepted(listener)
            check(c and d, "no connection")
            got.add(peer[0])
        same(len(got), 1, f"{host} leaves from {got}; the number of addresses")
        used[host] = got.pop()
        check(used[host] in pool, f"{used[host]} is not of the pool {pool}")


def blocks(size):
    """Each host's ports come from blocks of its own."""
    size = int(size)
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    got = {h: {mapped(Host(h).udp(p), to, s)[1] // size for p in range(5000, 5020)} for h in ("lan1", "lan2")}
    same(len(got["lan1"]), 1, f"blocks of lan1 {got['lan1']}; their number")
    same(len(got["lan2"]), 1, f"blocks of lan2 {got['lan2']}; their number")
    check(not got["lan1"] & got["lan2"], f"one block for both: {got}")


def filtering(kind):
    """Who reaches a mapping that was made by a packet to one endpoint."""
    client = Host("lan1").udp(5000)
    remote = four()
    (home, other_port, other_address, other_host) = remote
    m = mapped(client, home, remote[home])
    check(answered(remote[home], m, client), "the endpoint's own answer did not arrive")
    want = {"port": (False, False, False), "address": (True, False, False), "endpoint": (True, True, True)}[kind]
    got = tuple(answered(remote[e], m, client) for e in (other_port, other_address, other_host))
    same(got, want, "answers from another port, another address, another host")
    if kind != "endpoint":
        # Once asked, each may answer.
        same(mapped(client, other_host, remote[other_host]), m, "the mapping to another host")
        check(answered(remote[other_host], m, client), "an endpoint that was asked may not answer")


def filtering_tcp(kind):
    home = Host("inet1").listen(PORT)
    c = Host("lan1").connect((addr("INET1"), PORT), 5000)
    d, m = accepted(home)
    check(c and d, "no connection")
    inside = Host("lan1").listen(5000)
    other = Host("inet2").connect(m, seconds=1)
    if kind == "endpoint":
        e, _ = accepted(inside)
        check(other and e and talks(other, e), "another host does not reach the mapping")
    else:
        check(other is None, "another host reaches the mapping")
    check(talks(c, d), "the first connection broke")


def hairpin():
    """Two hosts of the LAN by their outer endpoints: each sees the other's outside."""
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    a, b = Host("lan1").udp(5000), Host("lan2").udp(6000)
    ma, mb = mapped(a, to, s), mapped(b, to, s)
    # Both speak first, so that any filtering lets them.
    a.sendto(b"open", mb)
    received(b, 0.3)
    b.sendto(b"open", ma)
    received(a, 0.3)
    same(mapped(a, mb, b), ma, "what lan2 sees of lan1")
    same(mapped(b, ma, a), mb, "what lan1 sees of lan2")


def hairpin_forward():
    """The LAN reaches a forwarded port by the router's outer address."""
    s = Host("lan2").listen(80)
    c = Host("lan1").connect((EXT, 8080))
    check(c, "no connection")
    d, peer = accepted(s)
    check(d and talks(c, d), "no talk")
    same(peer[0], EXT, "the address that the server sees")
    # And a host its own.
    own = Host("lan2").connect((EXT, 8080))
    check(own, "no connection to itself")
    d, peer = accepted(s)
    check(d and talks(own, d), "no talk with itself")


def expiry(seconds):
    """It lives while it is used, from inside, and ends when it is not; not before."""
    seconds = float(seconds)
    client = Host("lan1").udp(5000)
    remote = four()
    home = next(iter(remote))
    m = mapped(client, home, remote[home])
    check(answered(remote[home], m, client), "no answer at once")
    end = time.monotonic() + 2 * seconds
    while time.monotonic() < end:
        time.sleep(seconds * 0.6)
        same(mapped(client, home, remote[home]), m, "the mapping while it is used")
    time.sleep(seconds * 0.5)
    check(answered(remote[home], m, client), "it ended before its time")
    time.sleep(seconds + 2.5)
    check(not answered(remote[home], m, client), "it is alive after its time")


def refresh_outbound(seconds):
    """Only the inside speaks, for longer than the timeout: the outside is still let in."""
    seconds = float(seconds)
    client = Host("lan1").udp(5000)
    remote = four()
    home = next(iter(remote))
    m = mapped(client, home, remote[home])
    for _ in range(5):
        time.sleep(seconds * 0.5)
        same(mapped(client, home, remote[home]), m, "the mapping")
    check(answered(remote[home], m, client), "it was not kept")


def deterministic():
    """Conflicts, many flows and time change no behaviour: mapping and filtering as at first."""
    conflict("40")
    filtering("port")


def caps(most):
    """No more flows of one host than that; another host is not concerned."""
    most = int(most)
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    clients = [Host("lan1").udp(5000 + n) for n in range(most + 5)]
    through = 0
    for c in clients:
        c.sendto(b"x", to)
        through += received(s, 0.2)[0] is not None
    same(through, most, f"flows of {len(clients)} that came through")
    check(asked(Host("lan2").udp(5000), to, s), "another host is refused too")


def reload():
    """A mapping outlives the ruleset."""
    client = Host("lan1").udp(5000)
    remote = four()
    home = next(iter(remote))
    m = mapped(client, home, remote[home])
    do("reload")
    check(answered(remote[home], m, client), "no answer after the ruleset was replaced")
    same(mapped(client, home, remote[home]), m, "the mapping after the ruleset was replaced")


def unreachable_13():
    """Beyond the cap the sender is told."""
    (to, s), = servers(("inet1", addr("INET1"), PORT)).items()
    mapped(Host("lan1").udp(5000), to, s)
    c = Host("lan1").udp(5900)
    c.connect((addr("INET1"), PORT))
    try:
        for _ in range(3):
            c.send(b"x")
            time.sleep(0.2)
    except OSError as e:
        say(f"told: {e}")
        return
    fail("the sender was not told")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
