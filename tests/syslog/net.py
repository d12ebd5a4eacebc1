# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of UDP and TCP, IPv4 and IPv6: logger(1), rsyslog and syslog-ng as senders and receivers."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_peers import ng_in, ng_out, rsyslog_in, rsyslog_out, shown  # noqa: E402
from syslog_scene import (LOG, blast, check, lab, main, need, need_peer, numbers, run, same, send,  # noqa: E402
                          until)

PORT = 5514
ALL = "*.*\tring:all:1M\n"


def listen(s, udp=True, tcp=True, conf=ALL):
    """Ours, with ears."""
    s.start(conf, *lab.listen_args(udp=PORT if udp else None, tcp=PORT if tcp else None))


def heads(records):
    return [(r["facility"], r["severity"], r.get("app", ""), r.get("host", "")) for r in records]


def logger_udp(s):
    """logger -n HOST, with and without RFC 5424, by both families."""
    need("logger")
    listen(s)
    for server in ("127.0.0.1", "::1"):
        run("logger", "-n", server, "-P", str(PORT), "-d", "--rfc3164", "-p", "cron.info", "-t", "job", "old grammar")
        run("logger", "-n", server, "-P", str(PORT), "-d", "--rfc5424", "-p", "cron.info", "-t", "job", "new grammar")
    records = s.records(count=4)
    same([lab.text(r).removeprefix(b"\xef\xbb\xbf") for r in records], [b"old grammar", b"new grammar"] * 2, "texts")
    same([h[:3] for h in heads(records)], [("cron", "info", "job")] * 4, "heads")
    check(all(r.get("host") for r in records), "a host is missing")


def logger_tcp(s):
    """logger over TCP: line-feeds, counted octets, and a line-feed inside a counted one."""
    need("logger")
    listen(s)
    base = ["logger", "-n", "127.0.0.1", "-P", str(PORT), "-T", "-p", "lpr.crit", "-t", "paper"]
    run(*base, "--rfc3164", "by lines")
    run(*base, "--octet-count", "--rfc5424", "by octets")
    run(*base, "--octet-count", "--rfc5424", "two\nlines")
    texts = [lab.text(r).removeprefix(b"\xef\xbb\xbf") for r in s.records(count=3)]
    same(texts, [b"by lines", b"by octets", b"two\nlines"], "texts")


def tcp_mixed(s):
    """Both framings on one connection, in pieces of every size, and what is no frame at all."""
    listen(s)
    frames = b""
    wanted = []
    for n in range(40):
        one = b"<14>1 - h a - - - number %d" % n
        wanted.append(b"number %d" % n)
        frames += one + b"\n" if n % 3 else b"%d %s" % (len(one), one)
    for piece in (1, 2, 3, 7, 64, len(frames)):
        before = lab.rings()["all"]["pushed"]
        with socket.create_connection(("127.0.0.1", PORT)) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(frames), piece):
                c.sendall(frames[at:at + piece])
        check(until(10, lambda: lab.rings()["all"]["pushed"] - before >= len(wanted)), f"pieces of {piece}: too few")
        same([lab.text(r) for r in s.records()][-len(wanted):], wanted, f"pieces of {piece}")
    for junk in (b"\xff" * 100_000, b"99999999999999999999 x", b"0 \n0 \n", b"12345", b"5 <14>1\n\n\n", b"<" * 70_000 + b"\n"):
        with socket.create_connection(("127.0.0.1", PORT)) as c:
            try:
                c.sendall(junk)
            except ConnectionError:
                pass
    run("true")
    with socket.create_connection(("::1", PORT)) as c:
        c.sendall(b"<14>1 - h a - - - still here\n")
    check(until(5, lambda: lab.text(s.records()[-1]) == b"still here"), "it does not answer after junk")


def udp_flood(s):
    """Datagrams faster than they can be taken: what is lost is lost in the socket, and told."""
    listen(s)
    sent = blast(f"udp:127.0.0.1:{PORT}", 200_000, "-s", 4)["sent"]
    until(3, lambda: lab.rings()["all"]["pushed"] >= sent)
    got = lab.rings()["all"]["pushed"]
    with open("/proc/net/udp") as f:
        drops = sum(int(line.split()[-1]) for line in f if f":{PORT:04X} " in line)
    same(got + drops, sent, f"what came in ({got}) and what the socket dropped ({drops})")
    numbers(lab.text(r) for r in s.records())


def many_connections(s):
    """More connections at once than anybody should have: those that are let in are served."""
    listen(s)
    open_ones = []
    for n in range(300):
        try:
            c = socket.create_connection(("127.0.0.1", PORT), timeout=2)
        except OSError:
            break
        open_ones.append(c)
    check(len(open_ones) >= 30, f"only {len(open_ones)} connections")
    open_ones[0].sendall(b"<14>1 - h a - - - first\n")
    check(until(5, lambda: lab.rings()["all"]["records"] >= 1), "the first connection is not served")
    for c in open_ones:
        c.close()
    check(until(5, lambda: say_hello(s)), "no connection after that")


