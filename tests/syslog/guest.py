# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of syslogd in a booted NetBSD or FreeBSD. What is counted there is counted by that kernel's
sockets, files and signals; here it is compared with what was sent."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import syslog_lab as lab  # noqa: E402
from syslog_guest import HERE, WORKER, check, main  # noqa: E402
from syslog_scene import numbers, same  # noqa: E402

# local0.notice, of which syslogd itself logs nothing.
PRI = ("-p", 133)
RINGS = f"""set ring-dir {HERE}/rings
local0.* ring:all:1M
local0.* ring:small:32K
local0.* ring:kept:128K:keep=restart
local0.* ring:packed:256K:keep=restart:pack=lz4
syslog.* ring:own:32K
local0.* {HERE}/file
"""


def whole(ring, pushed, what):
    """The books of a ring agree, and with what was sent."""
    same(ring["pushed"], pushed, f"{what}: pushed")
    same(ring["next"], pushed + 1, f"{what}: next")
    same(ring["pushed"], ring["records"] + ring["dropped"] + ring["cleared"], f"{what}: kept, dropped and cleared")
    check(ring["used"] <= ring["size"], f"{what}: over budget: {ring}")


def in_order(records, what):
    """Numbers of the ring without a gap, and those of each source."""
    seqs = [r["seq"] for r in records]
    same(seqs, list(range(seqs[0], seqs[0] + len(seqs))), f"{what}: numbers")
    per = {}
    for source, n in numbers(lab.text(r) for r in records):
        per.setdefault(source, []).append(n)
    for source, ns in per.items():
        same(ns, list(range(ns[0], ns[0] + len(ns))), f"{what}: what source {source} sent")


def local(g):
    """20,000 messages from four sources; two processes; nothing left at the end."""
    g.start(RINGS)
    parent, worker = g.processes()
    same(parent[1], 0, "the parent's user")
    same(worker and worker[1], WORKER, "the worker's user")
    # Whoever has it as his root keeps it from going.
    check(g.run(f"umount {HERE}/jail 2>/dev/null")[0] != 0, "the worker's root is not the empty folder")
    g.blast("local", 20_000, "-s", 4, *PRI)
    g.ctl("flush")
    rings = g.rings()
    for name in ("all", "small", "kept", "packed"):
        whole(rings[name], 20_000, name)
        check(rings[name]["dropped"] > 0, f"{name}: nothing was dropped, so nothing of that is shown")
    same(g.lines("file"), 20_000, "lines in the file")
    stats = g.stats()
    same(stats["engine"]["received"]["local"], 20_000, "received")
    same([o["lost"] for o in stats["outputs"]], [0] * len(stats["outputs"]), "lost by outputs")
    small = g.records("--duplicates small")
    same(len(small), rings["small"]["records"], "records in small")
    same(small[0]["seq"], rings["small"]["first"], "the oldest of small")
    in_order(small, "small")
    same(max(n for _, n in numbers(lab.text(r) for r in small)), 4999, "the last number")
    same({(r["facility"], r["severity"], r["app"][:5], r["procid"]) for r in small},
         {("local0", "notice", "blast", "77")}, "heads")
    g.end()


