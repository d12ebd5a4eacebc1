#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Types commands on the serial console of a virtual machine: a root shell with the prompt "# ".

    console.py SOCKET LOG wait SECONDS         until the prompt is there
    console.py SOCKET LOG run SECONDS COMMAND  its output on stdout, its exit status as ours

SOCKET is where QEMU offers the console. All that the guest says goes to LOG as well. Exit status
124: the guest did not answer in time; 125: the console is not there.
"""
import re
import socket
import sys
import time


class Console:
    def __init__(self, path, log, seconds):
        self.end = time.monotonic() + seconds
        self.log = open(log, "ab", buffering=0)
        self.text = b""
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                return
            except OSError as e:
                if time.monotonic() > self.end:
                    print(f"{path}: {e}", file=sys.stderr)
                    sys.exit(125)
                time.sleep(0.1)

    def until(self, pattern, again=None):
        """Reads until the pattern shows; types "again" every second meanwhile."""
        typed = time.monotonic()
        while True:
            found = re.search(pattern, self.text)
            if found:
                return found
            if time.monotonic() > self.end:
                print(f"console: no {pattern!r} in time", file=sys.stderr)
                sys.exit(124)
            if again and time.monotonic() - typed > 1:
                self.socket.sendall(again)
                typed = time.monotonic()
            self.socket.settimeout(0.2)
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                continue
            if not data:
                print("console: the guest is gone", file=sys.stderr)
                sys.exit(125)
            self.log.write(data)
            self.text += data

    def run(self, command):
        """The command's exit status, and what it said."""
        # The quotes keep the echo of what is typed from looking like the answer.
        line = f"echo rw''begin; {command}; echo rw''end:$?:\n"
        # A console's input queue is short: no faster than it echoes.
        for at in range(0, len(line), 64):
            self.socket.sendall(line[at:at + 64].encode())
            time.sleep(0.01)
        found = self.until(rb"rwbegin\r*\n([\s\S]*?)rwend:(\d+):")
        return int(found[2]), found[1].replace(b"\r", b"").decode(errors="replace")


def main(argv):
    path, log, verb, seconds = argv[1:5]
    console = Console(path, log, float(seconds))
    if verb == "wait":
        console.until(rb"(?:^|\n|\r)# $", again=b"\n")
        return 0
    status, text = console.run(argv[5])
    sys.stdout.write(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
