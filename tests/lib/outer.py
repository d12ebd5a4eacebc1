#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Send outer packets with any content: the peer that breaks the rules.

    outer.py SRC DST ip COUNT HEX                HEX follows the IP header (protocol 115)
    outer.py SRC DST udp:SPORT:DPORT COUNT HEX   HEX follows the UDP header
"""
import socket
import sys

IPPROTO_L2TP = 115


def main(argv):
    src, dst, encap, count, message = argv[1:6]
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    if encap == "ip":
        s = socket.socket(family, socket.SOCK_RAW, IPPROTO_L2TP)
        s.bind((src, 0))
        to = (dst, 0)
    else:
        _, sport, dport = encap.split(":")
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind((src, int(sport)))
        to = (dst, int(dport))
    for _ in range(int(count)):
        s.sendto(bytes.fromhex(message), to)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