def reading(g):
    """What syslogctl shows, of what there is and of what comes."""
    g.start("set throttle 100000/s\n" + RINGS)
    g.blast("local", 100, *PRI)
    g.blast("local", 7, "-p", 131, "-a", "bad")
    same(len(g.records("all")), 107, "all")
    same(len(g.records("-l err all")), 7, "by level")
    same({r["app"] for r in g.records("-p bad0 all")}, {"bad0"}, "by program")
    same([r["seq"] for r in g.records("-n 3 all")], [105, 106, 107], "the last three")
    same([r["seq"] for r in g.records("--from 100 all")], list(range(100, 108)), "from a number on")
    same(len(g.records("-e 'seq=000000000[0-4] ' all")), 10, "by a regular expression")
    g.must("sleep 2")
    g.blast("local", 5, *PRI, "-a", "late")
    wall = g.records("-n 1 all")[0]["wall"]
    since = [r["app"] for r in g.records("--since 1h all")]
    same(len(since), 112, "since an hour")
    same([r["app"] for r in g.records(f"--since @{wall // 10**9 - 1} all")], ["late0"] * 5, "since a second ago")
    # A reader in the background, and 500 more messages than the ten that it begins with.
    g.must(f"{{ ctl --json -f all >{HERE}/followed 2>&1 & }}; f=$!; sleep 1")
    g.blast("local", 500, *PRI, "-s", 2, "-a", "more")
    check(g.until(20, lambda: g.lines("followed") >= 510), f"followed: {g.lines('followed')} of 510")
    g.must("kill $f; wait $f; sleep 1; true")
    same(g.lines("followed"), 510, "followed")
    same([r["seq"] for r in g.records("-n 510 all")][-1], 612, "the last number")
    check('"seq":612,' in g.must(f"cat {HERE}/followed").splitlines()[-1], "the last that was followed")
    # Sizes change while it runs.
    before = g.rings()
    done = g.answer("resize all 32K")
    after = g.rings()["all"]
    same((after["size"], done["lost"]), (32768, before["all"]["records"] - after["records"]), "resized")
    check(done["lost"] > 0, "nothing was too much")
    whole(after, 612, "resized")
    in_order([r for r in g.records("all")], "resized")
    status, words = g.run("ctl resize all 64M 2>&1")
    check(status != 0 and "bytes" in words, f"64 MB of a budget that has not so much: {status}: {words}")
    g.answer("resize all 1M")
    cleared = g.answer("clear small")["lost"]
    small = g.rings()["small"]
    same((cleared, small["records"], small["next"]), (before["small"]["records"], 0, 613), "cleared")
    g.blast("local", 1, *PRI)
    same([r["seq"] for r in g.records("small")], [613], "after that")
    same([(s["app"], s["passed"]) for s in g.answer("throttle")["throttle"] if s["app"] == "bad0"], [("bad0", 7)],
         "a source")
    g.end()


def killed(g):
    """By signal 9, the worker and then the parent."""
    g.start(RINGS)
    g.blast("local", 3000, *PRI)
    before = g.rings()
    parent, worker = g.processes()
    g.must(f"kill -9 {worker[0]}")
    check(g.until(20, lambda: (g.processes()[1] or worker)[0] != worker[0]), "no other worker")
    g.ready()
    same(g.processes()[0], parent, "the parent")
    same(g.processes()[1][1], WORKER, "the other worker's user")
    after = g.rings()
    for name in ("kept", "packed"):
        for field in ("boot", "first", "next", "records"):
            same(after[name][field], before[name][field], f"{name}: {field}")
    check(after["all"]["boot"] != before["all"]["boot"], "the other ring has the same life")
    same(after["all"]["records"], 0, "the other ring")
    same(len([r for r in g.records("own") if b"signal: 9 " in lab.text(r)]), 1, "what syslogd says of it")
    g.blast("local", 500, *PRI)
    same(g.rings()["kept"]["next"], 3501, "kept: next")
    same(g.rings()["all"]["pushed"], 500, "all: pushed")
    # The parent: the worker goes too, and what is left behind keeps nobody from starting.
    g.must(f"kill -9 {parent[0]}")
    check(g.until(20, lambda: not g.syslogds()), f"the worker stays: {g.syslogds()}")
    g.start()
    same(g.rings()["kept"]["next"], 3501, "kept, after the parent: next")
    same(g.rings()["kept"]["boot"], before["kept"]["boot"], "kept, after the parent: boot")
    g.blast("local", 500, *PRI)
    same(g.rings()["kept"]["next"], 4001, "kept, at last: next")
    packed = g.records("packed")
    same([r["seq"] for r in packed], list(range(1, 4001)), "packed: numbers")
    same([n for _, n in numbers(lab.text(r) for r in packed)], [*range(3000), *range(500), *range(500)], "packed: texts")
    records = g.records("kept")
    seqs = [r["seq"] for r in records]
    same(seqs, list(range(4001 - len(seqs), 4001)), "kept: numbers")
    check(len(seqs) > 600, "kept: only what came last")
    # The end of what came between the two kills, and all that came behind.
    ns = [n for _, n in numbers(lab.text(r) for r in records)]
    check(ns[-600:] == [*range(400, 500), *range(500)], "kept: texts")
    # Killed while it takes messages: each is there once, and in its order.
    _, worker = g.processes()
    g.must(f"{{ blast -n 20000 -t 100 -w -p 133 -a storm unix:{HERE}/log >{HERE}/stormed & }}; s=$!; sleep 1; "
           f"kill -9 {worker[0]}; wait $s; cat {HERE}/stormed", 200)
    g.ready()
    for name in ("kept", "packed"):
        ns = [n for _, n in numbers(lab.text(r) for r in g.records(f"-p storm0 {name}"))]
        check(sorted(set(ns)) == ns, f"{name}: doubles, or another order")
        same(ns[-1], 19_999, f"{name}: the last one")
    pushed = g.rings()["kept"]["next"] - 4001
    # What the one that was killed had in hand is lost: a read of many, at most.
    check(20_000 - 128 <= pushed <= 20_000, f"{pushed} of 20000 came in")
    g.end()


