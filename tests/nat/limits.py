# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of limits: states of a rule and of a source, connections that come too fast, port blocks."""
import http.server
import os
import pathlib
import time

from filter import verdict
from natlab import EXT, Host, accepted, addr, asked, check, do, fail, main, same, say, talks

WEB = (EXT, 8080)


class Door:
    """lan2's server behind the forward of port 8080, and the connections that came through."""

    def __init__(self):
        self.server = Host("lan2").listen(80)

    def enter(self, host, seconds=1):
        """A connection, both of its ends; None: it was not let in."""
        c = Host(host).connect(WEB, seconds=seconds)
        if c is None:
            return None
        d, _ = accepted(self.server)
        check(d and talks(c, d), f"{host} is connected, but there is no talk")
        return c, d

    def must(self, host, what):
        ends = self.enter(host)
        check(ends, f"{host} is refused: {what}")
        return ends

    def wait(self, host, seconds, what):
        """Let in within some time."""
        end = time.monotonic() + seconds
        while (ends := self.enter(host, 0.5)) is None:
            if time.monotonic() > end:
                fail(f"{host} is still refused: {what}")
        return ends


def close(ends):
    for s in ends:
        s.close()


def rule_max(most):
    """All sources together have no more connections by a rule than it may have."""
    door, n = Door(), int(most)
    kept = [door.must(("inet1", "inet2")[i % 2], f"connection {i + 1} of {n}") for i in range(n)]
    same([door.enter(h) for h in ("inet1", "inet2")], [None, None], "connections above the limit")
    check(all(talks(*ends) for ends in kept), "a connection broke at the limit")
    close(kept.pop())
    door.wait("inet2", 12, "one of the others has ended")


def src_states(most):
    """One source has no more than it may have; another is not concerned."""
    door, n = Door(), int(most)
    kept = [door.must("inet1", f"connection {i + 1} of {n}") for i in range(n)]
    same(door.enter("inet1"), None, "a connection above the limit")
    kept.append(door.must("inet2", "another source"))
    check(all(talks(*ends) for ends in kept), "a connection broke at the limit")
    close(kept[0])
    door.wait("inet1", 12, "one of its others has ended")


def src_nodes():
    """So many sources, and no more."""
    door = Door()
    kept = [door.must("inet1", "the first source"), door.must("inet1", "the same again")]
    same(door.enter("inet2"), None, "a second source")
    while kept:
        close(kept.pop())
    door.wait("inet2", 20, "the first source is forgotten")


def src_conn(most):
    """So many established connections; who has more is entered into a table."""
    door, n = Door(), int(most)
    kept = [door.must("inet1", f"connection {i + 1} of {n}") for i in range(n)]
    do("not_listed")
    door.enter("inet1")
    do("listed")
    same(verdict("inet1", WEB, "tcp"), "silence", "who is in the table")
    check(all(talks(*ends) for ends in kept), "connections from before broke")


def overload(most, flush):
    """Too many in too short a time: into the table, which is refused; others are let in."""
    door, n = Door(), int(most)
    other = door.must("inet2", "another source")
    kept = [door.must("inet1", f"connection {i + 1} of {n}") for i in range(n)]
    do("not_listed")
    same(door.enter("inet1"), None, "a connection too many")
    do("listed")
    time.sleep(int(os.environ["NAT_RATE_SECONDS"]) + 0.5)
    same(door.enter("inet1"), None, "who is in the table, when the time is over")
    alive = [talks(*ends) for ends in kept]
    same(alive, [flush != "flush"] * n, "whether its connections go on")
    check(talks(*other), "a connection of another source broke")
    door.must("inet2", "another source")
    do("forgive")
    door.must("inet1", "who was taken out of the table")


def port_block():
    """A host's first mapping takes a block, the next ones do not; all of them lie in it."""
    server = Host("inet1").udp(9000)
    to = (addr("INET1"), 9000)
    clients = [Host("lan1").udp(30000 + n) for n in range(5)]
    ports = [asked(c, to, server)[1] for c in clients]
    do("given")
    lo, hi = map(int, (pathlib.Path(os.environ["RW_STATE"]) / "block").read_text().split())
    same(hi - lo, 63, "ports of the block, less one")
    check(all(lo <= p <= hi for p in ports), f"{ports} are not all in {lo}-{hi}")
    do("taken_back")


class Echo(http.server.BaseHTTPRequestHandler):
    """Gives back what is posted."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def echo():
    """A web server that gives back what is posted; until it is ended."""
    say("serves")
    http.server.ThreadingHTTPServer(("0.0.0.0", 80), Echo).serve_forever()


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
