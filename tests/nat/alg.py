# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of application level gateways: FTP dialogues by hand, PPTP with GRE."""
import socket
import struct
import time

from natlab import EXT, Host, accepted, addr, check, fail, inside, main, same, say

# --- FTP ----------------------------------------------------------------------------------------


class Dialogue:
    """An FTP control connection between two kernels, line by line."""

    def __init__(self, host="lan1", port=21):
        self.client = Host(host)
        self.listener = Host("inet1").listen(port)
        self.c = self.client.connect((addr("INET1"), port))
        check(self.c, "no control connection")
        self.s, _ = accepted(self.listener)
        check(self.s, "the control connection was not accepted")
        for x in (self.c, self.s):
            x.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reply(b"220 ready\r\n")
        same(self.command(b"USER ftp\r\n"), b"USER ftp\r\n", "the first command")
        self.reply(b"230 welcome\r\n")

    def reply(self, line):
        self.s.sendall(line)
        same(self.c.recv(1000), line, "the server's line")

    def command(self, *parts):
        """The line, in these segments; what the server gets of it."""
        for n, p in enumerate(parts):
            if n:
                time.sleep(0.15)
            self.c.sendall(p)
        got = b""
        while not got.endswith(b"\r\n"):
            part = self.s.recv(1000)
            check(part, "the control connection ended")
            got += part
        return got


def endpoint(line):
    """Address and port of a PORT or EPRT line."""
    word, rest = line.split(None, 1)
    if word.upper() == b"PORT":
        n = [int(x) for x in rest.split(b",")]
        return ".".join(map(str, n[:4])), n[4] << 8 | n[5]
    _, kind, host, port, _ = rest.strip().split(rest[:1])
    return host.decode(), int(port)


def data_arrives(d, line, port):
    """The server connects to what it was told, and the client's listener takes it."""
    listener = d.client.listen(port)
    to = endpoint(line)
    same(to[0], EXT, "the address that the server is told")
    x = Host("inet1").connect(to, 0)
    check(x, f"no data connection to {to}")
    y, _ = accepted(listener)
    check(y, f"the data connection to {to} reached somebody else")
    x.sendall(b"file")
    same(y.recv(10), b"file", "the data")


def ftp_port():
    d = Dialogue()
    data_arrives(d, d.command(b"PORT 10,0,0,11,19,137\r\n"), 5001)
    # The rewritten line had another length: the connection must still be in step.
    same(d.command(b"NOOP\r\n"), b"NOOP\r\n", "the next command")
    d.reply(b"200 OK\r\n")
    data_arrives(d, d.command(b"PORT 10,0,0,11,200,1\r\n"), 51201)
    same(d.command(b"QUIT\r\n"), b"QUIT\r\n", "the last command")


def ftp_eprt():
    d = Dialogue()
    data_arrives(d, d.command(b"EPRT |1|10.0.0.11|5001|\r\n"), 5001)
    same(d.command(b"NOOP\r\n"), b"NOOP\r\n", "the next command")


def ftp_split():
    """The command comes in pieces."""
    d = Dialogue()
    data_arrives(d, d.command(b"PORT 10,0,", b"0,11,19,137\r\n"), 5001)
    data_arrives(d, d.command(b"P", b"ORT 10,0,0,11,19,138\r", b"\n"), 5002)
    same(d.command(b"NOOP\r\n"), b"NOOP\r\n", "the next command")


def ftp_bounce():
    """Addresses of others and ports below 1024 open nothing."""
    d = Dialogue()
    victim = {p: Host("lan2").listen(p) for p in (5001, 80)}
    own = Host("lan1").listen(80)
    for line in (b"PORT 10,0,0,12,19,137\r\n", b"EPRT |1|10.0.0.12|5001|\r\n", b"PORT 10,0,0,11,0,80\r\n",
                 b"EPRT |1|10.0.0.11|80|\r\n", b"PORT 10,0,0,12,0,80\r\n"):
        # Whether the line passes or the connection is cut is the gateway's business.
        d.c.sendall(line)
        try:
            got = d.s.recv(1000)
            told = endpoint(got) if got.endswith(b"\r\n") else None
        except (OSError, ValueError):
            got, told = b"", None
        say(f"{line!r} became {got!r}")
        for to in {(EXT, 5001), (EXT, 80)} | ({told} if told and told[0] == EXT else set()):
            x = Host("inet1").connect(to, seconds=0.4)
            for s in (*victim.values(), own):
                y, _ = accepted(s, 0.01)
                check(y is None, f"{line!r} opened {to}")
            if x:
                x.close()


