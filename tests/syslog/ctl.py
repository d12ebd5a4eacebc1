# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of syslogctl: what it shows, follows, says where it is wrong, and changes."""

import json
import os
import pwd
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_scene import LOG, blast, check, lab, main, numbers, same, send, until  # noqa: E402

TWO = "*.*;auth.none\tring:main:1M\nauth.*\tring:auth:64K\n"


def some(s, conf=TWO):
    """A few messages of two programs in two rings."""
    s.start(conf)
    # What comes at one time has one time: rings are told apart by it.
    for packet in (b"<30>Nov 29 01:02:03 ppp[7]: up", b"<27>Nov 29 01:02:03 ppp[7]: peer says no",
                   b"<38>Nov 29 01:02:03 sshd[9]: open", b"<35>Nov 29 01:02:03 sshd[9]: wrong password",
                   b"<31>Nov 29 01:02:03 dhcp: offer 192.0.2.7"):
        send(packet)
        time.sleep(0.05)
    check(until(5, lambda: sum(r["records"] for r in lab.rings().values()) >= 5), "the messages do not come")


def texts(shown):
    """What stands behind the program in each line."""
    return [line.split(": ", 1)[1] for line in shown.splitlines() if not line.startswith("--")]


def reads(s):
    """Rings merged by time, and each filter."""
    some(s)
    everything = ["up", "peer says no", "open", "wrong password", "offer 192.0.2.7"]
    for argv, wanted in [
        ((), everything),
        (("read",), everything),
        (("auth",), everything[2:4]),
        (("main",), [everything[i] for i in (0, 1, 4)]),
        (("main", "auth"), everything),
        (("-l", "err"), ["peer says no", "wrong password"]),
        (("-l", "=info"), ["up", "open"]),
        (("-l", ">err"), []),
        (("--facility", "auth"), ["open", "wrong password"]),
        (("--facility", "auth,daemon", "-l", "debug", "-p", "dhcp"), ["offer 192.0.2.7"]),
        (("-p", "ppp"), ["up", "peer says no"]),
        (("-p", "ppp,dhcp", "-e", r"\d+\.\d"), ["offer 192.0.2.7"]),
        (("-e", "^o"), ["open", "offer 192.0.2.7"]),
        (("-n", "2"), everything[3:]),
        (("-n", "1", "auth"), ["wrong password"]),
        (("-n", "0"), []),
        (("--since", "1h"), everything),
        (("--until", "1h"), []),
        (("--since", "yesterday", "--until", "now", "main", "-n", "1"), ["offer 192.0.2.7"]),
        (("--since", "@0", "-n", "1"), ["offer 192.0.2.7"]),
    ]:
        same(texts(s.ctl(*argv)), wanted, f"syslogctl {' '.join(argv)}")
    first = lab.rings()["main"]["first"]
    same(texts(s.ctl("--from", first + 2, "main")), ["offer 192.0.2.7"], "--from")
    line = s.ctl("-v", "--iso", "-p", "sshd", "-l", "err", "auth")
    check(f"auth:{lab.rings()['auth']['first'] + 1} auth.err sshd[9]: wrong password" in line, f"-v: {line}")
    check("\x1b" not in s.ctl(), "colours in a pipe")
    check("\x1b[31mwrong password\x1b[0m" in s.ctl("--color", "always"), "no colours though they are wanted")


def as_json(s):
    """Each line is an object with its ring; all that the protocol says is in it."""
    some(s)
    lines = [json.loads(line) for line in s.ctl("--json", "auth").splitlines()]
    same([(r["ring"], r["app"], r["procid"], r["text"]) for r in lines],
         [("auth", "sshd", "9", "open"), ("auth", "sshd", "9", "wrong password")], "records")
    same(lines[0]["boot"], lab.rings()["auth"]["boot"], "boot")
    same(lines, [dict(r, ring="auth", boot=lines[0]["boot"]) for r in s.records("auth")], "beside the protocol")
    for command in ("rings", "stats", "throttle"):
        json.loads(s.ctl("--json", command))
    same({r["name"] for r in json.loads(s.ctl("--json", "rings"))["rings"]}, {"main", "auth"}, "rings")


def several(s):
    """A message in three rings is shown once, one that came twice twice, and with --duplicates all."""
    s.start("*.*\tring:a:64K\n*.*\tring:b:64K\nuser.*\tring:c:8K\n")
    send(b"<13>Nov 29 01:02:03 x: same", b"<13>Nov 29 01:02:03 x: other", b"<30>Nov 29 01:02:03 x: not in c")
    check(until(5, lambda: lab.rings()["a"]["records"] >= 3), "they do not come")
    same(texts(s.ctl()), ["same", "other", "not in c"], "once")
    same(len(texts(s.ctl("--duplicates"))), 8, "for each ring")


