# SPDX-License-Identifier: BSD-2-Clause
"""Run by syslog.sh. It fails where the sums do not fit."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_scene import LOG, Scene, Skip, Wrong, blast, check, lab, numbers, send, until  # noqa: E402


def step(words):
    print(f"\n== {words}", flush=True)


def ok(words):
    print(f"   ok   {words}", flush=True)


def indented(words):
    for line in words.rstrip("\n").split("\n"):
        print(f"        {line}", flush=True)


def command(s, *argv):
    print("   $ " + " ".join(["syslogctl", *argv]), flush=True)
    shown = s.ctl(*argv)
    indented(shown if shown.strip() else "(nothing)")
    return shown


class Follower(threading.Thread):
    """Counts what `syslogctl -f --json' shows: records, and losses that it tells."""

    def __init__(self, ring):
        super().__init__(daemon=True)
        self.child = subprocess.Popen([lab.binary("syslogctl"), "-f", "-n", "0", "--json", ring],
                                      stdout=subprocess.PIPE)
        self.records, self.lost, self.wanted = 0, 0, None
        self.wrong = None
        self.start()

    def run(self):
        for line in self.child.stdout:
            value = json.loads(line)
            first = value["seq"] if "seq" in value else value["next"] - value["lost"]
            if self.wanted is not None and first != self.wanted:
                self.wrong = f"number {first} came, {self.wanted} was wanted"
            if "seq" in value:
                self.records += 1
                self.wanted = first + 1
            else:
                self.lost += value["lost"]
                self.wanted = value["next"]

    def end(self):
        self.child.terminate()
        self.child.wait(5)
        self.join(5)


def account(ring, sent, before):
    """One ring's sum, by its own counters and by the numbers in the messages."""
    state = lab.rings()[ring]
    came = state["pushed"] - before["pushed"]
    dropped = state["dropped"] - before["dropped"]
    records, lost = lab.read(ring)
    check(not lost, f"{ring}: lost while nothing comes in: {lost}")
    seqs = [r["seq"] for r in records]
    check(seqs == list(range(state["first"], state["next"])), f"{ring}: its numbers have a gap")
    check(state["used"] <= state["size"], f"{ring}: over its budget")
    found = numbers(lab.text(r) for r in records if r.get("app", "").startswith("burst"))
    check(len(found) == len(set(found)), f"{ring}: a message is there twice")
    older = len(records) - len(found)
    # What was there before the burst may have been dropped for it too.
    gone = before["records"] - older
    check(came == sent, f"{ring}: {sent} were sent, {came} came")
    check(len(found) + (dropped - gone) == sent, f"{ring}: {len(found)} kept and {dropped - gone} dropped of {sent}")
    return {"ring": ring, "size": state["size"], "used": state["used"], "sent": sent, "kept": len(found),
            "dropped": dropped - gone}


def main():
    parser = argparse.ArgumentParser(prog="demo syslog")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--small", default="64K")
    parser.add_argument("--big", default="1M")
    args = parser.parse_args()
    if not 1000 <= args.messages <= 10_000_000:
        parser.error("messages are 1000..10000000")
    s = Scene()
    try:
        demo(s, args)
    finally:
        s.close()


def demo(s, args):
    conf = f"""\
# The small ring has what is bad, the big one all.
set budget 2M
*.*            ring:all:{args.big}
*.err          ring:bad:{args.small}
"""
    step("A syslogd with two rings")
    indented(conf)
    s.start(conf)
    ok(f"it runs; {LOG} is its socket, {lab.CTL} that for syslogctl")

    step("What programs say")
    subprocess.run(["logger", "-u", LOG, "-p", "auth.err", "-t", "sshd", "--id=212", "wrong password for root"], check=True)
    subprocess.run(["logger", "-u", LOG, "--rfc5424", "-p", "daemon.info", "-t", "pppd", "--sd-id", "link@32473",
                    "--sd-param", "mtu=\"1492\"", "session is up"], check=True)
    check(until(5, lambda: lab.rings()["all"]["records"] >= 2), "they do not come")
    shown = command(s)
    check("wrong password" in shown and "session is up" in shown, "they are not shown")
    shown = command(s, "-l", "err", "bad")
    check("session" not in shown, "the small ring has what is not bad")
    command(s, "-v", "-n", "1", "all")

    step(f"A burst of {args.messages} messages of 4 sources, and somebody who follows")
    follower = Follower("all")
    time.sleep(0.5)
    before = lab.rings()
    sent = blast(f"unix:{LOG}", args.messages, "-s", 4, "-p", 11, "-a", "burst")
    check(sent["sent"] == args.messages, f"the socket took {sent['sent']}")
    check(until(20, lambda: lab.rings()["bad"]["pushed"] - before["bad"]["pushed"] >= args.messages),
          "they do not all come")
    ok(f"{sent['sent']} sent in {sent['seconds']:.2f} s, {sent['rate']:.0f} a second")
    rows = [account(ring, sent["sent"], before[ring]) for ring in ("all", "bad")]
    for row in rows:
        ok(f"ring {row['ring']}: {row['sent']} sent = {row['kept']} kept + {row['dropped']} dropped; "
           f"{row['used']} of {row['size']} bytes")
    until(10, lambda: follower.records + follower.lost >= args.messages)
    follower.end()
    check(follower.wrong is None, f"the follower: {follower.wrong}")
    check(follower.records + follower.lost == args.messages,
          f"the follower: {follower.records} shown and {follower.lost} lost of {args.messages}")
    ok(f"the follower: {args.messages} sent = {follower.records} shown + {follower.lost} told as lost")

    step("Live changes")
    had = lab.rings()["bad"]["records"]
    command(s, "resize", "bad", "256K")
    check(lab.rings()["bad"]["records"] == had, "a larger ring lost something")
    command(s, "clear", "all")
    command(s, "rings")

    step("A source that talks too much, and one that does not")
    s.daemon.end()
    s.start("set throttle 50/s burst 100\nset summary 1s\n" + conf)
    sent = blast(f"unix:{LOG}", 5000, "-a", "loud")["sent"]
    send(*[b"<27>Nov 29 01:02:03 calm[3]: the link is down"] * 30, b"<30>Nov 29 01:02:03 calm[3]: the link is up")
    check(until(5, lambda: any(lab.text(r) == b"the link is up" for r in lab.read("all")[0])),
          "the calm one is held back too")
    table = json.loads(s.ctl("--json", "throttle"))["throttle"]
    withheld = sum(row["withheld"] for row in table)
    kept = sum(b"source=" in lab.text(r) for r in lab.read("all")[0])
    check(withheld + kept == sent, f"{kept} kept and {withheld} withheld of {sent}")
    ok(f"{sent} sent = {kept} kept + {withheld} withheld")
    command(s, "throttle")
    check(until(5, lambda: any(b"withheld" in lab.text(r) for r in lab.read("all")[0])), "no summary in the ring")
    command(s, "-n", "4", "all")

    step("The sums")
    print(f"   {'':10} {'budget':>10} {'used':>10} {'sent':>8} {'kept':>8} {'gone':>8}")
    for row in rows:
        print(f"   {row['ring']:10} {row['size']:10} {row['used']:10} {row['sent']:8} {row['kept']:8} {row['dropped']:8}")
    print(f"   {'follower':10} {'':10} {'':10} {args.messages:8} {follower.records:8} {follower.lost:8}")
    print(f"   {'throttle':10} {'':10} {'':10} {sent:8} {kept:8} {withheld:8}")
    check(s.daemon.end() == 0, "syslogd did not end cleanly")
    print("\ndemo: all of it worked")


if __name__ == "__main__":
    try:
        main()
    except (Wrong, Skip, subprocess.SubprocessError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
        sys.exit(1)
