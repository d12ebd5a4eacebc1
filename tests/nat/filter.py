# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of the filter: what a rule lets through, what a reload, a kill and a table change."""
import os
import socket
import threading
import time

import packet as pk
from natlab import (EXT, Ghost, Host, accepted, addr, answered, asked, check, do, fail, inside, main, received, same,
                    say, talks)

LAN2 = addr("LAN2")


def verdict(host, to, kind, seconds=0.6):
    """What a client sees: pass, refused, or silence."""
    if kind == "tcp":
        s = Host(host).socket(socket.SOCK_STREAM, None if ":" not in to[0] else Host(host).ip6, 0)
        s.settimeout(seconds)
        try:
            s.connect(to)
            return "pass"
        except ConnectionRefusedError:
            return "refused"
        except (TimeoutError, OSError):
            return "silence"
    s = Host(host).udp(0, None if ":" not in to[0] else Host(host).ip6)
    s.settimeout(seconds)
    s.connect(to)
    try:
        s.send(b"ask")
        s.recv(100)
        return "pass"
    except ConnectionRefusedError:
        return "refused"
    except (TimeoutError, OSError):
        return "silence"


class Server:
    """Takes every connection, answers every datagram, until the scene ends."""

    def __init__(self, host, tcp=(), udp=(), address=None):
        for p in tcp:
            s = Host(host).listen(p, address)
            s.settimeout(None)
            threading.Thread(target=self.accepting, args=(s,), daemon=True).start()
        for p in udp:
            s = Host(host).udp(p, address)
            s.settimeout(None)
            threading.Thread(target=self.answering, args=(s,), daemon=True).start()

    @staticmethod
    def accepting(s):
        kept = []
        while True:
            kept.append(s.accept())

    @staticmethod
    def answering(s):
        while True:
            data, source = s.recvfrom(2000)
            s.sendto(data, source)


def matrix(text):
    """Probes: `HOST tcp|udp ADDR PORT pass|refused|silence`, one a line; all of them must be so."""
    wrong = []
    for line in filter(None, map(str.strip, text.splitlines())):
        host, kind, to, port, want = line.split()
        got = verdict(host, (to, int(port)), kind)
        say(f"{line}: {got}")
        if got != want:
            wrong.append(f"{host} {kind} {to} {port}: {got}, wanted {want}")
    check(not wrong, "; ".join(wrong))


def probes(host, tcp, udp):
    """The probes of $NAT_PROBES, at a host with these servers (lists like 80,81; - for none)."""
    ports = lambda t: [] if t == "-" else [int(x) for x in t.split(",")]
    Server(host, ports(tcp), ports(udp))
    Server(host, ports(tcp), ports(udp), Host(host).ip6)
    matrix(os.environ["NAT_PROBES"])


def reload():
    """A connection outlives a ruleset that would refuse it; a new one is refused."""
    s = Host("lan2").listen(80)
    c = Host("inet1").connect((EXT, 8080))
    check(c, "no connection")
    d, _ = accepted(s)
    u, v = Host("lan1").udp(5000), Host("inet1").udp(9000)
    m = asked(u, (addr("INET1"), 9000), v)
    do("forbid")
    check(talks(c, d), "the connection did not outlive the ruleset")
    check(answered(v, m, u), "the UDP flow did not outlive the ruleset")
    same(verdict("inet1", (EXT, 8080), "tcp"), "silence", "a new connection")


def reload_busy():
    """Rulesets replaced while packets flow: none is lost, none is judged by half a ruleset."""
    u, v = Host("lan1").udp(5000), Host("inet1").udp(9000)
    to = (addr("INET1"), 9000)
    asked(u, to, v)
    done = threading.Event()
    lost = []

    def stream():
        n = 0
        while not done.is_set():
            n += 1
            u.sendto(b"%d" % n, to)
            if received(v, 0.5)[0] is None:
                lost.append(n)
            time.sleep(0.001)
        say(f"{n} datagrams")

    t = threading.Thread(target=stream)
    t.start()
    for _ in range(10):
        do("again")
    done.set()
    t.join()
    check(not lost, f"datagrams were lost: {lost[:10]}")


def reload_bad():
    """A ruleset with an error changes nothing."""
    s = Host("lan2").listen(80)
    check(Host("inet1").connect((EXT, 8080)), "no connection")
    do("load_bad")
    check(Host("inet1").connect((EXT, 8080)), "the refused ruleset changed something")
    same(verdict("inet1", (EXT, 8081), "tcp"), "silence", "a closed port")
    s.close()


def kill():
    """Killed states are gone: what belonged to them is refused, others stay."""
    s = Host("inet1").listen(80)
    c = Host("lan1").connect((addr("INET1"), 80))
    e = Host("lan2").connect((addr("INET1"), 80))
    d, _ = accepted(s)
    f, _ = accepted(s)
    check(talks(c, d) and talks(e, f), "no talk")
    do("kill")
    check(not talks(d, c), "the killed connection still passes from outside")
    check(talks(e, f), "another connection was killed too")


