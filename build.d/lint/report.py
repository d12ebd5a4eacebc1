# SPDX-License-Identifier: BSD-2-Clause
"""What every check shares: finding files, blanking what is no code, and saying the verdict."""

import functools
import os
import re

# Never looked into, wherever they are.
SKIPPED_DIRS = {".git", ".cache", "__pycache__", "node_modules"}


def files(*suffixes, under=("",)):
    """Paths below the working directory with one of the suffixes, in order."""
    found = []
    for top in under:
        for folder, dirs, names in os.walk(top or "."):
            dirs[:] = sorted(d for d in dirs if d not in SKIPPED_DIRS and not is_target(folder, d))
            for name in sorted(names):
                if name.endswith(suffixes):
                    found.append(os.path.normpath(os.path.join(folder, name)))
    return found


def is_target(folder, name):
    """Whether a folder is cargo's: it says so itself, or is named as .gitignore has it."""
    path = os.path.join(folder, name)
    named = name == "target" or name.startswith("target-")
    return named or os.path.exists(os.path.join(path, "CACHEDIR.TAG"))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def fault(path, line, what):
    return f"{path}:{line}: {what}"


def verdict(name, faults, note=""):
    """Prints the one line of a check, and the faults below a failing one."""
    if not faults:
        print(f"ok    {name}" + (f": {note}" if note else ""))
        return True
    print(f"FAIL  {name}: {len(faults)} to mend")
    for f in faults:
        print(f"      {f}")
    return False


RUST_NOISE = re.compile(
    r"""
    //[^\n]*                                     # comment
  | /\*.*?\*/                                    # comment (not nested: rustfmt'd code has none)
  | \b(?:br|cr|r)(?P<h>\#*)"(?:.*?)"(?P=h)       # raw string
  | (?:\b[bc])?"(?:\\.|[^"\\])*"                 # string
  | (?:\bb)?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\\n])'     # character
    """,
    re.S | re.X,
)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


@functools.cache
def scrub(text):
    """Rust source with comments, strings and characters blanked; lines and columns stay."""
    return RUST_NOISE.sub(blank, text)


def scrub_comments(text):
    """Rust source with comments blanked only."""
    return RUST_NOISE.sub(lambda m: blank(m) if m.group(0).startswith("/") else m.group(0), text)


def closing(text, at):
    """Where the brace that opens at text[at] is closed; the end if it is not."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
    return len(text)


TEST_MOD = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub\s+)?mod\s+(\w+)\s*([;{])")


def without_tests(code):
    """(scrubbed source without `#[cfg(test)] mod x { }`, names of `#[cfg(test)] mod x;`)."""
    names = set()
    at = 0
    while m := TEST_MOD.search(code, at):
        if m[2] == ";":
            names.add(m[1])
            end = m.end()
        else:
            end = closing(code, m.end() - 1) + 1
        code = code[: m.start()] + re.sub(r"[^\n]", " ", code[m.start() : end]) + code[end:]
        at = end
    return code, names
