# SPDX-License-Identifier: BSD-2-Clause
"""Run by syslog.sh, in a place where /dev/log is nobody's."""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import syslog_lab as lab  # noqa: E402

UDP_PORT = 5514
BLAST = 120


def ours(folder, size, more=""):
    conf = os.path.join(folder, "syslog.conf")
    with open(conf, "w") as f:
        f.write(f"*.*\tring:all:{size}{more}\n")
    # Looking for the user that a package would have made brings half of systemd into the process.
    return lab.syslogd_argv(conf, "-u", "nobody", *lab.listen_args(udp=UDP_PORT))


def rsyslog(folder, size, tuned):
    """As it comes, into a file in memory; tuned: bigger batches, a template without dates, and no
    file at all."""
    out = "/dev/null" if tuned else os.path.join(folder, "out")
    queue = 'main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="4096")\n'
    form = 'template(name="bare" type="string" string="%rawmsg%\\n")\n'
    conf = os.path.join(folder, "rsyslog.conf")
    with open(conf, "w") as f:
        f.write(f'''module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
{form + queue if tuned else ""}input(type="imuxsock" Socket="{lab.LOG}" RateLimit.Interval="0")
input(type="imudp" Address="127.0.0.1" Port="{UDP_PORT}")
action(type="omfile" file="{out}" {'template="bare"' if tuned else ""})
''')
    return ["sh", lab.PEER, "rsyslogd", "-n", "-i", "NONE", "-f", conf]


# What a record of one of our messages takes in a ring, about.
RECORD = 144


def rsyslog_keep(folder, size):
    """As many messages in its memory as a ring of that size has: a queue whose host is away."""
    conf = os.path.join(folder, "rsyslog.conf")
    most = size // RECORD
    with open(conf, "w") as f:
        f.write(f'''module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{lab.LOG}" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="9" protocol="tcp" action.resumeRetryCount="-1"
       queue.type="LinkedList" queue.size="{most}" queue.timeoutEnqueue="0")
''')
    return ["sh", lab.PEER, "rsyslogd", "-n", "-i", "NONE", "-f", conf]


def busybox(folder, size):
    return ["sh", lab.PEER, "syslogd", "-n", f"-C{size >> 10}"]


class Daemon:
    """One of those that are compared, running."""

    def __init__(self, kind, folder, size, core):
        self.kind, self.folder = kind, folder
        self.out = os.path.join(folder, "out")
        for path in (self.out, lab.LOG):
            if os.path.lexists(path):
                os.unlink(path)
        argv = {
            "ours": lambda: ours(folder, size),
            "ours-pack": lambda: ours(folder, size, ":pack=lz4"),
            "rsyslog": lambda: rsyslog(folder, size, False),
            "rsyslog-null": lambda: rsyslog(folder, size, True),
            "rsyslog-keep": lambda: rsyslog_keep(folder, size),
            "busybox": lambda: busybox(folder, size),
        }[kind]()
        self.process = lab.Process(argv, folder, kind, core=core)
        if not lab.until(10, self.answers):
            raise lab.Wrong(f"{kind} does not start: {self.process.said()[-2000:]}")

    def answers(self):
        if not self.process.alive() or not os.path.exists(lab.LOG):
            return False
        return not self.kind.startswith("ours") or lab.ctl_ready()

    def received(self):
        """How many it has kept or dropped since it started; None where it cannot say."""
        if self.kind.startswith("ours"):
            return lab.pushed("all")
        if self.kind == "rsyslog":
            try:
                out = subprocess.run(["grep", "-c", "source=", self.out], capture_output=True)
                return int(out.stdout or 0)
            except OSError:
                return 0
        return None

    def follower(self):
        if self.kind.startswith("ours"):
            return [lab.binary("syslogctl"), *lab.ctl_args(), "read", "-f", "-n", "0", "all"]
        if self.kind == "busybox":
            return ["sh", lab.PEER, "logread", "-f"]
        return ["tail", "-n", "0", "-f", self.out]

    def end(self):
        self.process.end(20)


def rest(daemon, seconds=30):
    """Waits until it has done all; when that was, and its processor time then."""
    end = time.monotonic() + seconds
    last = daemon.process.cpu()
    since = time.monotonic()
    while time.monotonic() < end:
        time.sleep(0.02)
        now = daemon.process.cpu()
        if now[1] - last[1] > 0.002:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 0.4:
            return since, daemon.process.cpu()
    raise lab.Wrong(f"{daemon.kind} does not come to rest")