def reload(g):
    """Another configuration: rings that stay keep what they have; a wrong one changes nothing."""
    g.start(RINGS)
    g.blast("local", 300, *PRI)
    before = g.rings()
    pids = g.processes()
    g.write("conf", RINGS.replace("small:32K", "small:16K").replace("ring:all:1M", "ring:other:64K"))
    g.must(f"kill -HUP {pids[0][0]}")
    check(g.until(20, lambda: "other" in g.rings()), "no other ring")
    after = g.rings()
    same(sorted(after), ["kept", "other", "own", "packed", "small"], "rings")
    same((after["kept"]["records"], after["kept"]["boot"]), (300, before["kept"]["boot"]), "kept")
    same((after["small"]["size"], after["small"]["boot"]), (16384, before["small"]["boot"]), "small")
    whole(after["small"], 300, "small")
    same(g.processes(), pids, "processes")
    # As newsyslog(8) does it: the file goes, and after the signal there is another one.
    g.blast("local", 10, *PRI)
    g.ctl("flush")
    same(g.lines("file"), 310, "lines in the file")
    g.must(f"rm {HERE}/file")
    g.blast("local", 10, *PRI)
    g.ctl("flush")
    g.must(f"kill -HUP {pids[0][0]}; sleep 2")
    g.write("conf", RINGS + "local0.* ring:all:2M\nnonsense\n")
    g.must(f"kill -HUP {pids[0][0]}; sleep 2")
    same(sorted(g.rings()), ["kept", "other", "own", "packed", "small"], "rings, the configuration being wrong")
    said = [lab.text(r).decode() for r in g.records("own")]
    check(any("conf:" in words for words in said), f"nobody says what is wrong: {said}")
    g.blast("local", 10, *PRI)
    g.ctl("flush")
    same(g.rings()["other"]["pushed"], 30, "other")
    same(g.lines("file"), 10, "lines in the file that is new")
    g.end()


