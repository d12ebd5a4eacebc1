# SPDX-License-Identifier: BSD-2-Clause
"""What the source may say: unsafe, cfg, sizes, words."""

import os
import re

from arrows import packages
from report import fault, files, line_of, read, scrub, scrub_comments, verdict

GENERATED = {"sys/kpi-sys/src/kpi.rs"}
# The only packages with unsafe code.
UNSAFE = {"sys/kpi-sys", "sys/kern", "sys/dev", "sys/psref", "sys/host", "lib/libsys"}
# One body of code for three kernels: the same source whatever it is linked with.
PORTABLE = ("modules", "sys/kern", "sys/net", "sys/psref")
MOST_LINES = 600

FORBID = re.compile(r"#!\[forbid\((?:\s*\w+\s*,)*\s*unsafe_code\b")
CFG = re.compile(r"\bcfg(?:_attr)?!?\s*\(")
CHOICE = re.compile(r"\b(target_os|target_family|target_env|target_vendor|unix|windows|feature)\b")
# Adds an interface for tests and changes nothing; arrows lets no module ask for it.
ADDITIVE = re.compile(r'#\[cfg\(feature = "testing"\)\]\s*pub mod testing;')

# Spelt in pieces, or this file would be its own first fault.
WORDS = re.compile(r"\b(" + "|".join(["todo" + "!", "unimplemented" + "!", "FIX" + "ME", "X" + "XX",
                                      "HA" + "CK", "TO" + "DO"]) + r")(?!\w)")


def forbid():
    """Every crate but the few forbids unsafe code, in the root of each of its targets."""
    found, error = packages()
    if found is None:
        return verdict("unsafe", [fault("Cargo.toml", 1, error)])
    faults = []
    for p in found:
        if p["folder"] in UNSAFE:
            continue
        for t in p["targets"]:
            root = os.path.relpath(t["src_path"], p["root"])
            if not {"lib", "bin", "rlib", "staticlib", "proc-macro"} & set(t["kind"]):
                continue
            if not FORBID.search(scrub_comments(read(root))):
                faults.append(fault(root, 1, "add #![forbid(unsafe_code)] below the crate's docs"))
    return verdict("unsafe", faults, "forbidden outside " + ", ".join(sorted(UNSAFE)))


def has_safety(lines, at):
    """SAFETY within three lines above lines[at], or in the comment above its statement."""
    start = at
    while start > 0 and at - start < 8 and not re.search(r"(^\s*|[;{}])$", lines[start - 1]):
        start -= 1
    reach = max(min(start, at - 3), 0)
    while reach > 0 and lines[reach].lstrip().startswith("//"):
        reach -= 1
    return any("SAFETY" in line or "# Safety" in line for line in lines[reach : at + 1])


def safety():
    """Every unsafe block and impl says why it is sound."""
    faults = []
    blocks = 0
    for path in files(".rs"):
        if path in GENERATED:
            continue
        text = read(path)
        lines = text.split("\n")
        code = scrub(text)
        for m in re.finditer(r"\bunsafe\s*(\{|impl\b)", code):
            blocks += 1
            line = line_of(code, m.start())
            if not has_safety(lines, line - 1):
                faults.append(fault(path, line, "say why it is sound: // SAFETY: ... above it"))
    return verdict("safety", faults, f"{blocks} unsafe blocks")


def arguments(code, opening):
    """What stands between the parenthesis at code[opening] and its partner."""
    depth = 0
    for i in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return code[opening + 1 : i]
    return code[opening + 1 :]


def cfg():
    """No choice of kernel or behaviour in portable code, and no global mutable state."""
    faults = []
    for path in files(".rs", under=PORTABLE):
        text = read(path)
        text = ADDITIVE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
        code = scrub(text)
        for m in CFG.finditer(code):
            choice = CHOICE.search(arguments(code, m.end() - 1))
            if choice:
                what = f"no cfg({choice[1]}) here: what differs by kernel goes into a shim"
                faults.append(fault(path, line_of(code, m.start()), what))
        for m in re.finditer(r"\bstatic\s+mut\b", code):
            what = "no static mut: state belongs to the module's instance"
            faults.append(fault(path, line_of(code, m.start()), what))
    return verdict("cfg", faults, "none in " + ", ".join(PORTABLE))


def sizes():
    faults = []
    largest = (0, "")
    for path in files(".rs", ".c", ".h", ".sh", ".subr", ".py"):
        if path in GENERATED:
            continue
        lines = read(path).count("\n")
        largest = max(largest, (lines, path))
        if lines > MOST_LINES:
            what = f"{lines} lines, at most {MOST_LINES}: split it by concern"
            faults.append(fault(path, MOST_LINES, what))
    return verdict("sizes", faults, f"the largest is {largest[1]}, {largest[0]} lines")


def words():
    faults = []
    for path in files(".rs", ".c", ".h", ".sh", ".subr", ".py", ".toml"):
        if path in GENERATED:
            continue
        text = read(path)
        for m in WORDS.finditer(text):
            what = f"`{m[1]}' marks unfinished work: finish it, or open an issue"
            faults.append(fault(path, line_of(text, m.start()), what))
    return verdict("words", faults)