def flood(daemon, args, where, sources, core, rate=0, together=1):
    """One flood: a row of figures."""
    before = daemon.received() or 0
    _, cpu = rest(daemon)
    start = time.monotonic()
    out = subprocess.run(
        ["taskset", "-c", str(core), lab.binary("logblast"), "-n", str(args.count),
         "-s", str(sources), "-l", str(BLAST), "-t", "60", "-r", str(rate), "-g", str(together), where],
        capture_output=True, text=True, check=True)
    sent = json.loads(out.stdout)
    stop, spent = rest(daemon)
    got = daemon.received()
    # What cannot count them blocks the sender until it has taken each.
    received = sent["sent"] if got is None else got - before
    seconds = max(stop, start + sent["seconds"]) - start
    return {
        "sent": sent["sent"],
        "received": received,
        "lost": sent["sent"] - received,
        "rate": received / seconds,
        "cpu_us": (spent[1] - cpu[1]) * 1e6 / max(received, 1),
        "cpu_us_ticks": (spent[0] - cpu[0]) * 1e6 / max(received, 1),
        "cpu_rate": received / max(spent[1] - cpu[1], 1e-9),
    }


def latency(daemon, args):
    """From the send to the line at a follower, in milliseconds."""
    samples, seen = {}, []
    ready = threading.Event()
    done = threading.Event()
    follow = subprocess.Popen(daemon.follower(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def reader():
        for line in follow.stdout:
            now = time.monotonic()
            ready.set()
            at = line.find(b"probe=")
            if at >= 0:
                number = int(line[at + 6:].split()[0])
                if number in samples:
                    seen.append((now - samples[number]) * 1e3)
                    if len(seen) == args.probes:
                        done.set()

    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(lab.LOG)
    hurry = random.Random(5)
    try:
        # Until it follows: what is sent before is no sample.
        for number in range(100):
            # Each another, or they are repeats.
            sender.send(b"<13>Nov 29 01:02:03 probe[1]: hello %d" % number)
            if ready.wait(0.1):
                break
        else:
            raise lab.Wrong(f"{daemon.kind}: the follower shows nothing")
        time.sleep(0.3)
        for number in range(args.probes):
            time.sleep(hurry.uniform(0.002, 0.02))
            samples[number] = time.monotonic()
            sender.send(b"<13>Nov 29 01:02:03 probe[1]: probe=%d x" % number)
        done.wait(5)
    finally:
        sender.close()
        follow.kill()
        follow.wait()
        thread.join()
    if not seen:
        raise lab.Wrong(f"{daemon.kind}: the follower saw no probe")
    seen.sort()
    return {
        "median_ms": statistics.median(seen),
        "p99_ms": seen[min(len(seen) - 1, len(seen) * 99 // 100)],
        "unseen": args.probes - len(seen),
    }


def measure(kind, size, args, folder):
    """One round of one daemon."""
    daemon = Daemon(kind, folder, size, args.cores[0])
    try:
        idle = daemon.process.memory()
        row = {}
        if kind == "rsyslog-keep":
            # It throws the newest away then, so how fast it does that says nothing.
            flood(daemon, args, f"unix:{lab.LOG}", 1, args.cores[1])
            return {"memory": {"idle": idle, "full": daemon.process.memory()}}
        row["unix1"] = flood(daemon, args, f"unix:{lab.LOG}", 1, args.cores[1])
        row["unix8"] = flood(daemon, args, f"unix:{lab.LOG}", 8, args.cores[1])
        if kind in ("ours", "ours-pack", "rsyslog"):
            row["udp"] = flood(daemon, args, f"udp:127.0.0.1:{UDP_PORT}", 1, args.cores[1])
            # More than it can take: what comes through is what it takes.
            row["udpfull"] = flood(daemon, args, f"udp:127.0.0.1:{UDP_PORT}", 1, args.cores[1], together=32)
        row["memory"] = {"idle": idle, "full": daemon.process.memory()}
        if kind.startswith("ours"):
            row["budget"] = lab.budget("all")
            if row["budget"]["used"] > size:
                raise lab.Wrong(f"over budget: {row['budget']}")
        if kind != "rsyslog-null":
            row["follow"] = latency(daemon, args)
        return row
    finally:
        daemon.end()
        if os.path.exists(daemon.out):
            os.unlink(daemon.out)


def median(rows, *path):
    values = []
    for row in rows:
        for key in path:
            row = row.get(key, {}) if isinstance(row, dict) else {}
        if isinstance(row, (int, float)):
            values.append(row)
    return statistics.median(values) if values else None


def table(results, sizes):
    """For people: a line for each daemon and size."""
    def cell(value, form, scale=1.0):
        return "-" if value is None else format(value / scale, form)

    heads = ["", "ring", "unix k/s", "us cpu", "8 src k/s", "us cpu", "udp k/s", "us cpu", "lost %",
             "full k/s", "us cpu", "lost %",
             "kept", "PSS KB", "of it data", "RSS KB", "follow ms", "p99"]
    lines = [heads]
    for (kind, size), rows in results.items():
        share = [None, None]
        for at, name in enumerate(("udp", "udpfull")):
            lost, sent = median(rows, name, "lost"), median(rows, name, "sent")
            share[at] = None if lost is None else 100 * lost / sent
        lines.append([
            kind, "-" if kind in ("rsyslog", "rsyslog-null") else f"{size >> 20}M",
            cell(median(rows, "unix1", "rate"), ".0f", 1e3), cell(median(rows, "unix1", "cpu_us"), ".2f"),
            cell(median(rows, "unix8", "rate"), ".0f", 1e3), cell(median(rows, "unix8", "cpu_us"), ".2f"),
            cell(median(rows, "udp", "rate"), ".0f", 1e3), cell(median(rows, "udp", "cpu_us"), ".2f"),
            cell(share[0], ".1f"),
            cell(median(rows, "udpfull", "rate"), ".0f", 1e3), cell(median(rows, "udpfull", "cpu_us"), ".2f"),
            cell(share[1], ".1f"),
            cell(median(rows, "budget", "records"), ".0f"),
            cell(median(rows, "memory", "full", "Pss"), ".0f", 1024),
            cell(median(rows, "memory", "full", "Data"), ".0f", 1024),
            cell(median(rows, "memory", "full", "Rss"), ".0f", 1024),
            cell(median(rows, "follow", "median_ms"), ".2f"), cell(median(rows, "follow", "p99_ms"), ".2f"),
        ])
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        print("  ".join(word.ljust(w) if i == 0 else word.rjust(w)
                        for i, (word, w) in enumerate(zip(line, widths))).rstrip())


def goals(results, sizes):
    """Ours over rsyslog's: the rate and the memory; None without both."""
    found = {}
    for size in sizes:
        us = results.get(("ours", size))
        if not us:
            continue
        for kind in ("rsyslog", "rsyslog-null", "rsyslog-keep"):
            them = results.get((kind, size if kind == "rsyslog-keep" else sizes[0]))
            if not them:
                continue
            for row in ("unix1", "unix8", "udp", "udpfull"):
                for key in ("rate", "cpu_rate"):
                    a, b = median(us, row, key), median(them, row, key)
                    if a and b:
                        found[f"{size >> 20}M {row} {key} / {kind}"] = a / b
            for key, name in (("Pss", "memory"), ("Data", "memory without code")):
                a, b = median(us, "memory", "full", key), median(them, "memory", "full", key)
                if a and b:
                    found[f"{size >> 20}M {name} / {kind}"] = a / b
    return found


def main():
    parser = argparse.ArgumentParser(prog="syslog.sh", description="syslogds beside each other")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-n", "--count", type=int, default=300_000, help="messages of a flood")
    parser.add_argument("--probes", type=int, default=200, help="messages that a follower is timed by")
    parser.add_argument("--sizes", default="1,16", help="MB of a ring, by commas")
    parser.add_argument("--cores", default="0,1", help="of the daemon, of the sender")
    parser.add_argument("-v", "--variants", default="ours ours-pack rsyslog rsyslog-null rsyslog-keep busybox")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="to FILE, or instead of the table")
    args = parser.parse_args()
    args.cores = [int(core) for core in args.cores.split(",")]
    if not 1 <= args.rounds <= 50 or not 1000 <= args.count <= 10_000_000:
        parser.error("rounds are 1..50, messages 1000..10000000")
    sizes = [int(size) << 20 for size in args.sizes.split(",")]
    plan = []
    for kind in args.variants.split():
        if kind.startswith("rsyslog"):
            lab.need_peer("rsyslogd")
        elif kind == "busybox":
            lab.need_peer("syslogd")
        # rsyslog has no ring whose size could be chosen.
        plan += [(kind, size) for size in (sizes[:1] if kind in ("rsyslog", "rsyslog-null") else sizes)]
    results = {key: [] for key in plan}
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        for number in range(args.rounds):
            # A slow minute of the machine shall not meet always the same.
            for key in plan if number % 2 == 0 else plan[::-1]:
                print(f"# round {number + 1} of {args.rounds}: {key[0]} {key[1] >> 20}M", file=sys.stderr)
                results[key].append(measure(*key, args, folder))
    ratios = goals(results, sizes)
    report = {"message_bytes": BLAST, "count": args.count, "ratios": ratios,
              "rows": [{"daemon": k, "ring": s, "rounds": rows} for (k, s), rows in results.items()]}
    if args.json != "-":
        table(results, sizes)
        for name, ratio in ratios.items():
            print(f"{name}: {ratio:.2f}")
    if args.json:
        with (sys.stdout if args.json == "-" else open(args.json, "w")) as f:
            json.dump(report, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    try:
        main()
    except lab.Skip as e:
        print(f"bench: {e}", file=sys.stderr)
        sys.exit(1)
    except lab.Wrong as e:
        print(f"bench: {e}", file=sys.stderr)
        sys.exit(1)