def network(g):
    """UDP and TCP on both loopback addresses; and what came goes on to a second one by TCP."""
    g.must("ifconfig lo0 inet 127.0.0.1 netmask 255.0.0.0 up && ifconfig lo0 inet6 ::1 prefixlen 128; "
           "ping -n -c 1 127.0.0.1 >/dev/null")
    far = ("-b 127.0.0.1:5516", "-k ''", "--tcp 127.0.0.1:5515")
    g.start("local0.* ring:far:1M\nsyslog.* ring:own:32K\n", *far, name="b.")
    g.start(f"{RINGS}local0.* @tcp://127.0.0.1:5515 (framing=octets, format=rfc5424, queue=1M)\n", "-k ''",
            *(f"{option} {address}:5514" for option in ("-b", "--tcp") for address in ("127.0.0.1", "'[::1]'")))
    ways = {"udp:127.0.0.1:5514": 500, "udp:[::1]:5514": 500, "tcp:127.0.0.1:5514": 1000, "tcp:[::1]:5514": 1000}
    for at, (way, count) in enumerate(ways.items()):
        g.blast(f"'{way}'", count, "-a", f"way{at}x", *PRI, *(("-5",) if at % 2 else ()),
                *(("-r", 200) if way.startswith("udp") else ()))
    total = sum(ways.values())
    check(g.until(20, lambda: g.rings()["all"]["pushed"] >= total), f"{g.rings()['all']['pushed']} of {total}")
    received = g.stats()["engine"]["received"]
    same((received["udp"], received["tcp"]), (1000, 2000), "received")
    check(g.until(20, lambda: g.rings("b.")["far"]["pushed"] >= total),
          f"far: {g.rings('b.')['far']}: {g.stats()['outputs']}, {[lab.text(r) for r in g.records('own')]}")
    whole(g.rings("b.")["far"], total, "far")
    for at, (way, count) in enumerate(ways.items()):
        records = g.records(f"-p way{at}x0 all")
        same([n for _, n in numbers(lab.text(r) for r in records)], list(range(count)), way)
        there = g.records(f"-p way{at}x0 far", "b.")
        same([lab.text(r) for r in there], [lab.text(r) for r in records], f"{way}, far")
        same({r["host"] for r in there}, {r["host"] for r in records}, f"{way}, hosts")
    # The other one goes: what comes meanwhile waits, and goes when it is there again.
    g.end("b.")
    g.must("sleep 1")
    g.blast("local", 300, *PRI, "-a", "wait")
    check(g.rings()["all"]["pushed"] == total + 300, "the ring waits for the other host")
    g.start(None, *far, name="b.")
    check(g.until(60, lambda: g.rings("b.")["far"]["pushed"] >= 299), f"far, again: {g.rings('b.')['far']}")
    g.must("sleep 2")
    ns = [n for _, n in numbers(lab.text(r) for r in g.records("-p wait0 far", "b."))]
    # The system takes the first for a connection that the other end has closed (syslogd(8), Losses).
    check(ns in (list(range(300)), list(range(1, 300))), f"far, again: {len(ns)}: {ns[:3]}")
    g.end("b.")
    g.end()


def kernel(g):
    """What the kernel said before it started; then a process that ends by signal 11."""
    device = "/dev/klog"
    if g.os == "netbsd":
        # There mknod(8) does well; on the root of ext2 it loses the number.
        g.must(f"mknod {HERE}/klog c 7 0 && sysctl -w kern.logsigexit=1")
        device = f"{HERE}/klog"
    else:
        g.must("sysctl kern.logsigexit=1")
    g.start("kern.* ring:kern:256K\n*.* ring:all:256K\n", "-s", f"-k {device}")
    check(g.until(10, lambda: g.rings()["kern"]["records"] > 5), "nothing of the boot")
    same({(r["facility"], r["app"]) for r in g.records("kern")}, {("kern", "kernel")}, "who says it")
    said = [lab.text(r) for r in g.records("all") if r["app"] == "syslogd"]
    same(said, [], "what syslogd says at its start")
    same(g.stats()["engine"]["crashes"], 0, "crashes before one")
    said = g.must("{ sh -c 'kill -11 $$'; echo status:$?:; } 2>&1; "
                  "sh -c 'echo pid:$$:; exec sleep 100' & f=$!; sleep 1; kill -11 $f; wait $f; echo status:$?:")
    same(said.count("status:139:"), 2, f"two that end by signal 11: {said}")
    check(g.until(10, lambda: g.stats()["engine"]["crashes"] >= 2), "no record of it")
    g.must("sleep 1")
    same(g.stats()["engine"]["crashes"], 2, "crashes")
    cores = [r for r in g.records("all") if r.get("msgid") == "CORE"]
    same(len(cores), 2, "records of crashes")
    for name, core in zip(("sh", "sleep"), cores):
        check(f'name="{name}"' in core["sd"] and 'signal="11"' in core["sd"] and 'uid="0"' in core["sd"],
              f"the record: {core}")
    pid = said.split("pid:")[1].split(":")[0]
    check(f'pid="{pid}"' in cores[1]["sd"], f"the record of {pid}: {cores[1]}")
    g.end()


