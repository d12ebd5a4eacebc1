# SPDX-License-Identifier: BSD-2-Clause
"""The boundary: every function of sys/kpi has its contract block, and every kernel defines it."""

import re

from report import fault, files, line_of, read, scrub, verdict

KEYS = ["ctx", "sleeps", "locks", "owns", "netbsd", "freebsd", "host"]
CONTEXTS = {"thread", "softint", "any"}
MOST_FUNCTIONS = 120
MOST_LINES = 1500

# Where each kernel's definitions are. sys/psref is Rust that FreeBSD and the host link.
KERNELS = {
    "netbsd": ["sys/netbsd"],
    "freebsd": ["sys/freebsd", "sys/psref"],
    "host": ["sys/host", "sys/psref"],
}

TOKEN = re.compile(r"/\*.*?\*/|\{|\}|;|^[ \t]*#(?:[^\n\\]|\\.)*", re.S | re.M)
PROTOTYPE = re.compile(r"\b(kpi_\w+)\s*\(")
HEAD = re.compile(r"(kpi_\w+): \S")


def items(text):
    """Top-level comments and declarations of a header: (kind, offset, text)."""
    depth = 0
    start = 0
    for m in TOKEN.finditer(text):
        what = m.group(0)
        if what == "{":
            depth += 1
        elif what == "}":
            depth -= 1
        elif depth == 0:
            if what == ";":
                yield "declaration", start, text[start : m.end()]
                start = m.end()
            elif what.startswith("/*"):
                # A comment behind code on its line belongs to that code.
                if not text[start : m.start()].strip():
                    yield "comment", m.start(), what
                    start = m.end()
            elif not text[start : m.start()].strip():
                start = m.end()


def comment_lines(comment):
    """The lines of a block comment, without the leading ` *`."""
    inner = comment[2:-2].split("\n")
    return [re.sub(r"^ ?\*", "", line).rstrip() for line in inner]


def is_contract(comment):
    """A block that means to be a contract: it names a kpi function, or lists a key."""
    lines = comment_lines(comment)
    head = next((line.strip() for line in lines if line.strip()), "")
    keyed = any(re.match(rf"  ({'|'.join(KEYS)}): ", line) for line in lines)
    return bool(HEAD.match(head)) or keyed


def check_block(path, line, comment, name):
    """Faults of one contract block."""
    lines = comment_lines(comment)
    at = next(i for i, text in enumerate(lines) if text.strip())
    if not lines[at].strip().startswith(f"{name}: "):
        yield fault(path, line + at, f"begin the block with `{name}: what it does'")
    wanted = list(KEYS)
    for i, text in enumerate(lines[at + 1 :], at + 1):
        m = re.match(r"  (\w+):(.*)$", text)
        if not m:
            continue
        key, value = m[1], m[2].strip()
        if not wanted or key != wanted[0]:
            if key in wanted:
                missing = wanted[: wanted.index(key)]
                yield fault(path, line + i, f"{name}: key `{missing[0]}' is missing before `{key}'")
                wanted = wanted[wanted.index(key) + 1 :]
            else:
                yield fault(path, line + i, f"{name}: key `{key}' is not expected here")
            continue
        wanted.pop(0)
        if not value:
            yield fault(path, line + i, f"{name}: say something for `{key}'")
        elif key == "ctx" and value not in CONTEXTS:
            yield fault(path, line + i, f"{name}: ctx is one of thread, softint, any")
    if wanted:
        yield fault(path, line, f"{name}: key `{wanted[0]}' is missing")


def check_header(path, text, functions):
    """Faults of one header; adds name -> (path, line) to functions."""
    block = None
    for kind, at, body in list(items(text)) + [("end", len(text), "")]:
        body_at = at + len(body) - len(body.lstrip())
        line = line_of(text, body_at)
        if kind == "comment":
            if block:
                yield fault(path, block[0], "a contract block without its function below")
            block = (line, body) if is_contract(body) else None
            continue
        code = re.sub(r"/\*.*?\*/", " ", body, flags=re.S)
        named = PROTOTYPE.search(code) if kind == "declaration" else None
        # A typedef of a function pointer is a type, not a function of the kpi.
        if named and not code.lstrip().startswith("typedef") and "{" not in code:
            name = named[1]
            if name in functions:
                yield fault(path, line, f"{name} is declared twice")
            functions[name] = (path, line)
            if block:
                yield from check_block(path, block[0], block[1], name)
            else:
                yield fault(path, line, f"{name} has no contract block: see kpi.h for its keys")
        elif block:
            yield fault(path, block[0], "a contract block without its function below")
        block = None


def headers():
    """(faults, functions, lines in all)."""
    faults, functions, lines = [], {}, 0
    for path in files(".h", under=("sys/kpi",)):
        text = read(path)
        lines += text.count("\n")
        faults += check_header(path, text, functions)
    return faults, functions, lines


def contracts():
    faults, functions, lines = headers()
    if not functions:
        faults.append(fault("sys/kpi/kpi.h", 1, "no function found"))
    if len(functions) > MOST_FUNCTIONS:
        what = f"{len(functions)} functions, at most {MOST_FUNCTIONS}: see DESIGN.md before growing"
        faults.append(fault("sys/kpi/kpi.h", 1, what))
    if lines > MOST_LINES:
        what = f"{lines} lines of headers, at most {MOST_LINES}: say it shorter"
        faults.append(fault("sys/kpi/kpi.h", 1, what))
    return verdict("contracts", faults, f"{len(functions)} functions, {lines} lines")


def defined(folders):
    """Names of kpi functions that the C and Rust files below the folders define."""
    names = set()
    for path in files(".c", under=folders):
        names |= set(re.findall(r"^(kpi_\w+)\(", read(path), re.M))
    for path in files(".rs", under=[f + "/src" for f in folders]):
        names |= set(re.findall(r'\bextern\s+fn\s+(kpi_\w+)', scrub(read(path)).replace('"C"', "")))
        names |= set(re.findall(r'extern "C(?:-unwind)?" fn (kpi_\w+)', read(path)))
    return names


def coverage():
    _, functions, _ = headers()
    faults = []
    for kernel, folders in KERNELS.items():
        have = defined(folders)
        for name, (path, line) in functions.items():
            if name not in have:
                faults.append(fault(path, line, f"{name}: define it for {kernel} in {folders[0]}"))
        for name in sorted(have - set(functions)):
            if name.startswith("kpi_impl") or kernel != "host":
                continue
            faults.append(fault(folders[0], 1, f"{name} is defined, but no header declares it"))
    return verdict("coverage", faults, "every function is defined for all three kernels")