def ftp_nonsense():
    """Lines that are no commands pass untouched, or not at all, and open nothing."""
    for line in (b"PORT 10,0,0,11,19\r\n", b"PORT 10,0,0,11,19,137,1\r\n", b"PORT 10,0,0,11,999,137\r\n",
                 b"EPRT |3|10.0.0.11|5001|\r\n", b"EPRT |1|10.0.0.11|99999|\r\n", b"EPRT ||||\r\n",
                 b"PORT" + b" " * 600 + b"\r\n", b"PORT \xff\xfe\r\n"):
        d = Dialogue()
        own = Host("lan1").listen(5001)
        d.c.sendall(line)
        d.s.settimeout(0.3)
        try:
            same(d.s.recv(1000), line, "the line")
        except TimeoutError:
            say(f"{line[:40]!r} was refused")
        check(Host("inet1").connect((EXT, 5001), seconds=0.2) is None and not accepted(own, 0.01)[0],
              f"{line[:40]!r} opened a port")
        for x in (d.c, d.s, d.listener, own):
            x.close()


def ftp_large():
    """A reply of many segments with the word of a gateway in it passes as it is."""
    d = Dialogue()
    text = b"".join(b"213-227 line %d (1,2,3,4,5,6)\r\n" % n for n in range(500))
    d.s.sendall(text)
    got = b""
    while len(got) < len(text):
        got += d.c.recv(65536)
    same(got, text, "the reply")


# --- PPTP ---------------------------------------------------------------------------------------

MAGIC = 0x1A2B3C4D


def control(kind, body):
    return struct.pack("!HHIHH", 12 + len(body), 1, MAGIC, kind, 0) + body


def start(reply):
    body = struct.pack("!HHIIHH", 0x0100, 0x0100 if reply else 0, 3, 3, 0, 1)
    return control(2 if reply else 1, body + b"host".ljust(64, b"\0") + b"vendor".ljust(64, b"\0"))


def call_request(call):
    body = struct.pack("!HHIIIIHHHH", call, 1, 300, 100000000, 3, 3, 64, 0, 0, 0)
    return control(7, body + b"\0" * 128)


def call_reply(call, peer):
    return control(8, struct.pack("!HHBBHIHHI", call, peer, 1, 0, 0, 64000, 64, 0, 0))


def gre(call, number, data):
    return struct.pack("!HHHHI", 0x3001, 0x880B, len(data), call, number) + data


def exactly(s, n):
    data = s.recv(n, socket.MSG_WAITALL)
    same(len(data), n, "bytes of a message")
    return data


def raw(name, address):
    with inside(name):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    s.bind((address, 0))
    s.settimeout(1)
    return s


def gre_received(s, seconds=1.0):
    """(source, call, data), or None."""
    s.settimeout(seconds)
    try:
        p, source = s.recvfrom(2000)
    except TimeoutError:
        return None
    p = p[(p[0] & 15) * 4:]
    return source[0], struct.unpack("!H", p[6:8])[0], p[12:]


def pptp():
    """Two clients with one call id to one server: each gets its own tunnel's packets."""
    listener = Host("inet1").listen(1723)
    server = raw("inet1", addr("INET1"))
    calls = {}
    for n, name in enumerate(("lan1", "lan2")):
        c = Host(name).connect((addr("INET1"), 1723))
        check(c, f"{name}: no control connection")
        s, _ = accepted(listener)
        c.sendall(start(False))
        same(exactly(s, 156), start(False), "the start")
        s.sendall(start(True))
        same(exactly(c, 156), start(True), "the reply to the start")
        c.sendall(call_request(100))
        outer = struct.unpack("!H", exactly(s, 168)[12:14])[0]
        mine = 7 + n
        s.sendall(call_reply(mine, outer))
        call, peer = struct.unpack("!HH", exactly(c, 32)[12:16])
        same((call, peer), (mine, 100), f"{name}: the server's call and the client's own")
        calls[name] = (raw(name, Host(name).ip), mine, outer, c, s)
    check(calls["lan1"][2] != calls["lan2"][2], "both calls have one id outside")
    for name, (g, mine, outer, _, _) in calls.items():
        g.sendto(gre(mine, 1, b"from " + name.encode()), (addr("INET1"), 0))
        same(gre_received(server), (EXT, mine, b"from " + name.encode()), f"{name}: GRE outwards")
        server.sendto(gre(outer, 1, b"to " + name.encode()), (EXT, 0))
        same(gre_received(g), (addr("INET1"), 100, b"to " + name.encode()), f"{name}: GRE inwards")
    server.sendto(gre(999, 1, b"nobody's"), (EXT, 0))
    for name, (g, *_) in calls.items():
        check(gre_received(g, 0.3) is None, f"{name} got another's packet")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
