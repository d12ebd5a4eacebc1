#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Rewrite R_X86_64_PLT32 to R_X86_64_PC32 in a relocatable amd64 ELF object.

In an object that no PLT will ever be made for, the two mean the same; NetBSD's
kernel linker is not known to take the first.  Usage: plt32.py OBJECT
"""

import struct
import sys

SHT_RELA = 4
R_PC32, R_PLT32 = 2, 4


def main(path):
    with open(path, "r+b") as f:
        d = bytearray(f.read())
        if d[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", d, 16) != (1, 62):
            sys.exit(f"{path}: not a relocatable amd64 ELF object")
        shoff, = struct.unpack_from("<Q", d, 0x28)
        shentsize, shnum = struct.unpack_from("<HH", d, 0x3A)
        n = 0
        for i in range(shnum):
            sh = shoff + i * shentsize
            kind, = struct.unpack_from("<I", d, sh + 4)
            off, size = struct.unpack_from("<QQ", d, sh + 0x18)
            if kind != SHT_RELA:
                continue
            for r in range(off, off + size, 24):
                info, = struct.unpack_from("<Q", d, r + 8)
                if info & 0xFFFFFFFF == R_PLT32:
                    struct.pack_into("<Q", d, r + 8, info - R_PLT32 + R_PC32)
                    n += 1
        f.seek(0)
        f.write(d)
    print(f"    {n} relocations PLT32 -> PC32")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
