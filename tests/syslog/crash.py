# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of corelog: cores that kernels wrote, what gdb finds in them, damage, and a kernel's own pipe."""

import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from syslog_scene import Skip, check, lab, main, need, run, same, say, until  # noqa: E402

HOWS = {"segv": 11, "abort": 6, "overflow": 11, "nowhere": 11, "handler": 11, "thread": 11}
SHAPES = {"plain": (), "static": ("-static",), "stripped": ("-s",)}
NOBODY = 65534


def build(s, name, *flags):
    need("cc")
    path = s.path(name)
    run("cc", "-O1", *flags, "-o", path, os.path.join(HERE, "crash.c"), "-lpthread")
    return path


def core(s, program, how):
    """The core that this machine's kernel writes."""
    with open("/proc/sys/kernel/core_pattern") as f:
        if "/" in f.read():
            raise Skip("kernel.core_pattern is no name in the process's folder, and it is all systems' here")
    folder = tempfile.mkdtemp(dir=s.dir)

    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.RLIM_INFINITY))
    status = subprocess.run([program, how], cwd=folder, preexec_fn=limit, timeout=20, check=False).returncode
    same(status, -HOWS[how], f"{how}: status")
    (name,) = os.listdir(folder)
    return os.path.join(folder, name)


def corelog(*argv, **more):
    return run(lab.binary("corelog"), *argv, **more)


def told(path, pipe):
    """What corelog says of a core, as JSON."""
    if not pipe:
        return json.loads(corelog("-n", "--json", path))
    cat = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    try:
        return json.loads(corelog("-n", "--json", "-u", str(os.stat(path).st_uid), stdin=cat.stdout))
    finally:
        cat.stdout.close()
        same(cat.wait(10), 0, "the core was not read to its end")


def gdb(program, path):
    """gdb's frames of it: without debugging information, so that none is made up of inlined ones."""
    out = run("gdb", "-q", "-nx", "-batch", "-iex", "set debug-file-directory /nonexistent", "-iex",
              "set debuginfod enabled off", "-ex", "set backtrace past-main on", "-ex", "set backtrace limit 32",
              "-ex", "bt -frame-info location-and-address", program, path).decode()
    frames = re.findall(r"^#(\d+) +(?:(0x[0-9a-f]+) in|<signal handler (called)>)", out, re.M)
    # The first one is also told when the core is loaded.
    start = max(i for i, f in enumerate(frames) if f[0] == "0")
    return [None if f[2] else int(f[1], 16) for f in frames[start:]]


def agrees(s):
    """Six ways to crash, three kinds of programs: each frame is where gdb finds it, by file and by pipe."""
    need("gdb", "cc")
    for shape, flags in SHAPES.items():
        program = build(s, shape, *flags)
        for how, signal in HOWS.items():
            path = core(s, program, how)
            ours = told(path, False)
            piped = told(path, True)
            same(piped, ours, f"{shape} {how}: by the pipe")
            same((ours["name"], ours["signal"], ours["threads"]), (shape, signal, 3 if how == "thread" else 1),
                 f"{shape} {how}")
            theirs = gdb(program, path)
            mine = [int(f["pc"], 16) for f in ours["frames"]]
            check(len(mine) >= (32 if how == "overflow" else 4), f"{shape} {how}: only {len(mine)} frames")
            same(len(mine), len(theirs), f"{shape} {how}: frames")
            for n, (a, b) in enumerate(zip(mine, theirs)):
                check(b in (None, a), f"{shape} {how}: frame {n} at {a:#x}, gdb has {b or 0:#x}")
            names = [f.get("symbol") for f in ours["frames"]]
            wanted = {"segv": ["inner", "outer", "main"], "abort": ["give_up", "main"], "overflow": ["deep"] * 32,
                      "nowhere": ["main"], "handler": ["inner", "outer", "handler", "main"],
                      "thread": ["inner", "outer", "thread"]}[how]
            if shape != "stripped":
                same([n for n in names if n in wanted], wanted, f"{shape} {how}: names")
            if how in ("segv", "thread"):
                same(ours["addr"], "0x10", f"{shape} {how}: address")
            say(f"{shape} {how}: {len(mine)} frames, as gdb")
            os.unlink(path)


