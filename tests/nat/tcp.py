# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of TCP through the router, segment by segment, between two addresses without a kernel."""
import time

import packet as pk
from natlab import EXT, Ghost, Host, accepted, addr, check, fail, main, same, say, talks
from packet import ACK, FIN, PSH, RST, SYN, URG

WSCALE7 = b"\3\3\7\1"


def is_tcp(p):
    return p.proto == pk.TCP


class Flow:
    """Inside `a`, outside `b`. Sequence numbers are each side's own; both start where it says."""

    def __init__(self, port=5000, far_port=80, a="lan1", b="inet1", family=4):
        self.a, self.b = Ghost(a), Ghost(b)
        self.port, self.far_port = port, far_port
        self.ip, self.far = (self.a.ip, self.b.ip) if family == 4 else (self.a.ip6, self.b.ip6)
        # Where it is seen outside; known once something left.
        self.outer = None

    def out(self, flags, seq, ack=0, data=b"", win=8192, options=b"", passes=True, **more):
        """A segment from inside; whether it arrives outside is checked."""
        self.a.send(pk.tcp(self.ip, self.port, self.far, self.far_port, flags, seq, ack, win, data, options, **more))
        p = self.b.get(1.5 if passes else 0.25, is_tcp)
        check((p is not None) == passes, f"out {flags:#x} seq {seq} ack {ack} len {len(data)}: "
              + ("did not arrive" if passes else "must not arrive"))
        if p:
            same((p.flags, p.seq, p.ack, p.body), (flags, seq, ack, data), "the segment outside")
            if self.outer is None:
                self.outer = (p.src, p.sport)
            same((p.src, p.sport), self.outer, "its source outside")
        return p

    def into(self, flags, seq, ack=0, data=b"", win=8192, options=b"", passes=True, **more):
        self.b.send(pk.tcp(self.far, self.far_port, *self.outer, flags, seq, ack, win, data, options, **more))
        p = self.a.get(1.5 if passes else 0.25, is_tcp)
        check((p is not None) == passes, f"in {flags:#x} seq {seq} ack {ack} len {len(data)}: "
              + ("did not arrive" if passes else "must not arrive"))
        if p:
            same((p.dst, p.dport, p.flags, p.seq, p.ack, p.body), (self.ip, self.port, flags, seq, ack, data),
                 "the segment inside")
        return p

    def open(self, seq=1000, far=5000, win=8192, far_win=8192, options=b""):
        """Three-way handshake; the next numbers are seq + 1 and far + 1."""
        self.out(SYN, seq, 0, win=win, options=options)
        self.into(SYN | ACK, far, seq + 1, win=far_win, options=options)
        self.out(ACK, seq + 1, far + 1, win=win)
        return self


def exchange():
    """Handshake, data both ways, an orderly end."""
    f = Flow().open()
    f.out(ACK | PSH, 1001, 5001, b"hello")
    f.into(ACK | PSH, 5001, 1006, b"there")
    f.out(FIN | ACK, 1006, 5006)
    f.into(FIN | ACK, 5006, 1007)
    f.out(ACK, 1007, 5007)


def exchange6():
    f = Flow(family=6).open()
    same(f.outer, (f.ip, 5000), "IPv6 is not translated")
    f.out(ACK | PSH, 1001, 5001, b"hello")
    f.into(ACK | PSH, 5001, 1006, b"there")
    g = Flow(port=5001, family=6)
    g.outer = (g.ip, 5001)
    g.into(SYN, 1, passes=False)