def table():
    """An address in and out of a table, at once, without a load; connections that are, stay."""
    to = (EXT, 8080)
    s = Host("lan2").listen(80)
    c = Host("inet2").connect(to)
    check(c, "no connection")
    d, _ = accepted(s)
    do("add")
    same(verdict("inet2", to, "tcp"), "silence", "an address in the table")
    same(verdict("inet1", to, "tcp"), "pass", "an address that is not in it")
    check(talks(c, d), "the connection from before broke")
    do("delete")
    same(verdict("inet2", to, "tcp"), "pass", "an address that left the table")


def table_prefix():
    """The longest prefix decides."""
    to = (EXT, 8080)
    Server("lan2", (80,))
    do("add_net")
    same(verdict("inet2", to, "tcp"), "silence", "an address of a prefix in the table")
    do("delete_net")
    same(verdict("inet2", to, "tcp"), "pass", "when the prefix left")


def npf_rules():
    """To one host with state, to another without, to a third not at all; from the LAN's side."""
    a, b = Ghost("lan1"), Ghost("inet1")
    names = {"state": (addr("INET1_GHOST"), True, True), "one way": ("203.0.113.22", True, False),
             "none": ("203.0.113.23", False, False)}
    b.mine = {to for to, _, _ in names.values()}
    for what, (to, out, back) in names.items():
        a.send(pk.udp(a.ip6, 9000, to, 9000, b"out") if ":" in to else pk.udp(a.ip, 9000, to, 9000, b"out"))
        p = b.get(0.5, lambda p: p.dst == to)
        same(p is not None, out, f"{what}: outwards")
        if not out:
            continue
        b.send(pk.udp(to, 9000, p.src, p.sport, b"back"))
        same(a.get(0.5, lambda p: p.src == to) is not None, back, f"{what}: the answer")


def npf_nat():
    """A mapping is for its own interface, direction and endpoint."""
    a, b, inner, wire = Ghost("lan1"), Ghost("inet1"), Ghost("lan2"), Ghost("isp")
    a.send(pk.udp(a.ip, 15000, b.ip, 7000, b"out"))
    p = b.get()
    check(p and p.src == EXT, "nothing arrived")
    # From outside: as if from the LAN; to the inner address; then rightly.
    wire.send(pk.udp(a.ip, 15000, b.ip, 7000, b"spoofed"))
    b.none(0.3, what="a packet with an inner source")
    wire.send(pk.udp(b.ip, 7000, a.ip, 15000, b"direct"))
    a.none(0.3, what="a packet to the inner address")
    # From inside: as if it were the far end.
    inner.send(pk.udp(b.ip, 7000, EXT, p.sport, b"wrong side"))
    a.none(0.3, what="an answer from the wrong side")
    b.send(pk.udp(b.ip, 7000, EXT, p.sport, b"right"))
    q = a.get()
    check(q and (q.dst, q.dport, q.body) == (a.ip, 15000, b"right"), "the answer did not arrive")


def punch_udp():
    """Two hosts behind two routers, introduced by a third that sees both from outside."""
    a, b, rendezvous = Host("lan1").udp(5000), Host("lan3").udp(6000), Host("inet1").udp(9000)
    to = (addr("INET1"), 9000)
    ma, mb = asked(a, to, rendezvous, b"a"), asked(b, to, rendezvous, b"b")
    check(ma and mb, "the rendezvous was not reached")
    say(f"a is {ma}, b is {mb}")
    for _ in range(3):
        a.sendto(b"punch", mb)
        b.sendto(b"punch", ma)
        time.sleep(0.05)
    while received(a, 0.1)[0] or received(b, 0.1)[0]:
        pass
    same(asked(a, mb, b, b"to b"), ma, "what b sees of a")
    same(asked(b, ma, a, b"to a"), mb, "what a sees of b")


def punch_tcp():
    """The same with TCP: both connect, from the ports that the rendezvous saw."""
    server = Host("inet1").listen(9000)
    to = (addr("INET1"), 9000)
    seen = {}
    kept = []
    for name, port in (("lan1", 5000), ("lan3", 6000)):
        c = Host(name).connect(to, port)
        check(c, f"{name} does not reach the rendezvous")
        d, seen[name] = accepted(server)
        kept += [c, d]
    sockets = {}
    for name, port in (("lan1", 5000), ("lan3", 6000)):
        s = Host(name).socket(socket.SOCK_STREAM, None, port)
        s.setblocking(False)
        s.connect_ex(seen["lan3" if name == "lan1" else "lan1"])
        sockets[name] = s
    for s in sockets.values():
        s.settimeout(8)
    time.sleep(3.5)
    check(talks(sockets["lan1"], sockets["lan3"]), "the two did not meet")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