def full(g):
    """A disk of 512 KB that is nearly full: the ring goes on, the loss is counted, then lines come again."""
    g.must(f"mkdir {HERE}/disk && mount -t tmpfs -o -s512k tmpfs {HERE}/disk" if g.os == "netbsd" else
           f"mkdir {HERE}/disk && mount -t tmpfs -o size=512k tmpfs {HERE}/disk")
    g.must(f"cat /mnt/logblast >{HERE}/disk/filler 2>/dev/null; [ -s {HERE}/disk/filler ]")
    g.start(f"local0.* ring:all:2M\nsyslog.* ring:own:32K\nlocal0.* {HERE}/disk/file\n")
    g.blast("local", 5000, *PRI)
    same(g.rings()["all"]["pushed"], 5000, "the ring")
    in_order(g.records("-n 1000 all"), "the ring")
    check(g.until(20, lambda: g.records("own")), "nobody says that the disk is full")
    check(len(g.records("own")) < 20, "it says so again and again")
    g.must(f"rm {HERE}/disk/filler")
    # It is tried again after a pause.
    for _ in range(30):
        g.blast("local", 1, *PRI, "-a", "room")
        g.ctl("flush")
        if g.run(f"[ -s {HERE}/disk/file ] && [ $(wc -l <{HERE}/disk/file) -gt 0 ]")[0] == 0:
            break
        g.must("sleep 1")
    else:
        check(False, "no line though there is room")
    g.must("sleep 2")
    g.ctl("flush")
    outputs = [o for o in g.stats()["outputs"] if "disk" in o["name"]]
    same(len(outputs), 1, "outputs")
    total = g.rings()["all"]["pushed"]
    check(outputs[0]["lost"] > 0, f"nothing was lost, so nothing of that is shown: {outputs}")
    same(g.lines("disk/file") + outputs[0]["lost"], total, f"lines and losses: {outputs}")
    g.end()
    g.must(f"umount {HERE}/disk")


def memory(g):
    """Twenty thousand messages, readers and reloads; then as much again three times: no more is resident."""
    g.start(RINGS.replace(f"local0.* {HERE}/file\n", ""))

    def round_of(n):
        g.blast("local", 20_000, "-s", 4, *PRI, "-a", f"round{n}x")
        g.must(f"for i in 1 2 3 4 5; do ctl -n 500 >/dev/null; done; kill -HUP $(cat {HERE}/pid)", 200)
        g.must("sleep 1")
        (parent, _), (worker, _) = g.processes()
        return [int(g.must(f"ps -o rss= -p {pid}").split()[0]) for pid in (parent, worker)]

    first = round_of(0)
    later = [round_of(n) for n in range(1, 4)]
    print(f"# resident, KB, parent and worker: {first}, then {later}", flush=True)
    for who, at in (("parent", 0), ("worker", 1)):
        grown = later[-1][at] - first[at]
        check(grown <= 256, f"the {who} grew by {grown} KB: {first} {later}")
    whole(g.rings()["all"], 80_000, "all")
    g.end()


if __name__ == "__main__":
    main({f.__name__: f for f in (local, reading, killed, reload, network, kernel, full, memory)})
