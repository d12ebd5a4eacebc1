# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of what is kept: over a restart, a ruleset, a full table."""
from natlab import EXT, Host, accepted, addr, answered, asked, check, do, main, received, say, talks


def connected():
    """One connection out, one in by the forward of port 8080; with what keeps them open."""
    out, inward = Host("inet1").listen(9000), Host("lan2").listen(80)
    c = Host("lan1").connect((addr("INET1"), 9000))
    check(c, "no connection out")
    d, _ = accepted(out)
    e = Host("inet1").connect((EXT, 8080))
    check(e, "no connection in")
    f, _ = accepted(inward)
    check(talks(c, d) and talks(e, f), "no talk")
    return (c, d), (e, f)


def restart():
    out, inward = connected()
    u, v = Host("lan1").udp(5000), Host("inet1").udp(9001)
    m = asked(u, (addr("INET1"), 9001), v)
    check(m, "no UDP")
    do("restart")
    check(talks(*out), "the connection out broke")
    check(talks(*inward), "the connection in broke")
    check(answered(v, m, u), "the UDP flow broke")


def stale():
    out, inward = connected()
    do("forbid")
    check(talks(*inward), "the connection in broke before it was asked for")
    do("end_stale")
    check(not talks(*inward), "the connection in goes on")
    check(talks(*out), "the connection out broke")


def limit():
    out, inward = connected()
    far = Host("inet1").udp(9001)
    through = 0
    clients = [Host("lan1").udp(20000 + n) for n in range(300)]
    for n, c in enumerate(clients):
        c.sendto(b"%d" % n, (addr("INET1"), 9001))
        through += received(far, 0.1 if n > 80 else 1)[0] is not None
        if n > 150 and n - through > 60:
            break
    say(f"{through} flows came through")
    check(50 <= through <= 200, f"{through} flows came through a table of 200 states")
    check(talks(*out) and talks(*inward), "a connection broke when the table was full")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
