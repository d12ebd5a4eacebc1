# SPDX-License-Identifier: BSD-2-Clause
"""No circle of imports between the files of one crate.

A file's arrows are its paths through `crate::` and `super::`, and its `use` of its own child
modules. What a file only re-exports (`pub use child::Name`) is no arrow: a name imported through a
re-export counts as an import of the file that it comes from. Tests are left out.
"""

import os
import re

from arrows import packages
from report import closing, fault, line_of, read, scrub, verdict, without_tests

USE = re.compile(r"(?P<pub>\bpub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
PATH = re.compile(r"(?<![\w$:])(?:crate|super)(?:\s*::\s*\w+)+")
INLINE = re.compile(r"\bmod\s+(\w+)\s*\{")


def leaves(tree, prefix=()):
    """The paths of a use tree, each a tuple of names; `as` is dropped."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    names = tuple(n.strip() for n in re.sub(r"\s+as\s+\w+", "", head).split("::") if n.strip())
    if not brace:
        yield prefix + tuple(n for n in names if n != "self" or len(prefix + names) == 1)
        return
    depth, start = 0, 0
    inner = rest.rsplit("}", 1)[0]
    for i, c in enumerate(inner + ","):
        depth += {"{": 1, "}": -1}.get(c, 0)
        if c == "," and depth == 0:
            part = inner[start:i]
            start = i + 1
            if part.strip():
                yield from leaves(part, prefix + names)


class Module:
    """One file of a crate."""

    def __init__(self, path, name):
        self.path = path
        self.name = name  # ("input", "parse"); () is the root
        self.code, self.test_children = without_tests(scrub(read(path)))
        self.inline = [(m.start(), closing(self.code, m.end() - 1), m[1])
                       for m in INLINE.finditer(self.code)]
        self.reexports = {}  # name -> path as written
        self.arrows = {}  # module name -> line

    def scope(self, at):
        """The module path at an offset, inline modules included."""
        return self.name + tuple(name for start, end, name in self.inline if start < at < end)


def crate_modules(root):
    """name -> Module for the files below a crate root."""
    modules = {(): Module(root, ())}
    base = os.path.dirname(root)
    todo = [()]
    while todo:
        name = todo.pop()
        for child in re.findall(r"\bmod\s+(\w+)\s*;", modules[name].code):
            full = name + (child,)
            stem = os.path.join(base, *full)
            for path in (stem + ".rs", os.path.join(stem, "mod.rs")):
                if os.path.exists(path):
                    modules[full] = Module(path, full)
                    todo.append(full)
    return modules


def absolute(module, at, path, modules):
    """A written path as names from the crate root; None when it is another crate's."""
    first = path[0] if path else ""
    if first == "crate":
        return path[1:]
    scope = module.scope(at)
    if first == "self":
        return scope + path[1:]
    if first == "super":
        while path and path[0] == "super":
            scope, path = scope[:-1], path[1:]
        return scope + path
    return scope + path if scope + (first,) in modules else None


def resolve(path, modules, depth=0):
    """The file that an absolute path leads to, through re-exports."""
    name = path
    while name not in modules:
        name = name[:-1]
    rest = path[len(name) :]
    if rest and depth < 8:
        target = modules[name].reexports.get(rest[0])
        if target is not None and target != path:
            return resolve(target + rest[1:], modules, depth + 1)
    return name


def read_arrows(modules):
    uses = []
    for module in modules.values():
        for m in USE.finditer(module.code):
            for leaf in leaves(m["tree"]):
                path = absolute(module, m.start(), leaf, modules)
                if path is None:
                    continue
                if m["pub"] and module.scope(m.start()) == module.name:
                    module.reexports[path[-1] if path else ""] = path
                else:
                    uses.append((module, m.start(), path))
        plain = USE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), module.code)
        for m in PATH.finditer(plain):
            written = tuple(re.split(r"\s*::\s*", m.group(0)))
            # The visibility `pub(in crate::x)` is no import.
            if not re.search(r"\bpub\s*\(\s*(in\s+)?$", plain[: m.start()]):
                uses.append((module, m.start(), absolute(module, m.start(), written, modules)))
    for module, at, path in uses:
        target = resolve(path, modules)
        if target != module.name:
            module.arrows.setdefault(target, line_of(module.code, at))


def find_circle(modules):
    """Names along a shortest circle, or None."""
    best = None
    for start in modules:
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop(0)
            for target in modules[path[-1]].arrows:
                if target == start:
                    if best is None or len(path) < len(best):
                        best = path
                    paths = []
                    break
                if target not in seen:
                    seen.add(target)
                    paths.append(path + [target])
    return best


def circles_of(modules):
    """Faults: one for each circle, cut after it is reported."""
    while circle := find_circle(modules):
        steps = []
        for a, b in zip(circle, circle[1:] + circle[:1]):
            steps.append(f"{os.path.basename(modules[a].path)}:{modules[a].arrows[b]} -> "
                         f"{'::'.join(('crate',) + b)}")
        first, second = circle[0], (circle[1:] + circle[:1])[0]
        where = modules[first]
        what = "circle: " + ", ".join(steps) + "; move what both need to the floor below"
        yield fault(where.path, where.arrows[second], what)
        del where.arrows[second]


def circles():
    found, error = packages()
    if found is None:
        return verdict("circles", [fault("Cargo.toml", 1, error)])
    faults = []
    count = 0
    for p in found:
        for t in p["targets"]:
            if {"lib", "bin", "rlib", "staticlib", "proc-macro"} & set(t["kind"]):
                modules = crate_modules(os.path.relpath(t["src_path"], p["root"]))
                count += len(modules)
                read_arrows(modules)
                faults += circles_of(modules)
    return verdict("circles", faults, f"{count} files")
