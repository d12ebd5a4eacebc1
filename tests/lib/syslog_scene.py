# SPDX-License-Identifier: BSD-2-Clause
"""A scene of syslogd: a folder, our daemon with a configuration, and peers; see syslog.subr."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import traceback

import syslog_lab as lab
from syslog_lab import LOG, Process, Skip, Wrong, check, need, need_peer, until

__all__ = ["LOG", "Scene", "Skip", "Wrong", "blast", "check", "lab", "main", "need", "need_peer", "numbers",
           "run", "same", "say", "send", "until"]

NUMBERED = re.compile(rb"source=(\d+) seq=(\d+) ")


def say(words):
    print(f"# {words}", flush=True)


def same(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, wanted {wanted!r}")


def run(*argv, **more):
    """A program to its end; it must succeed."""
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False, **more)
    check(done.returncode == 0, f"{' '.join(map(str, argv))}: {done.returncode}: {done.stderr[-500:]!r}")
    return done.stdout


def send(*packets, path=LOG):
    """Datagrams to the local socket, from one source."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect(path)
        for packet in packets:
            s.send(packet)


def blast(where, count, *options):
    """Numbered messages, as fast as they are taken; what was sent."""
    return json.loads(run(lab.binary("logblast"), "-n", str(count), "-t", "50", *map(str, options), where))


def numbers(texts):
    """(source, seq) of numbered messages."""
    found = []
    for one in texts:
        m = NUMBERED.search(one)
        check(m, f"not a numbered message: {one[:80]!r}")
        found.append((int(m[1]), int(m[2])))
    return found


class Scene:
    """Its folder is in memory and goes away with it."""

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(dir="/run")
        self.dir = self.tmp.name
        os.chmod(self.dir, 0o755)
        self.running = []
        self.daemon = None
        self.args = ()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, words):
        with open(self.path(name), "w") as f:
            f.write(words)
        return self.path(name)

    def start(self, conf=None, *args):
        """Our syslogd; without a configuration with that of before."""
        if conf is not None:
            self.write("syslog.conf", conf)
            self.args = args
        self.daemon = self.spawn("syslogd", *lab.syslogd_argv(self.path("syslog.conf"), *self.args))
        check(until(10, lambda: not self.daemon.alive() or os.path.exists(LOG) and lab.ctl_ready()),
              f"syslogd does not start: {self.daemon.said()[-1500:]}")
        check(self.daemon.alive(), f"syslogd ended: {self.daemon.said()[-1500:]}")
        return self.daemon

    def spawn(self, name, *argv, **more):
        process = Process(list(argv), self.dir, name, **more)
        self.running.append(process)
        return process

    def peer(self, name, *argv):
        return self.spawn(name, "sh", lab.PEER, name, *argv)

    def records(self, ring="all", count=None, seconds=10, **words):
        """The records of a ring, when there are so many; none may be lost."""
        if count is not None:
            until(seconds, lambda: lab.rings()[ring]["records"] >= count)
        records, lost = lab.read(ring, **words)
        same(lost, [], f"lost in {ring}")
        if count is not None:
            same(len(records), count, f"records in {ring}: {[lab.text(r) for r in records[:20]]}")
        return records

    def ctl(self, *argv, fails=False):
        """syslogctl; what it prints."""
        done = subprocess.run([lab.binary("syslogctl"), *map(str, argv)], capture_output=True, timeout=60,
                              check=False, env={**os.environ, "TZ": "UTC"})
        if not fails:
            check(done.returncode == 0, f"syslogctl {argv}: {done.returncode}: {done.stderr!r}")
            return done.stdout.decode()
        check(done.returncode != 0, f"syslogctl {argv} succeeds")
        return done.returncode, done.stderr.decode()

    def close(self):
        for process in reversed(self.running):
            process.end()
        self.tmp.cleanup()


def main(scenes):
    """The scene that the command line names; the last line says how it went."""
    scene = Scene()
    try:
        scenes[sys.argv[1]](scene, *sys.argv[2:])
        if scene.daemon is not None and scene.daemon.alive():
            same(scene.daemon.end(), 0, "syslogd's status at its end")
    except Skip as e:
        print(f"skip: {e}", flush=True)
        sys.exit(77)
    except Exception as e:  # whatever it is, it is told with the logs
        traceback.print_exc()
        for process in scene.running:
            print(f"--- {process.name}\n{process.said()[-3000:]}", flush=True)
        print(f"scene: {e or type(e).__name__}", flush=True)
        sys.exit(1)
    finally:
        try:
            scene.close()
        except Wrong as e:
            print(f"# {e}", flush=True)
