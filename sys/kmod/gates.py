#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The gates that every kernel object passes before it may be called built.

gates.py undefined OBJECT LIST        undefined symbols are in LIST
gates.py relocations OBJECT OS        relocation types that the kernel's linker takes
gates.py instructions OBJECT          no SSE, AVX, MMX, x87 instruction
gates.py exports OBJECT SYMBOL|-      SYMBOL is the one global symbol; -: there is none
gates.py panics OBJECT GOLDEN         functions that can panic: GOLDEN, or fewer
gates.py frames LIMIT OBJECT...       every stack frame is known and below LIMIT bytes

`panics' wants the Rust object before its symbols are merged, `frames' all the
inputs of the last link, the others the finished module.  Exit status 1 and a
message when a gate is shut.  LLVM_SUFFIX (default -22) names the tools.
"""

import os
import re
import subprocess
import sys

RELOCATIONS = {
    "netbsd": {"R_X86_64_64", "R_X86_64_32S", "R_X86_64_PC32"},
    "freebsd": {"R_X86_64_64", "R_X86_64_32S", "R_X86_64_PC32", "R_X86_64_PLT32"},
}

# Any of these registers betrays the unit; so does each of these mnemonics.
REGISTER = re.compile(r"%(?:[xyz]mm\d|mm[0-7]|st\b|k[0-7]\b)")
MNEMONIC = re.compile(
    r"^(?:f(?!entry)[a-z0-9]+|v[a-z0-9]+|emms|femms|ldmxcsr|stmxcsr|xsave\w*|xrstor\w*|[fx]?wait)$"
)
# Not of those units, though they look so.
INNOCENT = {"verr", "verw", "vmcall", "vmmcall"}

PANIC = re.compile(
    r"core::panicking::|core::(?:option|result)::\w*(?:unwrap|expect)\w*failed|"
    r"core::slice::index::slice_\w*fail|core::str::slice_error_fail|core::cell::panic_"
)
HASH = re.compile(r"::h[0-9a-f]{16}\b|\[[0-9a-f]{8,16}\]")


def tool(name, *args):
    """The output lines of an LLVM tool."""
    name = f"llvm-{name}{os.environ.get('LLVM_SUFFIX', '-22')}"
    try:
        done = subprocess.run([name, *args], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        sys.exit(f"gates: {name} is not here: run `./build.sh setup'")
    except subprocess.CalledProcessError as e:
        sys.exit(f"gates: {name}: {e.stderr.strip()}")
    return done.stdout.splitlines()


def listed(path):
    """The lines of a list, without comments; a missing list is empty."""
    try:
        with open(path, encoding="utf-8") as f:
            # "{closure#0}" is a name: a comment stands apart.
            lines = (re.split(r"(?:^|\s)#", line)[0].strip() for line in f)
            return {line for line in lines if line}
    except FileNotFoundError:
        return set()


def shut(gate, what, lines):
    """Fail: print what is wrong, line by line."""
    print(f"gate `{gate}' is shut: {what}", file=sys.stderr)
    for line in lines[:20]:
        print(f"    {line}", file=sys.stderr)
    if len(lines) > 20:
        print(f"    and {len(lines) - 20} more", file=sys.stderr)
    sys.exit(1)


def passed(gate, what):
    """Say what was looked at."""
    print(f"    {gate}: {what}")


def undefined(obj, allowed):
    used = {line.split()[-1] for line in tool("nm", "-u", obj) if line.strip()}
    if not os.path.exists(allowed):
        sys.exit(f"gates: {allowed}: no such list")
    new = sorted(used - listed(allowed))
    if new:
        shut("undefined", f"{obj} needs symbols that {allowed} does not name", new)
    passed("undefined", f"{len(used)} symbols, all listed")


def relocations(obj, system):
    counts = {}
    for line in tool("readobj", "-r", "--expand-relocs", obj):
        m = re.search(r"Type: (\S+)", line)
        if m:
            counts[m.group(1)] = counts.get(m.group(1), 0) + 1
    bad = sorted(set(counts) - RELOCATIONS[system])
    if bad:
        shut("relocations", f"{system}'s kernel linker does not take these, in {obj}",
             [f"{t} ({counts[t]} times)" for t in bad])
    if not counts:
        shut("relocations", f"{obj} has none at all, so it is no module", [])
    passed("relocations", ", ".join(f"{n} {t[9:]}" for t, n in sorted(counts.items())))


def instructions(obj):
    bad, function, n = [], "?", 0
    for line in tool("objdump", "-d", "-C", "--no-show-raw-insn", obj):
        m = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if m:
            function = m.group(1)
            continue
        m = re.match(r"\s*[0-9a-f]+:\s+(\S+)\s*([^#<]*)", line)
        if not m:
            continue
        n += 1
        words = (m.group(1) + " " + m.group(2)).split()
        prefixes = {"rep", "repe", "repne", "lock", "data16", "notrack", "bnd"}
        mnemonic = next((w for w in words if w not in prefixes), "")
        if REGISTER.search(m.group(2)) or (
            MNEMONIC.match(mnemonic) and mnemonic not in INNOCENT
        ):
            bad.append(f"{HASH.sub('', function)}: {' '.join(words)}")
    if bad:
        shut("instructions", f"{obj} uses the vector or floating-point unit", bad)
    if n == 0:
        shut("instructions", f"{obj} has no code at all", [])
    passed("instructions", f"{n} looked at")


def exports(obj, symbol):
    names = sorted(
        line.split()[-1] for line in tool("nm", "--defined-only", "--extern-only", obj)
        if line.strip()
    )
    if names != ([] if symbol == "-" else [symbol]):
        only = "nothing" if symbol == "-" else f"{symbol} and nothing else"
        shut("exports", f"{obj} shall export {only}, but exports", names or ["nothing"])
    passed("exports", symbol)


def demangled(names):
    """{name: what a person would write}; a function's own section counts as it."""
    names = sorted(names)
    bare = [re.sub(r"^\.text\.(?:(?:unlikely|hot|cold|startup)\.)?", "", n) for n in names]
    plain = []
    for at in range(0, len(bare), 500):
        plain += tool("cxxfilt", *bare[at:at + 500])
    return {n: HASH.sub("", p) for n, p in zip(names, plain)}