def follows(s):
    """-f of two rings: what was, what comes, once each; it goes on when syslogd is started again."""
    some(s, f"set ring-dir {keep_folder(s)}\n" + TWO.replace("1M", "1M:keep=restart"))
    out = open(s.path("followed"), "wb+", buffering=0)
    follower = s.spawn("follow", lab.binary("syslogctl"), "-f", "-n", "3", "--cursor-file", s.path("cursor"), stdout=out)

    def shown():
        with open(s.path("followed"), "rb") as f:
            return texts(f.read().decode())

    check(until(5, lambda: len(shown()) == 3), f"the last three: {shown()} {follower.said()}")
    send(b"<30>Nov 29 01:02:03 ppp[7]: one", b"<38>Nov 29 01:02:03 sshd[9]: two")
    wanted = ["open", "wrong password", "offer 192.0.2.7", "one", "two"]
    check(until(5, lambda: sorted(shown()) == sorted(wanted)), f"what came: {shown()}")
    until(3, lambda: os.path.exists(s.path("cursor")))
    same(s.daemon.end(), 0, "status")
    s.start()
    send(b"<30>Nov 29 01:02:03 ppp[7]: three")
    check(until(10, lambda: "three" in shown()), f"after the start: {shown()} {follower.said()}")
    check(all(shown().count(one) == 1 for one in wanted), f"some are shown again: {shown()}")
    check("waiting" in follower.said(), "it does not say that syslogd was away")
    check(follower.alive(), "the follower ended")
    follower.child.terminate()
    follower.child.wait(5)


def keep_folder(s):
    folder = s.path("rings")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    return folder


