# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of the local socket: logger(1), Python, any bytes, bursts."""

import logging
import logging.handlers
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_scene import LOG, blast, check, lab, main, need, numbers, run, same, send, until  # noqa: E402

ALL = "*.*\tring:all:1M\n"


def fields(record, *names):
    return tuple(record.get(name, "") for name in names)


def logger_bsd(s):
    """RFC 3164 as util-linux writes it: the default, with a tag, an id, a priority."""
    need("logger")
    s.start(ALL)
    run("logger", "-u", LOG, "-p", "auth.warning", "-t", "gate", "--id=4711", "the door %s %n %x is \"open\"")
    run("logger", "-u", LOG, "plain")
    run("logger", "-p", "local7.debug", "-t", "a/b.c", "by the default socket")
    first, second, third = s.records(count=3)
    same(fields(first, "facility", "severity", "app", "procid"), ("auth", "warning", "gate", "4711"), "first")
    same(lab.text(first), b"the door %s %n %x is \"open\"", "its text")
    same(fields(second, "facility", "severity"), ("user", "notice"), "second")
    same(lab.text(second), b"plain", "its text")
    same(fields(third, "facility", "severity", "app"), ("local7", "debug", "a/b.c"), "third")
    same([first["seq"] + 1, first["seq"] + 2], [second["seq"], third["seq"]], "numbers")
    check(first["wall"] <= second["wall"] <= third["wall"], "the wall's clock goes back")
    check(first["mono"] <= second["mono"] <= third["mono"], "the other clock goes back")


def logger_ietf(s):
    """RFC 5424 with structured data, as util-linux writes it."""
    need("logger")
    s.start(ALL)
    run("logger", "-u", LOG, "--rfc5424", "-p", "daemon.err", "-t", "sensor", "--msgid", "TEMP", "--id=12",
        "--sd-id", "zone@32473", "--sd-param", "t=\"21\"", "--sd-param", "q=\"a\\\"b\\]c\"",
        "it is warm, gr\u00fc\u00dfe")
    (record,) = s.records(count=1)
    same(fields(record, "facility", "severity", "app", "procid", "msgid"),
         ("daemon", "err", "sensor", "12", "TEMP"), "the head")
    check('[zone@32473 t="21" q="a\\"b\\]c"]' in record["sd"], f"structured data: {record.get('sd')}")
    same(lab.text(record).removeprefix(b"\xef\xbb\xbf"), "it is warm, gr\u00fc\u00dfe".encode(), "the text")
    check(record.get("sent"), "the sender's time is gone")


def python_handler(s):
    """logging.handlers.SysLogHandler, which ends messages with a NUL."""
    s.start(ALL)
    log = logging.getLogger("scene")
    handler = logging.handlers.SysLogHandler(LOG, facility=logging.handlers.SysLogHandler.LOG_LOCAL3)
    handler.ident = "agent: "
    log.addHandler(handler)
    log.error("one")
    log.warning("two lines\nof text")
    handler.append_nul = False
    log.critical("three")
    handler.close()
    one, two, three = s.records(count=3)
    same([fields(r, "facility", "severity", "app") for r in (one, two, three)],
         [("local3", "err", "agent"), ("local3", "warning", "agent"), ("local3", "crit", "agent")], "heads")
    same(lab.text(one), b"one", "the NUL at the end")
    same(lab.text(two), b"two lines\nof text", "a line-feed inside")


