#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Medians and ratios from the results of nat.sh.

    nat.py FOLDER SECONDS [JSON_FILE]
"""
import json
import pathlib
import statistics
import sys

KINDS = {
    "tcp_up": ("TCP out", "Mbit/s", 1e6),
    "tcp_down": ("TCP in", "Mbit/s", 1e6),
    "udp_up": ("UDP of 64 bytes out", "kpkt/s", 1e3),
    "udp_down": ("UDP of 64 bytes in", "kpkt/s", 1e3),
    "conn": ("connections", "1000/s", 1e3),
}


def value(kind, path):
    """What arrived in one run: bits, datagrams or connections a second."""
    text = path.read_text(encoding="utf-8")
    if kind == "conn":
        return float(text.split()[0])
    end = json.loads(text)["end"]
    if kind.startswith("tcp"):
        return end["sum_received"]["bits_per_second"]
    s = end["sum"]
    return (s["packets"] - s["lost_packets"]) / s["seconds"]


def main(argv):
    folder = pathlib.Path(argv[1])
    runs = {}
    for path in sorted(folder.glob("result.*.*.*")):
        _, variant, kind, _ = path.name.split(".")
        runs.setdefault(kind, {}).setdefault(variant, []).append(value(kind, path))
    result = {"seconds": int(argv[2])}
    for kind, (name, unit, scale) in KINDS.items():
        if kind not in runs:
            continue
        medians = {v: statistics.median(r) for v, r in runs[kind].items()}
        print(f"{name + ', ' + unit:30} {'median':>10} {'least':>10} {'most':>10}")
        for variant, values in runs[kind].items():
            low, high = min(values) / scale, max(values) / scale
            print(f"  {variant:28} {medians[variant] / scale:10.1f} {low:10.1f} {high:10.1f}")
        ratio = None
        if medians.get("nft") and "host" in medians:
            ratio = round(medians["host"] / medians["nft"], 3)
            print(f"  host / nft: {ratio:.2f}")
        result[kind] = {
            "unit": unit,
            "runs": {v: [round(x / scale, 2) for x in r] for v, r in runs[kind].items()},
            "median": {v: round(m / scale, 2) for v, m in medians.items()},
            "host_to_nft": ratio,
        }
    if len(argv) > 3:
        with open(argv[3], "w", encoding="utf-8") as f:
            json.dump(result, f, indent=2)
            f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
