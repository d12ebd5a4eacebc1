#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a kernel's allocators have given out, before and after.

    memory.py OS BEFORE AFTER ROUNDS     exit status 1 when something grows with every round

BEFORE and AFTER hold what the system prints of its memory: on FreeBSD `vmstat -m` (types of
malloc(9)) and `vmstat -z` (zones), on NetBSD `vmstat -m` (pools, kmem's among them) and `vmstat -C`
(their caches). A leak of one object a round grows by ROUNDS; half of that is refused, since caches
fill and timers run. A NetBSD pool counts what its cache keeps as given out, and a burst of packets
leaves hundreds there: the cache's full groups are taken off.
"""
import re
import sys

# "  type  inuse  memory[K]  requests ..."; "ITEM:  size,  limit,  used, free, ..."
MALLOC = re.compile(r"^\s*(\S.*?)\s+(\d+)\s+(\d+)K?\s+(?:-\s+)?(\d+)\b")
ZONE = re.compile(r"^(.+?):\s+(\d+),\s*(\d+),\s*(\d+),\s*(\d+)")
# The allocators' own books; and devctl(4)'s queue of events, which ends at a thousand, unread.
OWN = re.compile(
    r"^(zone (\d+ Bucket|UMA .*|vm pgcache|vmem btag|DEVCTL)|phpool-\d+|pcgnormal|pcglarge)$")
# "name  size  requests  fail  releases ..."
POOL = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\b")
# "name  spin  group size  full groups  empty groups ..."
CACHE = re.compile(r"^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\b")


def inuse(system, path):
    """{name: objects}"""
    table = {}
    caches = False
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if system == "netbsd":
                caches = caches or line.startswith("Pool cache statistics")
                found = (CACHE if caches else POOL).match(line)
                if found and not caches:
                    table[found[1]] = int(found[3]) - int(found[5])
                elif found and found[1] in table:
                    table[found[1]] -= int(found[3]) * int(found[4])
                continue
            zone = ZONE.match(line)
            if zone:
                table["zone " + zone[1]] = int(zone[4])
                continue
            found = MALLOC.match(line)
            if found:
                table["type " + found[1]] = int(found[2])
    return table


def main(argv):
    system, before, after, rounds = argv[1], argv[2], argv[3], int(argv[4])
    was, now = inuse(system, before), inuse(system, after)
    if len(now) < 10:
        print(f"only {len(now)} counters in {after}", file=sys.stderr)
        return 1
    bad = 0
    for name, n in sorted(now.items()):
        if OWN.match(name):
            continue
        grown = n - was.get(name, 0)
        if grown >= rounds / 10:
            print(f"{name}: {was.get(name, 0)} before, {n} after")
        if grown >= rounds / 2:
            bad = 1
    print(f"{len(now)} counters compared over {rounds} rounds")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv))