def any_bytes(s):
    """Whatever is sent becomes a record with just these bytes, and a line without controls."""
    s.start(ALL + "*.*\t" + s.path("file") + "\n")
    head = b"<13>Nov 29 01:02:03 x: "
    texts = [bytes(range(1, 256)), b"a\0b", b"\xff\xfe\x80", b"%s%n%d%p" * 20, b"\x1b[31mred\x07",
             b"\xe2\x80\xae right to left", b"\xed\xa0\x80", b"[1]: colon: more", b" leading"]
    send(*[head + t for t in texts])
    records = s.records(count=len(texts))
    for record, wanted in zip(records, texts):
        got = lab.text(record)
        # A parser may take a blank before the text for the one that ends the tag.
        check(got in (wanted, wanted.rstrip(b"\n\0"), wanted.lstrip(b" ")), f"{wanted!r} became {got!r}")
    bare = [b"", b"<", b"<13", b"<13>", b"<999>x", b"<-1>x", b"<0013>x", b"<13>1", b"<13>1 - - - - - [", b"\0", b"\n",
            b"<13>1 2026-99-99T99:99:99Z h a p m [x y=\"", b"<13>Feb 31 99:99:99 h x: y", b"no priority", b"<191>" + b"A" * 3000]
    before = len(records)
    send(*bare)
    # An empty one may be no message at all.
    check(until(5, lambda: lab.rings()["all"]["pushed"] >= before + len(bare) - 3), "some are missing")
    s.records()
    s.ctl("read", "all")
    s.ctl("--json", "read", "all")
    with open(s.path("file"), "rb") as f:
        data = f.read()
    check(not set(data) & (set(range(32)) - {9, 10}), "controls in the file")
    check(data.count(b"\n") >= len(texts), "lines are missing in the file")
    shown = s.ctl("read", "all")
    check(not set(shown.encode()) & (set(range(32)) - {9, 10}), "controls on the terminal")


def long_ones(s):
    """Up to 64 KB is kept whole; what does not fit in a ring is cut, and says so."""
    s.start("*.*\tring:all:1M\n*.*\tring:small:16K\n")
    sizes = [1, 100, 1024, 2048, 8192, 8193, 30_000, 65_000]
    send(*[b"<13>Nov 29 01:02:03 x: " + b"y" * size for size in sizes])
    records = s.records(count=len(sizes))
    same([len(lab.text(r)) for r in records], sizes, "lengths")
    check(not any(r.get("cut") for r in records), "something is cut")
    small, lost = lab.read("small")
    check(small and small[-1].get("cut"), f"the longest is not cut in the small ring: {[r.get('cut') for r in small]}")
    check(0 < len(lab.text(small[-1])) < 16384, "how long it is there")


def accounts(ring, sent, before=0):
    """What came in is kept or dropped; what is kept has no gap."""
    state = lab.rings()[ring]
    same(state["pushed"] - before, sent, f"what {ring} has got")
    records, lost = lab.read(ring)
    same(lost, [], "lost while nothing comes in")
    same(state["records"], len(records), f"what {ring} says that it keeps")
    same(state["pushed"], state["records"] + state["dropped"], f"kept and dropped in {ring}")
    check(state["used"] <= state["size"], f"over budget: {state}")
    seqs = [r["seq"] for r in records]
    same(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "numbers")
    return records


def burst(s):
    """A million messages of eight sources into small rings: none is missing, in or out."""
    s.start("*.*\tring:all:2M\nuser.*\tring:user:64K\n*.*\tring:packed:512K:pack=lz4\n")
    sent = blast(f"unix:{LOG}", 1_000_000, "-s", 8)
    same(sent["sent"], 1_000_000, "taken by the socket")
    check(until(20, lambda: lab.rings()["all"]["pushed"] >= 1_000_000), "not all came in")
    for ring in ("all", "user", "packed"):
        found = numbers(lab.text(r) for r in accounts(ring, 1_000_000))
        for source in range(8):
            own = [n for who, n in found if who == source]
            same(own, sorted(own), f"the order of source {source}")
        # The newest are the ones that are kept; the very last is the last one of a source.
        same(found[-1][1], 124_999, f"the last one in {ring}")


def budget(s):
    """Memory is what it was at the start, whatever comes; rings never have a byte more."""
    s.start("*.*\tring:all:4M\n*.err\tring:bad:1M\n")
    blast(f"unix:{LOG}", 60_000, "-s", 4)
    lab.rings()
    first = s.daemon.memory()
    for size in (1, 300, 9000, 60_000):
        blast(f"unix:{LOG}", 30_000 if size < 10_000 else 3000, "-l", size, "-s", 16, "-p", 11)
        for state in lab.rings().values():
            check(state["used"] <= state["size"], f"over budget: {state}")
    # What is there from the start is touched only when messages of some length come, so the measure is
    # what was asked for.
    more = s.daemon.memory()["VmData"] - first["VmData"]
    check(more <= 128 << 10, f"grown by {more} bytes")


def examples(s):
    """The files that come with it, all of them, are right."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../etc")
    files = [os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names if name == "syslog.conf"]
    check(len(files) >= 4, f"too few: {files}")
    for path in files:
        run(lab.binary("syslogd"), "-n", "-f", path)


if __name__ == "__main__":
    main(globals())