def cursors(s):
    """Runs with a cursor file: together they show each message once, and say what is lost."""
    s.start("*.*\tring:all:64K\n")
    seen = []
    for turn in range(5):
        blast(f"unix:{LOG}", 50, "-a", f"turn{turn}x")
        check(until(5, lambda t=turn: lab.rings()["all"]["pushed"] >= 50 * (t + 1)), "they do not come")
        seen += texts(s.ctl("--cursor-file", s.path("cursor"), "all"))
    same(len(seen), 250, "what was shown in five runs")
    same(len(set((i // 50, line) for i, line in enumerate(seen))), 250, "no double")
    same(texts(s.ctl("--cursor-file", s.path("cursor"), "all")), [], "nothing new")
    blast(f"unix:{LOG}", 5000)
    check(until(5, lambda: lab.rings()["all"]["pushed"] >= 5250), "they do not come")
    shown = s.ctl("--cursor-file", s.path("cursor"), "all")
    lost = [int(line.split()[1]) for line in shown.splitlines() if line.startswith("--")]
    same(len(lost), 1, "losses told")
    same(lost[0] + len(texts(shown)), 5000, "shown and lost")
    word = s.ctl("--show-cursor", "-n", "0", "all").strip().removeprefix("-- cursor: ")
    state = lab.rings()["all"]
    same(word, f"all:{state['boot']}:{state['next']}", "--show-cursor")
    send(b"<13>Nov 29 01:02:03 x: new")
    check(until(5, lambda: lab.rings()["all"]["next"] > state["next"]), "it does not come")
    same(texts(s.ctl("--cursor", word, "all")), ["new"], "--cursor")
    other = f"all:{state['boot'] + 1}:{state['next']}"
    shown = s.ctl("--cursor", other, "all")
    check(shown.startswith("-- ring all has begun anew --"), f"another life: {shown[:100]}")


def changes(s):
    """resize and clear, live: numbers go on, what is lost is told."""
    s.start("set budget 1M\n*.*\tring:all:256K\n")
    blast(f"unix:{LOG}", 1000)
    check(until(5, lambda: lab.rings()["all"]["pushed"] >= 1000), "they do not come")
    before = lab.rings()["all"]
    same(before["records"], 1000, "records")
    s.ctl("resize", "all", "512K")
    state = lab.rings()["all"]
    same((state["size"], state["records"], state["boot"]), (512 << 10, 1000, before["boot"]), "larger")
    said = s.ctl("resize", "all", "32K")
    state = lab.rings()["all"]
    same(state["size"], 32 << 10, "smaller")
    check(state["used"] <= 32 << 10 and 0 < state["records"] < 1000, f"smaller: {state}")
    check(f"{1000 - state['records']} of the oldest" in said, f"what it says: {said}")
    found = numbers(lab.text(r) for r in s.records())
    same([n for _, n in found], list(range(1000 - state["records"], 1000)), "the newest stay")
    s.ctl("clear", "all")
    state = lab.rings()["all"]
    same((state["records"], state["next"]), (0, before["next"]), "cleared")
    same(state["pushed"], state["dropped"] + state["cleared"], "the sum")
    send(b"<13>Nov 29 01:02:03 x: on")
    check(until(5, lambda: lab.rings()["all"]["records"] == 1), "it does not go on")
    same(s.records()[0]["seq"], before["next"], "its number")
    for size in ("1", "1T", "999999999999G"):
        code, said = s.ctl("resize", "all", size, fails=True)
        check(code in (1, 2) and said, f"{size}: {code} {said}")
    same(lab.rings()["all"]["size"], 32 << 10, "the size after wrong ones")


def says(s):
    """Errors: what is wrong, what to do, and a status of its own."""
    code, said = s.ctl("-s", "/run/nowhere", "rings", fails=True)
    check(code == 3 and "is syslogd running" in said, f"no socket: {code} {said}")
    some(s)
    for argv, status, words in [
        (("nothing",), 2, "there are: main auth"),
        (("-l", "bad"), 2, "no level"),
        (("--facility", "bad"), 2, "no facility"),
        (("-e", "(",), 2, "regular expression"),
        (("--since", "soon"), 2, "is no time"),
        (("--from", "3"), 2, "for one ring"),
        (("--cursor", "x"), 2, "RING:BOOT:SEQ"),
        (("clear", "nothing"), 2, "nothing"),
        (("resize", "main", "x"), 2, "number"),
        (("-n", "3", "rings"), 2, "read"),
    ]:
        code, said = s.ctl(*argv, fails=True)
        same(code, status, f"syslogctl {' '.join(argv)}: {said}")
        check(words in said, f"syslogctl {' '.join(argv)}: {said}")
    # Nobody in particular may not.
    someone = pwd.getpwnam("nobody")
    for argv in (("stats",), ("main",), ("clear", "main"), ("resize", "main", "8K")):
        done = subprocess.run([lab.binary("syslogctl"), *argv], capture_output=True, check=False, cwd="/",
                              user=someone.pw_uid, group=someone.pw_gid, extra_groups=[])
        check(done.returncode in (2, 4) and done.stderr, f"{argv} as nobody: {done.returncode} {done.stderr}")
    done = subprocess.run([lab.binary("syslogctl"), "--json", "rings"], capture_output=True, check=True, cwd="/",
                          user=someone.pw_uid, group=someone.pw_gid, extra_groups=[])
    same(json.loads(done.stdout), {"rings": []}, "the rings of nobody")
    # A reader that has seen enough is no error.
    blast(f"unix:{LOG}", 5000)
    piped = subprocess.run(f"{lab.binary('syslogctl')} | head -n 1", shell=True, capture_output=True, check=True)
    same((len(piped.stdout.splitlines()), piped.stderr), (1, b""), "head")


def throttled(s):
    """A source that talks too much is held back, said so in the ring, and in the table."""
    s.start("set throttle 100/s burst 50\nset summary 1s\n*.*\tring:all:4M\n")
    sent = blast(f"unix:{LOG}", 20_000, "-a", "loud")["sent"]
    send(b"<13>Nov 29 01:02:03 calm: I say little")
    check(until(5, lambda: any(lab.text(r) == b"I say little" for r in lab.read("all")[0])), "the calm one is held back")
    time.sleep(1.5)
    send(b"<13>Nov 29 01:02:03 loud0[77]: the end")
    table = json.loads(s.ctl("--json", "throttle"))["throttle"]
    (row,) = [r for r in table if r["app"].startswith("loud")]
    check(row["withheld"] > 10_000, f"withheld: {row}")
    shown = s.ctl("throttle")
    check("loud0" in shown and str(row["withheld"]) in shown, f"the table: {shown}")
    check(until(5, lambda: any(b"withheld" in lab.text(r) or b"suppressed" in lab.text(r) for r in lab.read("all")[0])),
          "no summary")
    came = [r for r in lab.read("all")[0] if r.get("app", "").startswith("loud") and b"source=" in lab.text(r)]
    same(row["withheld"] + len(came), sent, f"withheld and kept ({len(came)})")


def repeated(s):
    """The same again and again is logged once, and told."""
    s.start("*.*\tring:all:1M\n")
    send(*[b"<13>Nov 29 01:02:03 x[1]: the same"] * 500, b"<13>Nov 29 01:02:03 x[1]: another")
    check(until(5, lambda: any(lab.text(r) == b"another" for r in lab.read("all")[0])), "the other does not come")
    found = [lab.text(r) for r in s.records()]
    same(found.count(b"the same"), 1, f"how often it is there: {found[:10]}")
    check(any(b"last message repeated 499 times" in one for one in found), f"the summary: {found}")


def tables(s):
    """rings and stats for people: the sums are those of the protocol."""
    some(s)
    shown = s.ctl("rings")
    same(shown.splitlines()[0].split()[:4], ["RING", "SIZE", "USED", "RECORDS"], "headings")
    rows = {line.split()[0]: line.split() for line in shown.splitlines()[1:]}
    same((rows["auth"][1], rows["auth"][3]), ("64K", "2"), f"auth: {shown}")
    shown = s.ctl("stats")
    check("COUNTER" in shown and "auth" in shown, f"stats: {shown}")
    again = s.ctl("stats", "-w", "0.2", "-n", "2")
    same(again.count("COUNTER"), 2, "twice")


if __name__ == "__main__":
    main(globals())
