#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares what two sets of kernel headers say.

structs.py OS OURS.s TREE.s

Both are sys/OS/check/structs.c compiled to assembler: see probe.h.  A prototype, a
flag or a layout that programs see has to be the same.  What is the kernel's own
may differ between releases, not within one.  Exit status 1 where something is wrong.
LLVM_CXXFILT names the demangler.
"""

import os
import re
import subprocess
import sys

NUMBER = re.compile(r'"probe (\w+) (.+) (-?\d+(?:\+\d+)?)"')
TYPE = re.compile(r"^(_Z\d+(?:proto|type)_\w+):", re.M)
SIGNATURE = re.compile(r"(proto|type)_(\w+)\((.*)\)$")


def said(path):
    """{(kind, name): value} of one set of headers."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = {(kind, name): value for kind, name, value in NUMBER.findall(text)}
    tool = os.environ.get("LLVM_CXXFILT", "llvm-cxxfilt")
    mangled = TYPE.findall(text)
    plain = subprocess.run([tool], input="\n".join(mangled), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    for line in plain:
        m = SIGNATURE.match(line)
        if not m:
            sys.exit(f"structs: {tool} does not understand {line}")
        found[m[1], m[2]] = m[3]
    return found


def release(found):
    """The release's name for people, and what decides whether two are the same one."""
    version = next((int(v) for (kind, _), v in found.items() if kind == "release"), None)
    if version is None:
        sys.exit("structs: no release in the assembler: is it of structs.c?")
    return version


def same_release(system, a, b):
    """Kernels of one release keep their interface; NetBSD's 99 may change it every time."""
    if system == "freebsd":
        return a // 100000 == b // 100000
    if 99 in (a // 1000000 % 100, b // 1000000 % 100):
        return a // 100 == b // 100
    return a // 100000000 == b // 100000000


def value(kind, text):
    """As people read it: offset and size of a member, or the number in hexadecimal too."""
    if "+" in text and kind in ("kern", "abi"):
        return "at %s, %s bytes" % tuple(text.split("+"))
    if kind == "flag":
        return f"{text} ({int(text) & 0xffffffffffffffff:#x})"
    return text


def main(system, ours_path, tree_path):
    ours, tree = said(ours_path), said(tree_path)
    a, b = release(ours), release(tree)
    same = same_release(system, a, b)
    print(f"{system}: our headers {a}, the tree {b}: {'one release' if same else 'two releases'}")
    wrong = differ = 0
    for key in sorted(ours.keys() | tree.keys()):
        kind, name = key
        x, y = ours.get(key, "nothing"), tree.get(key, "nothing")
        if kind == "release" or x == y:
            continue
        if kind == "kern" and not same:
            differ += 1
            print(f"differs between releases: {name}: "
                  f"ours {value(kind, x)}, tree {value(kind, y)}")
            continue
        wrong += 1
        print(f"WRONG {kind} {name}:\n  ours {value(kind, x)}\n  tree {value(kind, y)}")
    equal = len(ours) - 1 - wrong - differ
    print(f"{equal} equal, {differ} of their release, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