def to_syslogd(s):
    """A core becomes one record of syslogd's, in the form that those of kernel messages have, and is gone."""
    s.start("*.*\tring:all:1M\n")
    program = build(s, "a prog]")
    path = core(s, program, "segv")
    # Whose core it was reads it: from here on without any rights.
    os.chmod(os.path.dirname(path), 0o755)
    os.chown(path, NOBODY, NOBODY)
    before = time.time()
    corelog("-d", path)
    check(not os.path.exists(path), "the core is still there")
    def mine():
        return [r for r in lab.read("all")[0] if r.get("app") == "corelog"]

    check(until(10, mine), "no record")
    (record,) = mine()
    same((record["facility"], record["severity"], record["msgid"]), ("syslog", "crit", "CORE"), "the head")
    sd = record["sd"]
    form = (r'^\[core name="a prog\?" pid="\d+" signal="11" signame="SIGSEGV" uid="65534" pc="0x[0-9a-f]+" addr="0x10" '
            r'sp="0x[0-9a-f]+" object="[^"]+" threads="1" backtrace="(\S+\+0x[0-9a-f]+\(inner\+0x[0-9a-f]+\) [^"]+)"\]$')
    found = re.match(form, sd)
    check(found, f"structured data: {sd}")
    check("(outer+" in found[1] and "(main+" in found[1], f"frames: {found[1]}")
    check(lab.text(record).startswith(b"a prog?["), lab.text(record))
    check(time.time() - before < 30, "it took long")
    # What the one that crashed could not read is not read for it.
    path = core(s, program, "segv")
    os.chmod(program, 0o700)
    for owner, named in ((0, True), (NOBODY, False)):
        os.chown(path, owner, owner)
        for pipe in (False, True):
            ours = told(path, pipe)
            same(any(f.get("symbol") == "main" for f in ours["frames"]), named, f"names, read by {owner}")
    os.chmod(program, 0o755)
    os.unlink(path)
    # Another file of that name is there now: nothing of it is taken for what ran.
    path = core(s, program, "segv")
    build(s, "a prog]", "-O0", "-g", "-Wl,--build-id=0x1234")
    ours = told(path, False)
    taken = [f for f in ours["frames"] if f.get("module", "").startswith("a") and "symbol" in f]
    same(taken, [], "names of another file")


def damage(s):
    """Cores that are cut, or whose bits are turned: it ends in time, and says at least what it was told."""
    program = build(s, "plain")
    path = core(s, program, "thread")
    with open(path, "rb") as f:
        whole = f.read()
    dice = random.Random(5)
    told_all = 0
    for turn in range(120):
        data = bytearray(whole)
        if turn < 30:
            data = data[:dice.choice((0, 1, 63, 64, 500, 4000, dice.randrange(len(data))))]
        else:
            # Where headers and notes are.
            for _ in range(1 << dice.randrange(8)):
                data[dice.randrange(12000)] ^= 1 << dice.randrange(8)
        start = time.monotonic()
        done = subprocess.run([lab.binary("corelog"), "-n", "-p", "77", "-u", "0", "-s", "11", "-e", "-x"],
                              input=bytes(data), capture_output=True, timeout=70, check=False)
        same(done.returncode, 0, f"turn {turn}: {done.stderr[-300:]!r}")
        check(done.stdout.startswith(b'[core name="-x" pid="77" signal="11"'), f"turn {turn}: {done.stdout[:200]!r}")
        check(b"usr.sbin/corelog" not in done.stderr, f"turn {turn}: {done.stderr[:300]!r}")
        check(time.monotonic() - start < 20, f"turn {turn}: it took {time.monotonic() - start:.1f} s")
        told_all += b"backtrace=" in done.stdout
    say(f"{told_all} of 120 with a back-trace")
    check(0 < told_all < 120, "the damage makes no difference")
    # The program's file, behind the begin by which it is known.
    path = s.write("core", "")
    with open(path, "wb") as f:
        f.write(whole)
    with open(program, "rb") as f:
        right = f.read()
    others = set()
    for turn in range(80):
        data = bytearray(right)
        for _ in range(1 << dice.randrange(12)):
            data[dice.randrange(1024, len(data))] ^= 1 << dice.randrange(8)
        if turn % 8 == 0:
            data = data[:dice.randrange(1024, len(data))]
        with open(program, "wb") as f:
            f.write(data)
        start = time.monotonic()
        done = subprocess.run([lab.binary("corelog"), "-n", path], capture_output=True, timeout=70, check=False)
        # A library's arithmetic may overflow, which a build for debugging does not let pass; ours may not.
        same(done.returncode, 0, f"program, turn {turn}: {done.stderr[-300:]!r}")
        check(b"usr.sbin/corelog" not in done.stderr, f"program, turn {turn}: {done.stderr[:300]!r}")
        check(b'signal="11"' in done.stdout and b'pc="0x' in done.stdout, f"program, turn {turn}: {done.stdout!r}")
        check(time.monotonic() - start < 20, f"program, turn {turn}: it took {time.monotonic() - start:.1f} s")
        others.add(done.stdout)
    say(f"{len(others)} different records of 80 damaged programs")
    check(len(others) > 10, "the damage of the program makes no difference")


