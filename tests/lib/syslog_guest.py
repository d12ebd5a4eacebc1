# SPDX-License-Identifier: BSD-2-Clause
"""syslogd in a virtual machine: started, asked and ended by commands typed on its console. What they
print is judged here."""

import json
import re
import sys
import time
import traceback

from console import Console
from syslog_lab import Skip, Wrong, check

HERE = "/tmp/g"
# What a guest has beside what the modules' tests want; to be told by name if it is not there.
PROGRAMS = ("umount", "mkdir", "rm", "sleep", "ps")
WORKER = 77


class Guest:
    """The machine, and the shell on its console; all is below a folder in memory."""

    def __init__(self, os, socket, log):
        self.os, self.socket, self.log = os, socket, log
        disk = {"netbsd": "ext2fs -o ro /dev/ld1d", "freebsd": "ext2fs -o ro /dev/vtbd1"}[os]
        for program in PROGRAMS:
            if self.run(f"command -v {program} >/dev/null")[0] != 0:
                raise Skip(f"the guest has no {program}")
        self.must(f"mount -t {disk} /mnt")
        self.must(f"mkdir -p {HERE} && mount -t tmpfs tmpfs {HERE} && mkdir {HERE}/jail {HERE}/rings "
                  f"&& mount -t tmpfs tmpfs {HERE}/jail")
        # What is typed again and again; the shell stays.
        self.must(f"ctl() {{ /mnt/syslogctl -s {HERE}/${{N-}}ctl \"$@\"; }}; blast() {{ /mnt/logblast \"$@\"; }}")

    def run(self, command, seconds=90):
        return Console(self.socket, self.log, seconds).run(command)

    def must(self, command, seconds=90):
        """What a command says, that must go well."""
        status, words = self.run(command, seconds)
        check(status == 0, f"in the guest: {command}: {status}: {words[-600:]}")
        return words

    def until(self, seconds, what):
        """True as soon as what() is; False after so many seconds."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True

    def write(self, name, words):
        """A file, typed; no longer than its folder has room."""
        self.must(f"cat >{HERE}/{name} <<'end-of-file'\n{words.rstrip()}\nend-of-file\n"
                  f"[ $(wc -c <{HERE}/{name}) -eq {len(words.rstrip()) + 1} ]")

    def start(self, conf=None, *args, name=""):
        """A syslogd, in the background as at boot; `name` tells a second one from the first."""
        if conf is not None:
            self.write(f"{name}conf", conf)
        here = f"{HERE}/{name}"
        words = " ".join(args or ("-s", "-k ''"))
        self.must(f"/mnt/syslogd -f {here}conf --pidfile {here}pid -S {here}ctl -p {here}log "
                  f"-t {HERE}/jail -u {WORKER}:{WORKER} --hostname guest {words} >{here}said 2>&1 "
                  f"|| {{ cat {here}said; false; }}")
        self.ready(name)

    def ready(self, name=""):
        check(self.until(20, lambda: self.run(f"N={name} ctl rings >/dev/null 2>&1")[0] == 0),
              f"{name}syslogd does not answer")

    def ctl(self, words, name="", seconds=90):
        return self.must(f"N={name} ctl {words}", seconds)

    def answer(self, words, name=""):
        """One answer in JSON, wherever it stands between what the kernel says."""
        said = self.ctl(f"--json {words}", name)
        return json.loads(said[said.index("{"):said.rindex("}") + 1])

    def rings(self, name=""):
        return {ring["name"]: ring for ring in self.answer("rings", name)["rings"]}

    def stats(self, name=""):
        return self.answer("stats", name)

    def records(self, words, name=""):
        """Records that syslogctl shows; none may be lost."""
        lines = [json.loads(line) for line in self.ctl(f"--json {words}", name, 300).splitlines()
                 if line.startswith("{")]
        check(all("lost" not in line for line in lines), f"lost: {[line for line in lines if 'lost' in line]}")
        return [line for line in lines if "seq" in line]

    def blast(self, where, count, *options):
        """Numbered messages; all must be taken."""
        where = f"unix:{HERE}/log" if where == "local" else where
        said = self.must(f"blast -n {count} -t 200 {' '.join(map(str, options))} {where}", 300)
        done = json.loads(said[said.index("{"):said.rindex("}") + 1])
        check(done["sent"] == count, f"{count} messages to {where}: {done}")

    def lines(self, name):
        return int(self.must(f"wc -l <{HERE}/{name}").split()[0])

    def processes(self, name=""):
        """The parent and its worker: (pid, user)."""
        parent = int(self.must(f"cat {HERE}/{name}pid").split()[0])
        found = {}
        for line in self.must("ps -axo pid,ppid,uid").splitlines():
            if re.fullmatch(r"\s*\d+\s+\d+\s+\d+\s*", line):
                pid, ppid, uid = map(int, line.split())
                if pid == parent or ppid == parent:
                    found[pid] = uid
        check(parent in found, f"no process {parent}")
        workers = [(pid, uid) for pid, uid in found.items() if pid != parent]
        check(len(workers) <= 1, f"several workers: {workers}")
        return (parent, found[parent]), workers[0] if workers else None

    def syslogds(self):
        """The processes of ours that there are."""
        return [line for line in self.must("ps -axo pid,command").splitlines() if "syslogd" in line]

    def end(self, name=""):
        """By TERM; nothing may be left of it."""
        (parent, _), _ = self.processes(name)
        self.must(f"kill {parent}")
        check(self.until(20, lambda: self.run(f"kill -0 {parent} 2>/dev/null")[0] != 0), "it does not end")
        left = [f for f in ("pid", "ctl", "log") if self.run(f"[ -e {HERE}/{name}{f} ]")[0] == 0]
        check(left == [], f"left behind: {left}")

    def gone(self):
        """When all have ended: no process, and nobody's root is the jail."""
        check(self.syslogds() == [], f"left behind: {self.syslogds()}")
        self.must(f"umount {HERE}/jail")


def main(scenes):
    """console OS SOCKET LOG SCENE: plays it; the last line says how it went."""
    os, socket, log, name = sys.argv[1:5]
    try:
        guest = Guest(os, socket, log)
        scenes[name](guest)
        guest.gone()
    except Skip as e:
        print(f"skip: {e}", flush=True)
        sys.exit(77)
    except SystemExit as e:  # the console is gone, or silent
        print(f"scene: console: status {e.code}", flush=True)
        sys.exit(1)
    except Exception as e:  # whatever it is, it is told
        traceback.print_exc()
        print(f"scene: {e or type(e).__name__}", flush=True)
        sys.exit(1)


__all__ = ["HERE", "WORKER", "Guest", "Skip", "Wrong", "check", "main"]
