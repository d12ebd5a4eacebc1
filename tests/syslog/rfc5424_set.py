# SPDX-License-Identifier: BSD-2-Clause
"""Published sets of RFC 5424 messages, sent to us. SYSLOG_RFC5424_SET names source trees, by colons: of
go-syslog (influxdata's), whose rfc5424/machine_test.go has for each input what a parser is to make of it; of
syslog-ng, whose test_syslog_format.c says of structured data whether it is right. Nothing of them is here: they
are read where they lie."""

import datetime
import json
import os
import re
import socket
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from go_table import cases, unquoted  # noqa: E402
from syslog_scene import Skip, check, lab, main, same, say, until  # noqa: E402

PORT = 5514
GO = "rfc5424/machine_test.go"
NG = "modules/syslogformat/tests/test_syslog_format.c"
NG_CALL = re.compile(rb'cr_assert(_not)?\(\s*_extract_sdata_into_message\(\s*("(?:[^"\\]|\\.)*")')
FACILITIES = ("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console clock "
              "local0 local1 local2 local3 local4 local5 local6 local7").split()
SEVERITIES = "emerg alert crit err warning notice info debug".split()
BOM = b"\xef\xbb\xbf"
PRI = re.compile(rb"<(0|[1-9][0-9]?|1[0-8][0-9]|19[01])>")
HEAD = re.compile(rb"<(0|[1-9][0-9]?|1[0-8][0-9]|19[01])>([1-9][0-9]{0,2}) ")
SD = re.compile(r'\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\.)*")*)\]', re.S)
PARAM = re.compile(r' ([^ =\]"]+)="((?:[^"\\\]]|\\.)*)"', re.S)

# Where we differ from that parser, and know why. Each is a name that the judge below gives.
DELIBERATE = {
    "version": "RFC 5424, 9.1: its grammar is that of version 1; what another one says behind the number nobody "
               "knows. It is kept whole, and counted (no-time); with a 1 in its place, all must be equal",
    "byte order mark": "6.4: it says that UTF-8 follows and is no part of the text; that parser leaves it there",
    "escape": "6.3.3: a backslash before another character is a regular backslash; that parser refuses the message",
    "element twice": "6.3.2: a sender must not; a receiver is told nothing. It is kept as it came; that parser "
                     "refuses the message",
    "not UTF-8": "6.4: with a byte order mark it ought to be; the bytes are kept as they came (raw); that parser "
                 "takes or refuses them, as one asks it to",
    "bad time": "6.2.3: there is no such time. Who sent it and what it says is kept, the time is that of arrival, "
                "and it is counted (bad-time); that parser refuses the message",
    "unquoted": "6.3: values have quotes. It is kept as text, and counted (bad-sd); syslog-ng takes it, since a "
                "known sender writes so",
    "long": "6: a field is longer than it may be. It is kept whole, and counted (long); that parser refuses it",
}


def stamp(words):
    """Nanoseconds since 1970."""
    if words is None:
        return None
    whole = datetime.datetime.fromisoformat(words.replace("Z", "+00:00"))
    return round((whole - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)) /
                 datetime.timedelta(microseconds=1)) * 1000


def elements(words):
    """Structured data as that set has it: names to what is in them, as on the wire."""
    found = {}
    for name, params in SD.findall(words):
        found[name] = dict(PARAM.findall(params))
    check("".join(m[0] for m in SD.finditer(words)) == words, f"not structured data: {words!r}")
    return found


def ours(record):
    """What we made of it."""
    return {
        "facility": record["facility"], "severity": record["severity"], "sent": record.get("sent"),
        "host": record.get("host"), "app": record.get("app"), "procid": record.get("procid"),
        "msgid": record.get("msgid"), "sd": elements(record.get("sd", "")), "text": lab.text(record),
    }


