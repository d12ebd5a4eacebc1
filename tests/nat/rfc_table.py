# SPDX-License-Identifier: BSD-2-Clause
"""Checks docs/RFC-NAT.md: no empty cell where the RFC says MUST, and every test named is one.

    rfc_table.py DOC FOLDER     FOLDER has the test programs
"""
import pathlib
import re
import subprocess
import sys

TEST = re.compile(r"\b(t_\w+):(\w+)\b")


def cases(program):
    listing = subprocess.run(["atf-sh", str(program), "-s", str(program.parent), "-l"], check=True,
                             capture_output=True, text=True).stdout
    return set(re.findall(r"^ident: (\S+)", listing, re.M))


def main(argv):
    folder = pathlib.Path(argv[2])
    known, faults, musts = {}, [], 0
    for n, line in enumerate(pathlib.Path(argv[1]).read_text(encoding="utf-8").splitlines(), 1):
        for program, case in TEST.findall(line):
            path = folder / f"{program}.sh"
            if program not in known:
                known[program] = cases(path) if path.exists() else set()
            if case not in known[program]:
                faults.append(f"{n}: there is no test {program}:{case}")
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and "MUST" in cells[1]:
            musts += 1
            if not all(cells) or not (TEST.search(cells[4]) or cells[4].startswith("as ")):
                faults.append(f"{n}: an empty cell for a MUST: {cells[0]}")
    if musts < 30:
        faults.append(f"only {musts} rows of MUST were found")
    print("\n".join(faults) or f"{musts} MUSTs, each with a test")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
