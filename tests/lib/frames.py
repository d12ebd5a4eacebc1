#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Send and await Ethernet frames on an interface, byte for byte.

    frames.py send IF FRAMEHEX [COUNT]
    frames.py await IF FRAMEHEX SECONDS READYFILE
    frames.py make KIND DST SRC SIZE [VID]

`make` prints a frame in hex: KIND is vlan (802.1Q), qinq (802.1ad outside 802.1Q)
or plain (the local experimental Ethertype), SIZE its length without checksum, its
payload a counting pattern. `await` touches READYFILE once it listens, and ends with
status 0 as soon as exactly that frame arrived. Linux takes the outer tag out of what
a packet socket delivers and reports it beside the data: it is put back here.
"""
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
TP_STATUS_VLAN_VALID = 0x10
TP_STATUS_VLAN_TPID_VALID = 0x40


def open_socket(ifname):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.bind((ifname, 0))
    return s


def receive(s):
    """One incoming frame as it was on the wire, or None for an outgoing one."""
    data, ancillary, _, address = s.recvmsg(65536, 256)
    if address[2] == PACKET_OUTGOING:
        return None
    for level, kind, cdata in ancillary:
        if level != SOL_PACKET or kind != PACKET_AUXDATA or len(cdata) < 20:
            continue
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", cdata[:20])
        if status & TP_STATUS_VLAN_VALID:
            if not status & TP_STATUS_VLAN_TPID_VALID:
                tpid = 0x8100
            data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def make(kind, dst, src, size, vid=0):
    head = mac(dst) + mac(src)
    # Priority 5 and the drop-eligible bit are part of what must survive.
    tci = 5 << 13 | 1 << 12 | vid
    if kind == "qinq":
        head += struct.pack("!HH", 0x88A8, vid + 1)
    if kind in ("vlan", "qinq"):
        head += struct.pack("!HH", 0x8100, tci)
    head += struct.pack("!H", 0x88B5)
    return head + bytes((i * 7 + 3) & 0xFF for i in range(size - len(head)))


def main(argv):
    if argv[1] == "make":
        vid = int(argv[6]) if len(argv) > 6 else 0
        print(make(argv[2], argv[3], argv[4], int(argv[5]), vid).hex())
        return 0
    s = open_socket(argv[2])
    frame = bytes.fromhex(argv[3])
    if argv[1] == "send":
        for _ in range(int(argv[4]) if len(argv) > 4 else 1):
            s.send(frame)
        return 0
    if argv[1] != "await":
        print(__doc__, file=sys.stderr)
        return 2
    end = time.monotonic() + float(argv[4])
    open(argv[5], "w").close()
    near = 0
    while (left := end - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            got = receive(s)
        except TimeoutError:
            break
        if got == frame:
            return 0
        if got is not None and got[:12] == frame[:12]:
            near += 1
            print(f"differs: {got.hex()[:200]} ({len(got)} bytes)", file=sys.stderr)
    print(f"the frame did not arrive; {near} similar ones did", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