def theirs(value):
    """What that parser makes of it."""
    facility, severity = divmod(value["Priority"], 8)
    text = value.get("Message", b"")
    return {
        "facility": FACILITIES[facility], "severity": SEVERITIES[severity], "sent": stamp(value.get("Timestamp")),
        # Who does not say who he is has the address that it came from.
        "host": value.get("Hostname", "127.0.0.1"), "app": value.get("Appname"), "procid": value.get("ProcID"),
        "msgid": value.get("MsgID"), "sd": value.get("StructuredData", {}), "text": text,
    }


def words_kept(packet, record, flaws):
    """Whether all that was said behind the priority is there, word by word, in its order. But the number of the
    version, if it is ours; a time, if it is a field of its own by now, or was counted; and the byte order mark."""
    head, pri = HEAD.match(packet), PRI.match(packet)
    said = packet[pri.end() if pri else 0:].split()
    if head and head[2] == b"1" and "bad-header" not in flaws:
        time = said[1].decode()
        if "bad-time" in flaws or record.get("sent") is not None and record["sent"] == stamp(time):
            del said[1]
        del said[0]
    have = b" ".join(record.get(f, "").encode() for f in ("host", "app", "procid", "msgid"))
    have += b" " + record.get("sd", "").encode() + b" " + lab.text(record)
    at = 0
    for word in said:
        word = word.removeprefix(BOM)
        at = have.find(word, at) if word != b"-" else at
        if at < 0:
            return False
        at += len(word) if word != b"-" else 0
    return True


class Set:
    """Inputs that were sent, and what is to become of them."""

    def __init__(self, scene):
        self.scene = scene
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", PORT))
        self.sent = []

    def send(self, packet, valid, value):
        before = lab.ask("stats")["stats"]["engine"]
        self.socket.send(packet)
        received = before["received"]["udp"]
        check(until(5, lambda: lab.ask("stats")["stats"]["engine"]["received"]["udp"] > received) or not packet,
              f"it does not come: {packet!r}")
        flaws = lab.ask("stats")["stats"]["engine"]["flaws"]
        self.sent.append((packet, valid, value, {f for f, n in flaws.items() if n > before["flaws"][f]}))

    def judge(self, found, wrong):
        """Compares what syslogctl shows with what was wanted."""
        records = [json.loads(line) for line in
                   self.scene.ctl("--json", "all").splitlines()]
        check(all("seq" in r for r in records), "some were lost")
        same(len(records), len(self.sent), "records")
        for (packet, valid, value, flaws), record in zip(self.sent, records):
            why = verdict(packet, valid, value, flaws, record)
            found[why] += 1
            if why not in ("equal", "kept", *DELIBERATE):
                wrong.append(f"{packet!r}: {why}")


def verdict(packet, valid, value, flaws, record):
    """One input: `equal`, `kept` (that parser refuses it too; it is whole, and was counted), a deliberate
    difference, or what is wrong."""
    head = HEAD.match(packet)
    flaws = flaws - {"skewed", "empty"}
    if not valid:
        if not words_kept(packet, record, flaws):
            return f"not whole: {record}"
        if flaws & {"bad-time", "long"} and not flaws & {"bad-sd", "bad-header"}:
            return "bad time" if "bad-time" in flaws else "long"
        if flaws:
            return "kept"
        names = re.findall(r"\[([^ =\]\"]+)", record.get("sd", ""))
        if len(names) != len(set(names)):
            return "element twice"
        if re.search(r'\\[^"\\\]]', record.get("sd", "")):
            return "escape"
        if "raw" in record:
            return "not UTF-8"
        return f"taken without a word: {record}"
    if head and head[2] != b"1":
        whole = lab.text(record) == packet[packet.index(b">") + 1:].rstrip(b"\n") or words_kept(packet, record, flaws)
        return "version" if whole and flaws else f"another version: {record}"
    if flaws == {"bad-sd"} and re.search(rb'=[^"]', packet) and words_kept(packet, record, flaws):
        return "unquoted"
    if flaws:
        return f"counted as {flaws}: {record}"
    got, wanted = ours(record), theirs(value)
    if got == wanted:
        return "equal"
    if wanted["text"].startswith(BOM) and got == {**wanted, "text": wanted["text"][3:]}:
        return "byte order mark"
    return "; ".join(f"{k} is {got[k]!r}, wanted {wanted[k]!r}" for k in got if got[k] != wanted[k])


