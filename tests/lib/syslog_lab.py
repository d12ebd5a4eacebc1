# SPDX-License-Identifier: BSD-2-Clause
"""What benchmarks and cases of syslogd share: daemons started and ended, what they cost, and the
control socket spoken as its man page has it. Run below syslog_ns.sh: /dev/log is ours there."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time

LIB = os.path.dirname(os.path.abspath(__file__))
PEER = os.path.join(LIB, "syslog_peer.sh")
LOG = "/dev/log"
CTL = "/run/syslogd.sock"
TICK = os.sysconf("SC_CLK_TCK")


class Skip(Exception):
    """This machine lacks something: its text says what."""


class Wrong(Exception):
    """The case has failed: its text says why."""


def check(condition, text):
    if not condition:
        raise Wrong(text)


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"program {program} is not installed")


def need_peer(name):
    if subprocess.call(["sh", PEER, "have", name]) != 0:
        raise Skip(f"program {name} is not there: ./build.sh setup syslog")


def binary(name):
    """A program of ours, or of the benchmarks."""
    folder = os.environ.get("ROPEWALK_BIN")
    if not folder:
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(LIB, "../../target"))
        folder = os.path.join(target, "release")
    path = os.path.join(folder, name)
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not built")
    return path


def until(seconds, what):
    """True as soon as what() is true; False after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        if what():
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)


def children(pid):
    """The process and all below it."""
    found = [pid]
    for one in found:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as f:
                    found += [int(word) for word in f.read().split()]
        except OSError:
            pass
    return found


class Process:
    """A program in the background; its output in a file."""

    def __init__(self, argv, folder, name, core=None, stdout=None, env=None):
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        if core is not None:
            argv = ["taskset", "-c", str(core), *argv]
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                env={**os.environ, **(env or {})})
        self.pid = self.child.pid

    def pids(self):
        return children(self.pid)

    def alive(self):
        return self.child.poll() is None

    def said(self):
        with open(self.log, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def kill(self):
        """As kill -9 does it, the whole family at once."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self.child.wait(10)

    def end(self, seconds=5):
        """By TERM; its status."""
        if self.alive():
            self.child.terminate()
            try:
                return self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Wrong(f"{self.name} does not end") from None
        return self.child.returncode

    def cpu(self):
        """Seconds of processor time so far: the ticks of stat, and the finer schedstat."""
        ticks, fine = 0, 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    words = f.read().rsplit(")", 1)[1].split()
                ticks += int(words[11]) + int(words[12])
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                        fine += int(f.read().split()[0])
            except OSError:
                pass
        return ticks / TICK, fine / 1e9

    def memory(self):
        """Bytes now: proportional share, and that without the code; resident, private; the peak of resident;
        and what was asked for, touched or not."""
        sums = {"Pss": 0, "Data": 0, "Rss": 0, "Private": 0, "VmHWM": 0, "VmData": 0}
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                for line in f:
                    key, _, rest = line.partition(":")
                    key = "Private" if key.startswith("Private") else key
                    key = "Data" if key in ("Pss_Anon", "Pss_Shmem") else key
                    if key in sums:
                        sums[key] += int(rest.split()[0]) * 1024
            with open(f"/proc/{pid}/status") as f:
                for line in f:
                    if line.startswith(("VmHWM", "VmData")):
                        sums[line.split(":")[0]] += int(line.split()[1]) * 1024
        return sums


class Ctl:
    """The control socket: lines of JSON both ways."""

    def __init__(self, path=CTL, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.rest = b""

    def send(self, request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def line(self):
        """The next line, or None where there are no more."""
        while b"\n" not in self.rest:
            more = self.socket.recv(1 << 16)
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def lines(self):
        while True:
            line = self.line()
            if line is None:
                return
            yield line

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def syslogd_argv(conf, *args):
    """How ours is started: in the foreground, without the machine's kernel messages, and deaf to the
    network unless it says otherwise."""
    if not args:
        args = ("-s",)
    return [binary("syslogd"), "-F", "-k", "", "-f", conf, *args]


def ctl_ready():
    try:
        with Ctl(timeout=2) as ctl:
            ctl.send({"op": "ping"})
            return ctl.line() is not None
    except OSError:
        return False


def ask(op, **words):
    """One request; its last line, which says how it went."""
    with Ctl() as ctl:
        ctl.send({"op": op, **words})
        last = None
        for line in ctl.lines():
            last = line
            if "hello" not in line:
                break
    check(last is not None, f"{op}: no answer")
    check("error" not in last, f"{op}: {last}")
    return last


def rings():
    """What there is, by name."""
    return {ring["name"]: ring for ring in ask("rings")["rings"]}


def read(ring, **words):
    """All records of a ring that are wanted: the records, and what was lost, as lines."""
    records, lost = [], []
    with Ctl(timeout=30) as ctl:
        ctl.send({"op": "read", "ring": ring, **words})
        for line in ctl.lines():
            if "lost" in line:
                lost.append(line)
            elif "seq" in line:
                records.append(line)
            elif "end" in line:
                return records, lost
            elif "error" in line:
                raise Wrong(f"read {ring}: {line}")
    raise Wrong(f"read {ring}: it broke off")


def text(record):
    """The bytes of a record's message."""
    return base64.b64decode(record["raw"]) if "raw" in record else record["text"].encode()


def listen_args(udp=None, tcp=None):
    """Doors to the network on both loopback addresses."""
    args = []
    for address in ("127.0.0.1", "[::1]"):
        if udp:
            args += ["-b", f"{address}:{udp}"]
        if tcp:
            args += ["--tcp", f"{address}:{tcp}"]
    return args or ["-s"]


def remote(transport, host, port):
    """The action that sends there."""
    return {
        "udp": f"@udp://{host}:{port}",
        "tcp": f"@tcp://{host}:{port}",
        "octets": f"@tcp://{host}:{port} (framing=octets, format=rfc5424)",
        "tls": f"@tls://{host}:{port}",
    }[transport]


def pushed(ring):
    return rings()[ring]["pushed"]


def budget(ring):
    state = rings()[ring]
    return {"used": state["used"], "size": state["size"], "records": state["records"]}


def ctl_args():
    return ["--socket", CTL]