def say_hello(s):
    before = lab.rings()["all"]["pushed"]
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=2) as c:
            c.sendall(b"<14>1 - h a - - - hello\n")
    except OSError:
        return False
    return until(1, lambda: lab.rings()["all"]["pushed"] > before)


# --- peers that send ----------------------------------------------------------------------------


def from_rsyslog(s, transport):
    """rsyslog forwards what it is told; all of it comes, as it was."""
    need_peer("rsyslogd")
    listen(s)
    rsyslog_out(s, transport, PORT)
    from_peer(s)


def from_syslog_ng(s, transport):
    """syslog-ng forwards what it is told."""
    need_peer("syslog-ng")
    listen(s)
    ng_out(s, transport, PORT)
    from_peer(s)


def from_peer(s):
    there = s.path("peer")
    send(b"<166>Nov 29 01:02:03 gate[12]: one", b"<163>Nov 29 01:02:03 gate: it's \"two\" 100%s", path=there)
    # rsyslog says something of its own when it starts.
    check(until(10, lambda: len([r for r in lab.read("all")[0] if r["app"] == "gate"]) >= 2), "nothing comes")
    records = [r for r in s.records() if r["app"] == "gate"]
    same([(r["facility"], r["severity"], r["app"]) for r in records],
         [("local4", "info", "gate"), ("local4", "err", "gate")], "heads")
    same([lab.text(r).strip() for r in records], [b"one", b"it's \"two\" 100%s"], "texts")
    same(records[0].get("procid"), "12", "process id")
    blast(f"unix:{there}", 2000, "-r", 4000)
    check(until(10, lambda: lab.rings()["all"]["pushed"] >= 2002), f"a burst: {lab.rings()['all']['pushed']} of 2002")
    until(1, lambda: lab.rings()["all"]["pushed"] >= 2003)
    found = numbers(lab.text(r) for r in s.records() if r["app"].startswith("blast"))
    same(sorted(n for _, n in found), list(range(2000)), "the burst")


# --- peers that receive -------------------------------------------------------------------------


def to_rsyslog(s, transport):
    need_peer("rsyslogd")
    out = rsyslog_in(s, transport, PORT)
    to_peer(s, transport, out)


def to_syslog_ng(s, transport):
    need_peer("syslog-ng")
    out = ng_in(s, transport, PORT)
    to_peer(s, transport, out)


def to_peer(s, transport, out):
    s.start(ALL + "*.*\t" + lab.remote(transport, "127.0.0.1", PORT) + "\n")
    send(b"<166>Nov 29 01:02:03 gate[12]: one", b"<163>Nov 29 01:02:03 gate: it's \"two\" 100%s",
         b"<163>1 2026-11-29T01:02:03.000004+01:00 far app 7 ID47 [a@32473 b=\"c\"] three")
    check(until(10, lambda: len(shown(out)) >= 3), f"the peer has {shown(out)}; it says {s.running[0].said()[-800:]}")
    same([line[:4] for line in shown(out)],
         [["local4", "info", "gate", "12"], ["local4", "err", "gate", shown(out)[1][3]], ["local4", "err", "app", "7"]],
         "what the peer read")
    same([line[-1].strip() for line in shown(out)], ["one", "it's \"two\" 100%s", "three"], "texts")
    blast(f"unix:{LOG}", 2000, "-r", 4000)
    check(until(10, lambda: len(shown(out)) >= 2003), f"a burst: {len(shown(out))} of 2003")
    found = numbers(line[-1].encode() + b" " for line in shown(out)[3:2003])
    same(sorted(n for _, n in found), list(range(2000)), "the burst")


def dissected(s):
    """tshark reads what we send."""
    need("tshark", "tcpdump")
    pcap = s.path("pcap")
    dump = s.spawn("tcpdump", "tcpdump", "-Z", "root", "--immediate-mode", "-U", "-i", "lo", "-w", pcap,
                   "udp port 514")
    check(until(5, lambda: "listening on" in dump.said()), "tcpdump does not listen")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 514))
        s.start(ALL + "*.*\t" + lab.remote("udp", "127.0.0.1", 514) + "\n")
        send(b"<166>Nov 29 01:02:03 gate[12]: one", b"<0>who is no kernel cannot say so")
        same(len(s.records(count=2)), 2, "records")
        sink.settimeout(5)
        sink.recv(65536)
        sink.recv(65536)
    until(3, lambda: os.path.getsize(pcap) > 200)
    dump.end()
    lines = run("tshark", "-r", pcap, "-Y", "syslog", "-T", "fields", "-E", "separator=|", "-e", "syslog.facility",
                "-e", "syslog.level", "-e", "syslog.msg", "-e", "_ws.malformed").decode().splitlines()
    same([line.split("|")[:2] for line in lines[:2]], [["20", "6"], ["1", "0"]], f"dissected: {lines}")
    check("one" in lines[0] and lines[0].endswith("|"), f"dissected: {lines[0]}")


SCENES = dict(globals())
for way in ("udp", "tcp", "octets"):
    for function in (from_rsyslog, from_syslog_ng, to_rsyslog, to_syslog_ng):
        SCENES[f"{function.__name__}_{way}"] = lambda s, f=function, w=way: f(s, w)

if __name__ == "__main__":
    main(SCENES)
