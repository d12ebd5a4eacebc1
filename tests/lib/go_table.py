# SPDX-License-Identifier: BSD-2-Clause
"""Reads tables of test cases from Go source: `var NAME = []testCase{ {[]byte("..."), true, VALUE, ...}, ... }`.
Only what go-syslog writes there is understood: strings, +, calls of a few functions, and messages made by
(&SyslogMessage{}).SetX(...).SetY(...)."""

import re

TOKEN = re.compile(rb"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<raw>`[^`]*`)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\.)*')
  | (?P<number>0[xX][0-9a-fA-F]+|[0-9]+)
  | (?P<name>[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<mark>.)
""", re.X | re.S)
ESCAPES = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
           b"\\": b"\\", b'"': b'"', b"'": b"'"}
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.S)
CLOSE = {b"(": b")", b"[": b"]", b"{": b"}"}


class Unknown(Exception):
    """What is not understood here: the case is none of a table, or is made by code."""


def unquoted(token):
    """The bytes of an interpreted string."""
    def one(m):
        if m[1] or m[4]:
            return bytes([int(m[1], 16) if m[1] else int(m[4], 8)])
        if m[2] or m[3]:
            return chr(int(m[2] or m[3], 16)).encode()
        return ESCAPES[m[5]]
    return ESCAPE.sub(one, token[1:-1])


def tokens(source):
    """(kind, bytes) of all but blanks and comments."""
    return [(m.lastgroup, m[0]) for m in TOKEN.finditer(source) if m.lastgroup != "space"]


def parts(words, opening):
    """What stands between a bracket at `opening` and its end, by its commas; and where it ends."""
    depth, part, found, at = 0, [], [], opening
    while True:
        if at >= len(words):
            raise Unknown("brackets")
        kind, token = words[at]
        if kind == "mark" and token in CLOSE:
            depth += 1
        elif kind == "mark" and token in CLOSE.values():
            depth -= 1
        if depth == 0:
            if part:
                found.append(part)
            return found, at
        if kind == "mark" and token == b"," and depth == 1:
            found.append(part)
            part = []
        elif at > opening:
            part.append(words[at])
        at += 1


def text(words, known):
    """An expression of strings: its bytes."""
    whole, at = b"", 0
    while at < len(words):
        kind, token = words[at]
        if kind == "raw":
            # Go leaves carriage returns out of these.
            whole += token[1:-1].replace(b"\r", b"")
        elif kind == "string":
            whole += unquoted(token)
        elif kind == "name" and token in known:
            whole += known[token]
        elif kind == "name" and words[at + 1:at + 2] == [("mark", b"(")]:
            inner, end = parts(words, at + 1)
            if token == b"isoLatin1String":
                whole += text(inner[0], known).decode().encode("latin-1")
            elif token == b"string":
                whole += text(inner[0], known)
            else:
                raise Unknown(token)
            at = end
        else:
            raise Unknown(token)
        at += 1
        if at < len(words):
            if words[at] != ("mark", b"+"):
                raise Unknown(words[at])
            at += 1
    return whole


def message(words, known):
    """(&SyslogMessage{}).SetX(...): the fields by name, or None for nil."""
    if words == [("name", b"nil")]:
        return None
    value = {}
    for at, (kind, token) in enumerate(words):
        if kind != "name" or not token.startswith(b"Set") or words[at - 1] != ("mark", b"."):
            continue
        args, _ = parts(words, at + 1)
        name = token[3:].decode()
        if name in ("Version", "Priority"):
            value[name] = int(args[0][0][1], 0)
        elif name == "ElementID":
            value.setdefault("StructuredData", {}).setdefault(text(args[0], known).decode(), {})
        elif name == "Parameter":
            element, key, what = (text(arg, known).decode() for arg in args)
            value.setdefault("StructuredData", {}).setdefault(element, {})[key] = what
        elif name == "Message":
            value[name] = text(args[0], known)
        else:
            value[name] = text(args[0], known).decode()
    return value


def keyed(fields):
    """Fields by name, or in the order of go-syslog's struct."""
    if all(len(f) > 1 and f[0][0] == "name" and f[1] == ("mark", b":") for f in fields):
        return {f[0][1].decode(): f[2:] for f in fields}
    return dict(zip(("input", "valid", "value"), fields))


def cases(path):
    """(input, valid, value) of every case of every table in the file."""
    with open(path, "rb") as f:
        words = tokens(f.read())
    known = {}
    for at in range(len(words) - 3):
        if words[at] == ("name", b"const") and words[at + 2] == ("mark", b"=") and words[at + 3][0] == "string":
            known[words[at + 1][1]] = unquoted(words[at + 3][1])
    opening = [("mark", b"="), ("mark", b"["), ("mark", b"]"), ("name", b"testCase"), ("mark", b"{")]
    for at in range(len(words)):
        # `:=' within functions is none: those are made by code.
        if words[at:at + 5] != opening or words[at - 1] == ("mark", b":"):
            continue
        for case in parts(words, at + 4)[0]:
            fields = keyed(parts(case, 0)[0])
            wrapped = fields["input"]
            if wrapped[:4] == [("mark", b"["), ("mark", b"]"), ("name", b"byte"), ("mark", b"(")]:
                wrapped = parts(wrapped, 3)[0][0]
            valid = fields["valid"] == [("name", b"true")]
            value = message(fields["value"], known) if valid else None
            if valid and "Priority" not in (value or ()):
                raise Unknown(fields["value"])
            yield text(wrapped, known), valid, value
