# SPDX-License-Identifier: BSD-2-Clause
"""Who may depend on whom, from `cargo metadata`, and what a kernel may link from elsewhere."""

import functools
import json
import os
import re
import subprocess

from report import fault, line_of, read, verdict

ALLOW_FILE = "build.d/kernel-deps.allow"

# A package's class by its folder; the first rule that matches.
CLASSES = [
    (r"usr\.sbin/hostkern", "hostkern"),
    (r"usr\.sbin/[^/]+", "usr.sbin"),
    (r"tests(/[^/]+)?", "tests"),
    (r"lib/testkit", "testkit"),
    (r"lib/[^/]+", "lib"),
    (r"modules/[^/]+/abi", "modules/*/abi"),
    (r"modules/[^/]+(/core|/chips/[^/]+)?", "modules/*"),
    (r"sys/net/(?!wire$)[^/]+", "sys/net"),
    (r"sys/(abi|kern|dev|psref|host|kpi-sys|net/wire)", None),
]

ABI = {"modules/*/abi", "sys/abi"}
USERLAND = {"lib"} | ABI
# wire is views of bytes: it allocates nothing and asks no kernel.
NET = {"sys/net", "sys/net/wire"}
# hostkern and the tests are where the host kernel and the modules meet.
MEETING = USERLAND | NET | {"testkit", "sys/host", "modules/*", "sys/kern", "sys/kpi-sys"}

# What a package of a class may name under [dependencies] and [build-dependencies].
ARROWS = {
    "usr.sbin": USERLAND,
    "hostkern": MEETING - {"testkit"},
    "tests": MEETING,
    "lib": USERLAND,
    "testkit": USERLAND | {"testkit"},
    "modules/*/abi": {"sys/abi"},
    "modules/*": {"sys/kern", "sys/dev"} | NET | ABI,
    "sys/net": {"sys/kern", "sys/abi"} | NET,
    "sys/net/wire": {"sys/abi"},
    "sys/kern": {"sys/kpi-sys", "sys/abi"},
    "sys/dev": {"sys/kpi-sys", "sys/abi"},
    "sys/psref": {"sys/kpi-sys"},
    "sys/host": {"sys/kpi-sys", "sys/psref", "sys/abi"},
    "sys/abi": set(),
    "sys/kpi-sys": set(),
}

# What its tests may use besides.
ON_A_HOST = {"sys/host", "sys/psref", "sys/kern", "testkit"}
DEV_ARROWS = {
    "usr.sbin": {"testkit", "lib"},
    "hostkern": {"testkit"},
    "tests": MEETING | {"sys/psref"},
    "lib": {"testkit"},
    "modules/*/abi": {"testkit"},
    "modules/*": ON_A_HOST | {"sys/kpi-sys"},
    "sys/kern": ON_A_HOST,
    "sys/dev": ON_A_HOST,
    "sys/net": ON_A_HOST,
    "sys/net/wire": {"testkit"},
    "sys/host": {"testkit"},
    "sys/abi": {"testkit"},
}

# Linked into a kernel object: other people's crates only from the allow-list.
KERNEL = {"modules/*", "modules/*/abi", "sys/kern", "sys/dev", "sys/psref", "sys/abi",
          "sys/kpi-sys"} | NET


def metadata():
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip().split("\n")[0]
    return json.loads(done.stdout), ""


def class_of(folder):
    for pattern, name in CLASSES:
        if re.fullmatch(pattern, folder):
            return name or folder
    return None


def family(folder):
    """modules/switch/chips/x and modules/switch/core are one module."""
    return "/".join(folder.split("/")[:2])


def allowed_crates():
    lines = (line.split("#")[0].strip() for line in read(ALLOW_FILE).split("\n"))
    return {line.split()[0] for line in lines if line}


def place(manifest, dependency):
    """path:line of a dependency in its manifest."""
    text = read(manifest)
    name = re.escape(dependency)
    m = re.search(rf"^(?:\[.*\.)?\"?{name}\"?\s*[.=\]]", text, re.M)
    return manifest, line_of(text, m.start()) if m else 1


def check_own(package, dependency, target):
    """Faults of a dependency on another package of the tree."""
    kind = dependency["kind"] or "normal"
    may = set(ARROWS[package["class"]])
    if kind == "dev":
        may |= DEV_ARROWS.get(package["class"], set())
    here = place(package["manifest"], dependency["name"])
    own = family(package["folder"]) == family(target["folder"])
    if target["folder"] == package["folder"]:
        # Cargo's way to turn on a feature for one's own tests.
        return
    if target["class"] not in may and not (target["class"] == "modules/*" and own):
        listed = ", ".join(sorted(ARROWS[package["class"]])) or "nothing of the tree"
        what = f"{package['folder']} may not depend on {target['folder']}"
        if target["class"] == "modules/*":
            what += ": use its abi, or move what both need to the floor below"
        else:
            what += f": only on {listed}"
        yield fault(*here, what)
    if package["class"] in KERNEL and kind == "normal" and dependency["features"]:
        names = ", ".join(dependency["features"])
        yield fault(*here, f"no feature of our own crates in a kernel object: remove {names}")


@functools.cache
def packages():
    data, error = metadata()
    if data is None:
        return None, error
    found = []
    for p in data["packages"]:
        manifest = os.path.relpath(p["manifest_path"], data["workspace_root"])
        folder = os.path.dirname(manifest)
        found.append({"name": p["name"], "manifest": manifest, "folder": folder,
                      "class": class_of(folder), "dependencies": p["dependencies"],
                      "targets": p["targets"], "root": data["workspace_root"]})
    return found, ""


def arrows():
    found, error = packages()
    if found is None:
        return verdict("arrows", [fault("Cargo.toml", 1, error)])
    faults = []
    by_folder = {p["folder"]: p for p in found}
    count = 0
    for p in found:
        if p["class"] is None:
            what = f"no rule for {p['folder']}: give it a class in build.d/lint/arrows.py"
            faults.append(fault(p["manifest"], 1, what))
            continue
        for d in p["dependencies"]:
            if not d.get("path"):
                continue
            target = by_folder.get(os.path.relpath(d["path"], p["root"]))
            if target is None:
                what = f"{d['name']} lies outside the workspace: make it a member"
                faults.append(fault(*place(p["manifest"], d["name"]), what))
            elif target["class"] is not None:
                count += 1
                faults += check_own(p, d, target)
    return verdict("arrows", faults, f"{len(found)} packages, {count} arrows")


def kernel_deps():
    found, error = packages()
    if found is None:
        return verdict("kernel-deps", [fault("Cargo.toml", 1, error)])
    allow = allowed_crates()
    faults = []
    for p in found:
        if p["class"] not in KERNEL:
            continue
        for d in p["dependencies"]:
            # What only the model checker's build has is linked into no kernel.
            outside = not d.get("path") and d["kind"] is None and d["target"] != "cfg(loom)"
            if outside and d["name"] not in allow:
                what = f"{d['name']} is not in {ALLOW_FILE}: audit it first, or do without"
                faults.append(fault(*place(p["manifest"], d["name"]), what))
            elif outside and d["uses_default_features"]:
                what = f"{d['name']}: default-features = false, or std comes along"
                faults.append(fault(*place(p["manifest"], d["name"]), what))
    return verdict("kernel-deps", faults, ", ".join(sorted(allow)))
