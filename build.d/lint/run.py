# SPDX-License-Identifier: BSD-2-Clause
"""Runs the checks named, or all: python3 build.d/lint/run.py [CHECK ...], from the tree's top."""

import sys

from arrows import arrows, kernel_deps
from circles import circles
from contracts import contracts, coverage
from source import cfg, forbid, safety, sizes, words

CHECKS = {
    "contracts": contracts,
    "coverage": coverage,
    "arrows": arrows,
    "kernel-deps": kernel_deps,
    "unsafe": forbid,
    "safety": safety,
    "cfg": cfg,
    "sizes": sizes,
    "circles": circles,
    "words": words,
}


def main(names):
    for name in names:
        if name not in CHECKS:
            sys.exit(f"no check `{name}'; there are: {' '.join(CHECKS)}")
    verdicts = [CHECKS[name]() for name in names or CHECKS]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