def from_outside():
    """The same, opened from outside through a forward."""
    a, b = Ghost("lan2"), Ghost("inet1")
    b.send(pk.tcp(b.ip, 4000, EXT, 8080, SYN, 1))
    p = a.get(want=is_tcp)
    check(p and (p.src, p.sport, p.dport) == (b.ip, 4000, 80), "the SYN did not arrive")
    a.send(pk.tcp(a.ip, 80, b.ip, 4000, SYN | ACK, 100, 2))
    p = b.get(want=is_tcp)
    check(p and (p.src, p.sport, p.flags) == (EXT, 8080, SYN | ACK), "the answer did not arrive")
    b.send(pk.tcp(b.ip, 4000, EXT, 8080, ACK, 2, 101))
    check(a.get(want=is_tcp), "the handshake's end did not arrive")
    a.send(pk.tcp(a.ip, 80, b.ip, 4000, FIN | ACK, 101, 2))
    check(b.get(want=is_tcp), "the FIN did not arrive")


def simultaneous():
    """Both open at once: SYNs cross, both say SYN and ACK."""
    f = Flow()
    f.out(SYN, 1000)
    f.into(SYN, 5000)
    f.out(SYN | ACK, 1000, 5001)
    f.into(SYN | ACK, 5000, 1001)
    f.out(ACK | PSH, 1001, 5001, b"hello")
    f.into(ACK | PSH, 5001, 1006, b"there")


def simultaneous_late():
    """The other's SYN comes before ours went out: dropped in silence; the next one is let in."""
    f = Flow()
    f.outer = (EXT, 5000)
    f.into(SYN, 5000, passes=False)
    f.b.none(0.2, what="an answer to the early SYN")
    f.out(SYN, 1000)
    f.into(SYN, 5000)
    f.out(SYN | ACK, 1000, 5001)
    f.into(SYN | ACK, 5000, 1001)
    f.out(ACK | PSH, 1001, 5001, b"hello")


def unsolicited(seconds="6.5"):
    """A SYN that nobody asked for: no answer of any kind for six seconds."""
    f = Flow().open()
    other = Ghost("inet2")
    other.send(pk.tcp(other.ip, 80, *f.outer, SYN, 1))
    other.send(pk.tcp(other.ip, 80, EXT, 49999, SYN, 1))
    f.a.none(0.2, is_tcp, "a SYN")
    other.none(float(seconds), what="an answer")


def rst_exact():
    """A reset with the very next number ends it; the same ports can be used again at once."""
    f = Flow().open()
    f.into(RST, 5001)
    f.outer = None
    f.open(700000, 900000)
    f.out(ACK | PSH, 700001, 900001, b"again")


def survives(flags, seq_off, seconds="3", ack=0):
    """After such a segment from outside the connection lives on, longer than closing ones do."""
    f = Flow().open()
    f.out(ACK | PSH, 1001, 5001, b"hello")
    f.into(ACK, 5001, 1006)
    f.b.send(pk.tcp(f.far, f.far_port, *f.outer, flags, 5001 + seq_off, ack))
    f.a.get(0.3)
    time.sleep(float(seconds))
    f.into(ACK | PSH, 5001, 1006, b"still here")
    f.out(ACK | PSH, 1006, 5011, b"me too")


def rst_in_window():
    survives(RST, 100)


def rst_out_of_window():
    survives(RST, 1 << 20)


def syn_in_window():
    survives(SYN, 100)


def syn_ack_in_window():
    survives(SYN | ACK, 100, ack=1006)


def fin_out_of_window():
    survives(FIN | ACK, 1 << 20, ack=1006)


def half_close():
    """One side has ended, the other goes on sending."""
    f = Flow().open()
    f.out(FIN | ACK, 1001, 5001)
    seq = 5001
    for n in range(5):
        f.into(ACK | PSH, seq, 1002, b"x" * 500)
        seq += 500
        f.out(ACK, 1002, seq)
    f.into(FIN | ACK, seq, 1002)
    f.out(ACK, 1002, seq + 1)


def window():
    """What lies outside the other's window does not pass; what lies in it does."""
    f = Flow().open(win=4096, far_win=4096)
    f.into(ACK | PSH, 5001, 1001, b"x" * 1000)
    f.into(ACK | PSH, 5001 + 300000, 1001, b"far ahead", passes=False)
    f.into(ACK | PSH, 6001, 1001 + 300000, b"acknowledges what was not sent", passes=False)
    f.out(ACK, 1001 + 300000, 6001, b"far ahead", passes=False)
    f.out(ACK, 1001, 6001)
    f.into(ACK | PSH, 6001, 1001, b"y" * 1000)