def panics(obj, golden):
    calls, function = [], None
    for line in tool("objdump", "-d", "-r", "--no-show-raw-insn", obj):
        m = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if m:
            function = m.group(1)
            continue
        # The linker may name the callee's section in place of the callee.
        m = re.search(r"R_X86_64_\w+\s+(\S+?)(?:[-+]0x[0-9a-f]+)?$", line)
        if m and function:
            calls.append((function, m.group(1)))
    plain = demangled({n for pair in calls for n in pair})
    reach = {
        plain[f] for f, callee in calls
        if PANIC.search(plain[callee]) and not PANIC.search(plain[f])
    }
    # Against blindness: who carries the code of a panic must be seen to call it.
    carried = [line.split(" ", 2)[2] for line in tool("nm", "-C", "--defined-only", obj)
               if PANIC.search(line)]
    if carried and not reach:
        shut("panics", f"{obj} has panic code that no function is seen to call", carried)
    known = listed(golden)
    new, gone = sorted(reach - known), sorted(known - reach)
    if new:
        shut("panics", f"functions can panic that {golden} does not name", new)
    for name in gone:
        print(f"    panics: {name} no longer panics: take it out of {golden}")
    passed("panics", f"{len(reach)} functions, all in the golden list")


def frames(limit, objs):
    limit, sizes, bare = int(limit), {}, []
    for obj in objs:
        out = tool("readobj", "--stack-sizes", "-C", obj)
        found = 0
        functions = []
        for line in out:
            m = re.search(r"Functions: \[(.*)\]", line)
            if m:
                functions = [HASH.sub("", m.group(1))]
            m = re.search(r"Size: (0x[0-9A-Fa-f]+|\d+)", line)
            if m and functions:
                found += 1
                name = functions[0]
                sizes[name] = max(sizes.get(name, 0), int(m.group(1), 0))
        if found == 0:
            bare.append(obj)
    if bare:
        shut("frames", "these have no .stack_sizes section", bare)
    big = sorted(((s, f) for f, s in sizes.items() if s >= limit), reverse=True)
    if big:
        shut("frames", f"stack frames of {limit} bytes or more", [f"{s} {f}" for s, f in big])
    top = sorted(((s, f) for f, s in sizes.items()), reverse=True)[:3]
    passed("frames", f"{len(sizes)} functions, largest " +
           ", ".join(f"{s} {f[:60]}" for s, f in top))


def main(args):
    gates = {
        "undefined": (undefined, 2), "relocations": (relocations, 2),
        "instructions": (instructions, 1), "exports": (exports, 2), "panics": (panics, 2),
    }
    if len(args) >= 3 and args[0] == "frames":
        frames(args[1], args[2:])
    elif args and args[0] in gates and len(args) == gates[args[0]][1] + 1:
        gates[args[0]][0](*args[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