JOB = """
[ -c /dev/null ] || mount -t devtmpfs none /dev
{bin}/syslogd {argv} >/run/syslogd.log 2>&1 &
for n in 1 2 3 4 5 6 7 8 9 10; do [ -S /dev/log ] && break; sleep 0.3; done
echo '|{bin}/corelog -p %P -u %u -g %g -s %s -t %t -e %e' >/proc/sys/kernel/core_pattern
cd /
for how in {hows}; do {program} $how; echo "status $how $?"; done
sleep 1
{bin}/syslogctl --json read all >/run/records || cat /run/syslogd.log
sed 's/^/record /' /run/records
"""


def uml(s):
    """A kernel of its own, whose core_pattern is this program: its pipe, its arguments, its crashes."""
    need("linux.uml", "cc")
    if os.uname().machine != "x86_64":
        raise Skip(f"user-mode-linux: not on {os.uname().machine}")
    # What the guest sees of this machine is not below /run.
    with tempfile.TemporaryDirectory(dir=os.environ.get("RW_STATE", "/tmp")) as folder:
        os.chmod(folder, 0o755)
        os.mkdir(os.path.join(folder, "jobs"))
        program = os.path.join(folder, "crash")
        run("cp", build(s, "crash"), program)
        run("cc", "-O2", "-shared", "-fPIC", "-o", os.path.join(folder, "shim.so"), os.path.join(lab.LIB, "xsave_shim.c"),
            "-ldl")
        conf = os.path.join(folder, "syslog.conf")
        with open(conf, "w") as f:
            f.write("*.*\tring:all:1M\n")
        with open(os.path.join(folder, "job"), "w") as f:
            f.write(JOB.format(bin=os.path.dirname(lab.binary("corelog")), program=program, hows=" ".join(HOWS),
                               argv=f"-F -k '' -f {conf} -s"))
        env = {**os.environ, "LD_PRELOAD": os.path.join(folder, "shim.so"), "TMPDIR": "/dev/shm"}
        guest = s.spawn("uml", "linux.uml", f"umid=c{os.getpid()}", f"uml_dir={folder}/", "mem=160M", "root=/dev/root",
                        "rootfstype=hostfs", "rootflags=/", "ro", f"init={lab.LIB}/uml_init.sh", "con=null",
                        "con0=null,fd:1", "console=tty0", "quiet", f"rw_jobs={folder}/jobs", env=env)
        try:
            if not until(40, lambda: "UMLUP" in guest.said() or not guest.alive()) or not guest.alive():
                raise Skip("user-mode-linux does not come up here")
            os.rename(os.path.join(folder, "job"), os.path.join(folder, "jobs/1"))
            check(until(80, lambda: re.search(r"^UMLRC 1 ", guest.said(), re.M)), "the guest's job does not end")
            out = guest.said().replace("\r", "")
        finally:
            guest.end()
        for how, signal in HOWS.items():
            check(f"status {how} {128 + signal}" in out, f"{how}: its status in the guest:\n{out[-2000:]}")
        records = [json.loads(line[7:]) for line in out.splitlines() if line.startswith("record {")]
        mine = [r for r in records if r.get("app") == "corelog"]
        same(len(mine), len(HOWS), f"records:\n{out[-3000:]}")
        for how, record in zip(HOWS, mine):
            check(f'signal="{HOWS[how]}"' in record["sd"] and 'name="crash"' in record["sd"], f"{how}: {record['sd']}")
            wanted = {"segv": "(inner+", "abort": "(give_up+", "overflow": "(deep+", "nowhere": "(main+",
                      "handler": "(handler+", "thread": "(thread+"}[how]
            check(wanted in record["sd"], f"{how}: {record['sd']}")
        say(f"{len(mine)} crashes, each with its back-trace")


if __name__ == "__main__":
    main({"agrees": agrees, "to_syslogd": to_syslogd, "damage": damage, "uml": uml})
