# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of what goes wrong: killed, disk full, remote dead, readers that stall, files that are damaged."""

import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_peers import rsyslog_in, shown  # noqa: E402
from syslog_scene import LOG, blast, check, lab, main, need_peer, numbers, run, same, say, send, until  # noqa: E402

PORT = 5514


def kept(s, keep):
    folder = s.path("rings")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    return f'set ring-dir {folder}\nset boot-dir {folder}\n*.*\tring:all:4M:keep={keep}\n'


def kill_random(s):
    """Killed at random moments under load, ten times: what was in the ring is there again, without a
    gap, a double or a damaged record; numbers go on."""
    s.start(kept(s, "restart"))
    dice = random.Random(20261129)
    stop = threading.Event()
    counts = []

    def sender():
        while not stop.is_set():
            counts.append(blast(f"unix:{LOG}", 20_000, "-s", 4, "-w", "-r", 40_000)["sent"])

    thread = threading.Thread(target=sender)
    thread.start()
    try:
        for turn in range(10):
            time.sleep(dice.uniform(0.05, 0.5))
            before = lab.rings()["all"]
            s.daemon.kill()
            s.start()
            after = lab.rings()["all"]
            same(after["boot"], before["boot"], f"turn {turn}: the ring's life")
            check(after["next"] >= before["next"], f"turn {turn}: {before} became {after}")
    finally:
        stop.set()
        thread.join()
    records, lost = lab.read("all")
    same(lost, [], "lost")
    seqs = [r["seq"] for r in records]
    same(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "numbers")
    for record in records:
        if record["app"].startswith("blast"):
            numbers([lab.text(record)])
    pushed = lab.rings()["all"]["next"]
    say(f"sent {sum(counts)}, in the ring's life {pushed}; the rest died in the socket with the process")
    # A socket's queue dies with its process: 512 datagrams a kill, and those that each sender has in hand.
    check(pushed + 10 * (512 + 64) >= sum(counts), f"{sum(counts)} sent, {pushed} came in")


def restart(s):
    """Ended and started: the ring with keep=restart goes on, the other begins anew."""
    s.start(kept(s, "restart") + "*.*\tring:plain:1M\n")
    send(*[b"<13>Nov 29 01:02:03 x: before %d" % n for n in range(5)])
    until(5, lambda: lab.rings()["all"]["records"] >= 5)
    before = lab.rings()
    same(s.daemon.end(), 0, "status")
    s.start()
    send(b"<13>Nov 29 01:02:03 x: after")
    check(until(5, lambda: any(lab.text(r) == b"after" for r in lab.read("all")[0])), "after")
    texts = [lab.text(r) for r in lab.read("all")[0] if r["app"] == "x"]
    same(texts, [b"before %d" % n for n in range(5)] + [b"after"], "texts")
    after = lab.rings()
    same(after["all"]["boot"], before["all"]["boot"], "the life of the one that is kept")
    check(after["plain"]["boot"] != before["plain"]["boot"], "the other one has the same life")