def made():
    """Inputs as that set's code makes them: a time that grows, and each field of the header up to its length."""
    whole = b"2003-11-02T23:12:46.012345"
    for n in range(1, len(whole) + 1):
        yield b"<1>1 " + whole[:n], False, None
    for at, (name, most) in enumerate((("Hostname", 255), ("Appname", 48), ("ProcID", 128), ("MsgID", 32))):
        for n in range(1, most + 1):
            field = "".join(chr(33 + (i * 7 + n) % 94) for i in range(n))
            if field == "-":
                continue
            words = ["-"] * 6
            words[1 + at] = field
            yield b"<7>1 " + " ".join(words).encode(), True, {"Priority": 7, "Version": 1, name: field}


def structured(path):
    """What syslog-ng says of structured data, in a message of ours."""
    with open(path, "rb") as f:
        calls = NG_CALL.findall(f.read())
    for refused, words in calls:
        sd = unquoted(words)
        value = None
        if not refused:
            value = {"Priority": 14, "Hostname": "h", "Appname": "a", "Message": b"m",
                     "StructuredData": {name: dict(PARAM.findall(params)) for name, params in SD.findall(sd.decode())}}
        yield b"<14>1 - h a - - " + sd + b" m", not refused, value


def sets():
    """What is to be sent, by what it is."""
    trees = os.environ.get("SYSLOG_RFC5424_SET")
    if not trees:
        raise Skip("SYSLOG_RFC5424_SET names no tree of go-syslog or syslog-ng")
    for tree in trees.split(":"):
        if os.path.exists(os.path.join(tree, GO)):
            table = list(cases(os.path.join(tree, GO)))
            check(len(table) >= 100, f"only {len(table)} inputs were understood in {tree}/{GO}")
            yield "go-syslog, as published", table
            yield ("go-syslog, other versions as version 1",
                   [as_version_1(*case) for case in table if other_version(case[0])])
            yield "go-syslog, as its code makes them", list(made())
        elif os.path.exists(os.path.join(tree, NG)):
            table = list(structured(os.path.join(tree, NG)))
            check(len(table) >= 20, f"only {len(table)} inputs were understood in {tree}/{NG}")
            yield "syslog-ng, structured data", table
        else:
            raise Skip(f"neither {GO} nor {NG} in {tree} (SYSLOG_RFC5424_SET)")


def rfc5424_set(s):
    """Every input; and each of another version once more with a 1 there."""
    found, wrong = {}, []
    for name, inputs in sets():
        if s.daemon is None:
            s.start("set repeats off\n*.* ring:all:4M\n", *lab.listen_args(udp=PORT))
        lab.ask("clear", ring="all")
        one = Set(s)
        for case in inputs:
            one.send(*case)
        found[name] = Counter()
        one.judge(found[name], wrong)
        good = ("equal", "kept", *DELIBERATE)
        say(f"{name}: {len(inputs)} inputs: "
            + ", ".join(f"{n} {why}" for why, n in found[name].most_common() if why in good))
        check(found[name]["equal"] > 0 and found[name]["kept"] > 0, f"{name}: nothing was compared")
        if name.endswith("version 1"):
            same(found[name]["version"], 0, "inputs that still are of another version")
    for why in sorted({why for one in found.values() for why in one} & set(DELIBERATE)):
        say(f"deliberate: {why}: {DELIBERATE[why]}")
    for words in wrong:
        say(f"WRONG: {words}")
    same(len(wrong), 0, "inputs that are not as they should be")


def other_version(packet):
    head = HEAD.match(packet)
    return head is not None and head[2] != b"1"


def as_version_1(packet, valid, value):
    head = HEAD.match(packet)
    return b"<" + head[1] + b">1 " + packet[head.end():], valid, value


if __name__ == "__main__":
    main({"rfc5424_set": rfc5424_set})
