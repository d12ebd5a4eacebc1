#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Medians and ratios from the iperf3 results of speed.sh.

    speed.py FOLDER ENCAP FAMILY COOKIE LAN_MTU SECONDS [JSON_FILE]
"""
import json
import pathlib
import statistics
import sys

UNITS = {"tcp": ("Mbit/s", 1e6), "udp": ("kpkt/s", 1e3)}
GOALS = {"copy": 0.8, "qemu": 2.0}


def received(kind, path):
    """What arrived in one run: bits a second of TCP, datagrams a second of UDP."""
    with open(path, encoding="utf-8") as f:
        end = json.load(f)["end"]
    if kind == "tcp":
        return end["sum_received"]["bits_per_second"]
    s = end["sum"]
    return (s["packets"] - s["lost_packets"]) / s["seconds"]


def main(argv):
    folder = pathlib.Path(argv[1])
    runs = {}
    for path in sorted(folder.glob("result.*.*.*")):
        _, variant, kind, _ = path.name.split(".")
        runs.setdefault(kind, {}).setdefault(variant, []).append(received(kind, path))
    result = {
        "encap": argv[2],
        "family": int(argv[3]),
        "cookie": int(argv[4]),
        "lan_mtu": int(argv[5]),
        "seconds": int(argv[6]),
    }
    print(f"L2TPv3 over {argv[2]}, IPv{argv[3]}, MTU 1500 outside, {argv[5]} inside")
    for kind, (unit, scale) in UNITS.items():
        if kind not in runs:
            continue
        medians = {v: statistics.median(r) for v, r in runs[kind].items()}
        ratios = {}
        for other, goal in GOALS.items():
            if "host" in medians and medians.get(other):
                ratios[other] = medians["host"] / medians[other]
        result[kind] = {
            "unit": unit,
            "runs": {v: [round(x / scale, 2) for x in r] for v, r in runs[kind].items()},
            "median": {v: round(m / scale, 2) for v, m in medians.items()},
            "host_to": {v: round(r, 3) for v, r in ratios.items()},
        }
        print(f"{kind:4} {'':8} {'median':>10} {'least':>10} {'most':>10}  ({unit})")
        for variant, values in runs[kind].items():
            low, high = min(values) / scale, max(values) / scale
            print(f"     {variant:8} {medians[variant] / scale:10.1f} {low:10.1f} {high:10.1f}")
        for other, ratio in ratios.items():
            verdict = "reached" if ratio >= GOALS[other] else "missed"
            print(f"     host / {other}: {ratio:.2f} (goal {GOALS[other]}, {verdict})")
    if len(argv) > 7:
        with open(argv[7], "w", encoding="utf-8") as f:
            json.dump(result, f, indent=2)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