def damaged(s):
    """Ring files with bits turned, cut short, empty, of another thing: it starts, and says so."""
    s.start(kept(s, "boot"))
    blast(f"unix:{LOG}", 5000)
    until(5, lambda: lab.rings()["all"]["records"] >= 5000)
    s.daemon.end()
    files = [os.path.join(s.path("rings"), name) for name in os.listdir(s.path("rings"))]
    check(len(files) >= 1, "no file")
    (path,) = [f for f in files if os.path.isfile(f)]
    with open(path, "rb") as f:
        whole = f.read()
    dice = random.Random(7)
    for turn in range(12):
        data = bytearray(whole)
        if turn < 6:
            for _ in range(1 << turn):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        elif turn < 9:
            data = data[:dice.choice((0, 1, 17, 64, 4096, len(data) // 2))]
        elif turn == 9:
            data = bytearray(dice.randbytes(len(data)))
        elif turn == 10:
            data[:64] = dice.randbytes(64)
        else:
            data += b"more"
        with open(path, "wb") as f:
            f.write(data)
        s.start()
        send(b"<13>Nov 29 01:02:03 x: alive")
        check(until(5, lambda: any(lab.text(r) == b"alive" for r in lab.read("all")[0])), f"turn {turn}: nothing comes")
        for record in lab.read("all")[0]:
            if record["app"].startswith("blast"):
                numbers([lab.text(record)])
        same(s.daemon.end(), 0, f"turn {turn}: status")


def disk_full(s):
    """A full disk stops nothing else: rings go on, the loss is told, and once there is room, lines come."""
    disk = s.path("disk")
    os.mkdir(disk)
    run("mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", disk)
    s.start(f"*.*\tring:all:2M\nuser.*\t{disk}/log\n")
    blast(f"unix:{LOG}", 5000)
    check(until(5, lambda: lab.rings()["all"]["pushed"] >= 5000), "the ring stops")
    check(os.statvfs(disk).f_bavail == 0, "the disk is not full")
    found = numbers(lab.text(r) for r in lab.read("all")[0] if r["app"].startswith("blast"))
    same([n for _, n in found], list(range(5000)), "what the ring has")
    check(any(r["facility"] == "syslog" for r in lab.read("all")[0]), "nobody says that the disk is full")
    check(sum(r["facility"] == "syslog" for r in lab.read("all")[0]) < 20, "it says so again and again")
    run("mount", "-o", "remount,size=4m", disk)

    def line_comes():
        send(b"<13>Nov 29 01:02:03 x: there is room")
        time.sleep(0.2)
        with open(f"{disk}/log", "rb") as f:
            return b"there is room" in f.read()

    check(until(15, line_comes), "no line though there is room")
    s.daemon.end()
    run("umount", disk)


def remote_back(s):
    """A remote host that dies and comes back gets what was queued, in order; what did not fit is counted."""
    need_peer("rsyslogd")
    s.start("*.*\tring:all:2M\nuser.*\t" + lab.remote("tcp", "127.0.0.1", PORT) + "\n")
    send(*[b"<13>Nov 29 01:02:03 x: number %d" % n for n in range(50)])
    time.sleep(1)
    out = rsyslog_in(s, "tcp", PORT)
    check(until(40, lambda: len(shown(out)) >= 50), f"{len(shown(out))} of 50 came")
    same([line[-1].strip() for line in shown(out)][:50], [f"number {n}" for n in range(50)], "the order")
    peer = s.running[-1]
    peer.kill()
    time.sleep(0.3)
    # What is written into a connection that is already dead is lost, and nobody can know.
    send(*[b"<13>Nov 29 01:02:03 x: again %d" % n for n in range(50)])
    time.sleep(0.5)
    rsyslog_in(s, "tcp", PORT)
    check(until(40, lambda: any(line[-1].strip() == "again 49" for line in shown(out))), "the last did not come")
    again = [line[-1].strip() for line in shown(out) if "again" in line[-1]]
    same(again, [f"again {n}" for n in range(50 - len(again), 50)], "the order after the pause")
    check(len(again) >= 48, f"{len(again)} of 50 came")


def stalled_reader(s):
    """A follower that does not read for a while costs nobody anything, and is told what it lost."""
    s.start("*.*\tring:all:256K\n")
    with lab.Ctl(timeout=20) as slow, lab.Ctl(timeout=20) as quick:
        slow.send({"op": "read", "ring": "all", "follow": True})
        quick.send({"op": "read", "ring": "all", "follow": True})
        heard = []

        def listen():
            for line in quick.lines():
                if "seq" in line or "lost" in line:
                    heard.append(line)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        memory = s.daemon.memory()["Private"]
        blast(f"unix:{LOG}", 100_000)
        check(until(10, lambda: lab.rings()["all"]["pushed"] >= 100_000), "the stalled reader stops the others")
        check(s.daemon.memory()["Private"] - memory < 1 << 20, "what it does not read is kept for it")
        following(quick=heard, total=100_000)
        got = []
        send(b"<13>Nov 29 01:02:03 end: over")
        for line in slow.lines():
            if "seq" in line or "lost" in line:
                got.append(line)
            if line.get("app") == "end":
                break
        check(accounted(got) >= 100_001, f"{accounted(got)} of 100001 are accounted for")
        check(any("lost" in line for line in got), "it lost nothing in so small a ring")


def following(quick, total):
    check(until(10, lambda: accounted(quick) >= total), f"{accounted(quick)} of {total} are accounted for")


def accounted(lines):
    """Records and told losses; every number must be one or the other."""
    wanted, count = None, 0
    for line in list(lines):
        if "lost" in line:
            check(wanted is None or line["next"] == wanted + line["lost"], f"{line}, but {wanted} was wanted")
            wanted = line["next"]
            count += line["lost"]
        else:
            check(wanted is None or line["seq"] == wanted, f"number {line['seq']}, but {wanted} was wanted")
            wanted = line["seq"] + 1
            count += 1
    return count


def rude_readers(s):
    """Requests that are none, endless lines, readers that go in the middle: the others see nothing."""
    s.start("*.*\tring:all:256K\n")
    blast(f"unix:{LOG}", 2000)
    for junk in (b"\n", b"{}\n", b"{\"op\":\"nothing\"}\n", b"[1,2]\n", b"\xff\xfe\n", b"x" * 3_000_000 + b"\n",
                 b"{" * 100_000 + b"\n", b"{\"op\":\"read\",\"ring\":\"all\",\"from\":-1}\n",
                 b"{\"op\":\"read\",\"ring\":\"all\",\"from\":18446744073709551615}\n",
                 b"{\"op\":\"read\",\"ring\":\"../../etc\"}\n", b"{\"op\":\"resize\",\"ring\":\"all\",\"size\":1}\n",
                 b"{\"op\":\"resize\",\"ring\":\"all\",\"size\":9999999999999999}\n", b"\0" * 100):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as c:
            c.settimeout(5)
            c.connect(lab.CTL)
            try:
                c.sendall(junk)
                c.recv(100)
            except OSError:
                pass
    gone = []
    for _ in range(100):
        c = lab.Ctl()
        c.send({"op": "read", "ring": "all", "follow": True})
        gone.append(c)
    for c in gone:
        c.close()
    check(until(5, lab.ctl_ready), "it does not answer any more")
    found = numbers(lab.text(r) for r in lab.read("all")[0] if r["facility"] == "user")
    same(found[-1], (0, 1999), "the newest in the ring")


if __name__ == "__main__":
    main(globals())