def window_behind():
    """What lies long before the window does not pass."""
    f = Flow().open(300000, 600000, win=4096, far_win=4096)
    f.into(ACK | PSH, 600001 - 300000, 300001, b"far behind", passes=False)
    f.out(ACK | PSH, 300001 - 200000, 600001, b"far behind", passes=False)
    f.into(ACK | PSH, 600001, 300001, b"here")


def window_scale():
    """Scaled windows are what they are: a megabyte in flight."""
    f = Flow().open(win=65535, far_win=65535, options=WSCALE7)
    f.out(ACK, 1001, 5001, win=8192)
    for at in range(0, 1000000, 100000):
        f.into(ACK, 5001 + at, 1001, b"z" * 1000)
    f.out(ACK, 1001, 5001, win=8192)


def no_scale():
    """Without the option on both sides there is no scale."""
    f = Flow()
    f.out(SYN, 1000, win=8192, options=WSCALE7)
    f.into(SYN | ACK, 5000, 1001, win=8192)
    f.out(ACK, 1001, 5001, win=8192)
    f.into(ACK, 5001 + 500000, 1001, b"z", passes=False)
    f.into(ACK, 5001, 1001, b"z" * 1000)


# --- the sequences that npf's tests have, by behaviour ------------------------------------------

def late_ack():
    """Acknowledgements out of order, one of them older than the last, pass."""
    f = Flow().open(20000, 300, win=4096, far_win=2048)
    f.into(ACK, 301, 20001, win=2048)
    f.out(ACK, 20001, 301, b"a" * 1000)
    f.out(ACK, 21001, 301, b"b" * 1000)
    f.into(ACK, 301, 22001, win=2048)
    f.out(ACK, 22001, 301, b"c" * 1000)
    f.into(ACK, 301, 23001, win=2048)
    f.into(ACK, 301, 22001, win=1048)
    f.out(ACK, 23001, 301, b"d" * 1000)
    f.into(ACK, 301, 24001, win=2048)


def resend():
    """A segment sent again, after its successor was acknowledged, passes."""
    f = Flow().open(20000, 300, win=1000, far_win=4000)
    for n in range(5):
        f.out(ACK, 20001 + 1000 * n, 301, b"s" * 1000, win=1000)
        if n == 0:
            f.into(ACK, 301, 21001, win=4000)
    f.into(ACK, 301, 25001, win=4000)
    f.into(ACK, 301, 25001, win=2000)
    f.out(ACK, 22001, 301, b"s" * 1000, win=1000)


def fin_resend():
    """Both sides' FINs, and one of them again and again."""
    f = Flow().open(2000, 300, win=1000, far_win=2000)
    f.into(FIN | ACK, 301, 2001)
    f.out(FIN | ACK, 2001, 301)
    f.out(ACK, 2002, 302)
    f.out(FIN | ACK, 2001, 302)
    f.out(FIN | ACK, 2001, 302)
    f.into(ACK, 302, 2002)


def window_end():
    """Data up to the end of the window passes, with holes before it; data behind it does not."""
    f = Flow().open(100, 60000, win=8760, far_win=1000)
    seq = 60001
    for _ in range(2):
        f.into(ACK, seq, 101, b"w" * 1460, win=1000)
        seq += 1460
    f.out(ACK, 101, seq, win=8760)
    hole = seq
    for n in range(1, 5):
        f.into(ACK, hole + 1460 * n, 101, b"w" * 1460, win=1000)
        f.out(ACK, 101, hole, win=8760)
    f.into(ACK, hole, 101, b"w" * 1460, win=1000)
    f.into(ACK, hole + 8760 * 12, 101, b"w" * 1460, win=1000, passes=False)


