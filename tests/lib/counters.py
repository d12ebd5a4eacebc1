#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""One interface's counters as "name value" lines.

    counters.py IF KSTAT_JSON IFCONFIG_JSON    from `kstat -a --json`, `ifconfig --json IF`

Counters of the interface have their own name, those of the module stand behind
"module.", those of another instance behind its name; what every interface counts
stands behind "if.". Drops have their class behind them: "bad_cookie 3 drop".
"""
import json
import sys


def main(argv):
    _, ifname, kstat, ifconfig = argv
    with open(kstat, encoding="utf-8") as f:
        counters = json.load(f)
    with open(ifconfig, encoding="utf-8") as f:
        interfaces = json.load(f)
    for c in counters:
        prefix = {ifname: "", "": "module."}.get(c["instance"], c["instance"] + ".")
        print(prefix + c["name"], c["value"], c["class"])
    if isinstance(interfaces, dict):
        interfaces = [interfaces]
    for interface in interfaces:
        for name, value in interface["stats"].items():
            print("if." + name, value, "counter")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