# --- time ---------------------------------------------------------------------------------------

def opening_ends():
    """A SYN without an answer is forgotten after its time; a whole handshake is not."""
    f, g = Flow(), Flow(port=5001, far_port=81)
    f.out(SYN, 1000)
    g.a, g.b = f.a, f.b
    g.open()
    time.sleep(5)
    f.into(SYN | ACK, 5000, 1001, passes=False)
    g.into(ACK | PSH, 5001, 1001, b"still here")


def idle_ends():
    f = Flow().open()
    f.out(ACK | PSH, 1001, 5001, b"hello")
    time.sleep(1.5)
    f.into(ACK | PSH, 5001, 1006, b"in time")
    time.sleep(5)
    f.into(ACK | PSH, 5006, 1006, b"too late", passes=False)


def closing_ends():
    """After both FINs the last segments pass, and after the closing time nothing does."""
    f = Flow().open()
    f.out(FIN | ACK, 1001, 5001)
    f.into(FIN | ACK, 5001, 1002)
    f.out(ACK, 1002, 5002)
    f.into(FIN | ACK, 5001, 1002)
    time.sleep(5)
    f.into(ACK, 5002, 1002, passes=False)


def reuse():
    """The same ports again, right after an orderly end."""
    f = Flow().open()
    f.out(FIN | ACK, 1001, 5001)
    f.into(FIN | ACK, 5001, 1002)
    f.out(ACK, 1002, 5002)
    f.outer = None
    f.open(800000, 900000)
    f.into(ACK | PSH, 900001, 800001, b"again")


def no_pickup():
    """Without a handshake nothing passes, in either direction."""
    f = Flow()
    f.out(ACK | PSH, 1001, 5001, b"hello", passes=False)
    f.out(SYN | ACK, 1001, 5001, passes=False)
    f.outer = (EXT, 5000)
    f.into(ACK | PSH, 5001, 1001, b"hello", passes=False)
    f.into(SYN | ACK, 5001, 1001, passes=False)


def nonsense_flags():
    """Combinations that TCP has not, new and within a connection."""
    f = Flow().open()
    g = Flow(port=5001)
    g.a, g.b = f.a, f.b
    for flags in (0, FIN, SYN | FIN, SYN | RST, FIN | PSH | URG, 0x3F, SYN | FIN | ACK, RST | FIN | SYN):
        g.out(flags, 1000, passes=False)
        f.b.send(pk.tcp(f.far, 80, *f.outer, flags, 5001, 1001))
        f.a.get(0.1)
    f.into(ACK | PSH, 5001, 1001, b"still here")


def mss(value):
    """The MSS of SYNs, both ways: the larger is made smaller, the smaller left."""
    value = int(value)
    for port, size in ((5000, 1460), (5001, 536)):
        f = Flow(port=port)
        o = lambda n: b"\2\4" + n.to_bytes(2, "big") + b"\4\2\1\1"
        p = f.out(SYN, 1000, options=o(size))
        same(p.options, o(min(size, value)), "the options outside")
        p = f.into(SYN | ACK, 5000, 1001, options=o(size))
        same(p.options, o(min(size, value)), "the options inside")


def kernels():
    """Two hundred connections of real kernels, open at once, each its own."""
    s = Host("inet1").listen(9000)
    pairs = []
    for n in range(100):
        for host in ("lan1", "lan2"):
            c = Host(host).connect((addr("INET1"), 9000))
            check(c, f"connection {n} of {host}")
            d, peer = accepted(s)
            check(d, f"connection {n} of {host} was not accepted")
            pairs.append((c, d, peer))
    same(len({peer for _, _, peer in pairs}), 200, "peers that the server sees")
    for n, (c, d, _) in enumerate(pairs):
        check(talks(c, d, b"%08d" % n), f"connection {n} does not talk")
        c.close()
        same(d.recv(1), b"", "the end")
        d.close()


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
