# SPDX-License-Identifier: BSD-2-Clause
"""Build packets byte by byte, right or wrong, and take apart what arrives.

Builders return bytes from the IP header on. A checksum that shall be wrong is given as `bad=True`.
Packet() parses one, with what it found wrong in .faults.
"""
import ipaddress
import struct

ICMP, TCP, UDP, GRE, ESP, ICMP6, FRAG6 = 1, 6, 17, 47, 50, 58, 44
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


def add(data):
    """The Internet checksum's sum, folded."""
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data):
    return ~add(data) & 0xFFFF


def address(text):
    return ipaddress.ip_address(text).packed


def text(packed):
    return str(ipaddress.ip_address(packed))


def pseudo(src, dst, proto, length):
    s, d = address(src), address(dst)
    if len(s) == 4:
        return s + d + struct.pack("!BBH", 0, proto, length)
    return s + d + struct.pack("!II", length, proto)


def ip4(src, dst, proto, payload=b"", ttl=64, ident=0, df=False, mf=False, offset=0, tos=0,
        options=b"", total=None, ihl=None, version=4, bad=False):
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options)
    flags = (0x4000 if df else 0) | (0x2000 if mf else 0) | offset // 8
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | (size // 4 if ihl is None else ihl), tos,
                       size + len(payload) if total is None else total, ident, flags, ttl, proto, 0,
                       address(src), address(dst)) + options
    c = checksum(head) ^ (0x1234 if bad else 0)
    return head[:10] + struct.pack("!H", c) + head[12:] + payload


def ip6(src, dst, proto, payload=b"", hops=64, total=None):
    return struct.pack("!IHBB", 6 << 28, len(payload) if total is None else total, proto,
                       hops) + address(src) + address(dst) + payload


def ip(src, dst, proto, payload=b"", **more):
    return (ip6 if ":" in src else ip4)(src, dst, proto, payload, **more)


def transport(src, dst, proto, message, at, bad=False):
    """The message with its checksum at `at`; that of UDP is never 0."""
    message = message[:at] + b"\0\0" + message[at + 2:]
    c = checksum(pseudo(src, dst, proto, len(message)) + message)
    c ^= 0x1234 if bad else 0
    if c == 0 and proto == UDP:
        c = 0xFFFF
    return message[:at] + struct.pack("!H", c) + message[at + 2:]


def udp(src, sport, dst, dport, data=b"", bad=False, nosum=False, length=None, **more):
    m = struct.pack("!HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data
    if not nosum:
        m = transport(src, dst, UDP, m, 6, bad)
    return ip(src, dst, UDP, m, **more)


def tcp_segment(src, sport, dst, dport, flags, seq=0, ack=0, win=65535, data=b"", options=b"",
                bad=False, offset=None, urgent=0):
    options += b"\1" * (-len(options) % 4)
    size = 20 + len(options)
    m = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                    (size // 4 if offset is None else offset) << 4, flags, win, 0, urgent)
    return transport(src, dst, TCP, m + options + data, 16, bad)


def tcp(src, sport, dst, dport, flags, seq=0, ack=0, win=65535, data=b"", options=b"", bad=False,
        offset=None, urgent=0, **more):
    return ip(src, dst, TCP, tcp_segment(src, sport, dst, dport, flags, seq, ack, win, data,
                                         options, bad, offset, urgent), **more)


def icmp(src, dst, kind, code, rest, data=b"", bad=False, **more):
    """`rest` is the second word of the header: an int, or (id, sequence)."""
    if isinstance(rest, tuple):
        rest = rest[0] << 16 | rest[1]
    m = struct.pack("!BBHI", kind, code, 0, rest) + data
    if ":" in src:
        return ip6(src, dst, ICMP6, transport(src, dst, ICMP6, m, 2, bad), **more)
    c = checksum(m) ^ (0x1234 if bad else 0)
    return ip4(src, dst, ICMP, m[:2] + struct.pack("!H", c) + m[4:], **more)


def echo(src, dst, ident, seq=1, data=b"0123456789abcdef", reply=False, **more):
    kind = ((129 if reply else 128) if ":" in src else (0 if reply else 8))
    return icmp(src, dst, kind, 0, (ident, seq), data, **more)


def fragments(packet, sizes, ident=0x4242):
    """Cuts an IPv4 or IPv6 packet's payload at these sizes (multiples of 8 but the last)."""
    p = Packet(packet)
    out = []
    at = 0
    for n, size in enumerate(sizes):
        more = n < len(sizes) - 1
        part = p.payload[at:at + size] if more else p.payload[at:]
        out.append(fragment(p, part, at, more, ident))
        at += size
    return out


def fragment(p, part, at, more, ident=0x4242):
    """One fragment of Packet p: these bytes, as if they stood at `at`."""
    if p.version == 4:
        return ip4(p.src, p.dst, p.proto, part, ident=ident, mf=more, offset=at)
    head = struct.pack("!BBHI", p.proto, 0, at | int(more), ident)
    return ip6(p.src, p.dst, FRAG6, head + part)


class Packet:
    """What a packet says, from its IP header on (`data`), or inside an ICMP error (inner)."""

    def __init__(self, data, inner=False):
        self.faults = []
        self.sport = self.dport = self.ident = self.icmp = None
        self.data = data
        self.version = data[0] >> 4
        self.offset, self.more, self.fragment = 0, False, False
        if self.version == 4:
            self.ihl = (data[0] & 15) * 4
            self.tos, total, self.ipid, flags, self.ttl, self.proto = struct.unpack("!xBHHHBB", data[:10])
            if add(data[:self.ihl]) != 0xFFFF:
                self.faults.append("IP checksum")
            self.src, self.dst = text(data[12:16]), text(data[16:20])
            self.df, self.more, self.offset = bool(flags & 0x4000), bool(flags & 0x2000), (flags & 0x1FFF) * 8
            self.payload = data[self.ihl:total]
        else:
            length, self.proto, self.ttl = struct.unpack("!4xHBB", data[:8])
            self.src, self.dst = text(data[8:24]), text(data[24:40])
            self.payload, self.df, self.ihl = data[40:40 + length], True, 40
            if self.proto == FRAG6:
                self.proto, where = self.payload[0], struct.unpack("!H", self.payload[2:4])[0]
                self.offset, self.more = where & 0xFFF8, bool(where & 1)
                self.fragment, self.payload = True, self.payload[8:]
        self.fragment = self.fragment or self.more or self.offset > 0
        if self.offset == 0:
            self.upper(inner)

    def upper(self, inner):
        p = self.payload
        whole = not self.fragment and not inner
        if self.proto in (TCP, UDP) and len(p) >= 8:
            self.sport, self.dport = struct.unpack("!HH", p[:4])
            if self.proto == TCP and len(p) >= 20:
                self.seq, self.ack, offset, self.flags, self.win = struct.unpack("!IIBBH", p[4:16])
                self.options, self.body = p[20:(offset >> 4) * 4], p[(offset >> 4) * 4:]
            else:
                self.flags, self.body = None, p[8:]
            if whole and not (self.proto == UDP and p[6:8] == b"\0\0") and \
                    add(pseudo(self.src, self.dst, self.proto, len(p)) + p) != 0xFFFF:
                self.faults.append("transport checksum")
        elif self.proto in (ICMP, ICMP6) and len(p) >= 8:
            self.icmp = (p[0], p[1])
            self.ident, self.iseq = struct.unpack("!HH", p[4:8])
            self.body = p[8:]
            over = pseudo(self.src, self.dst, ICMP6, len(p)) if self.proto == ICMP6 else b""
            if whole and add(over + p) != 0xFFFF:
                self.faults.append("ICMP checksum")
            error = p[0] in (3, 4, 5, 11, 12) if self.proto == ICMP else p[0] < 128
            self.inner = Packet(self.body, True) if error and len(self.body) >= 28 else None

    def __str__(self):
        what = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp6"}.get(self.proto, str(self.proto))
        s = f"{self.src} > {self.dst} {what}"
        if self.sport is not None:
            s += f" {self.sport}>{self.dport}"
            if self.proto == TCP and self.flags is not None:
                s += f" flags {self.flags:#x} seq {self.seq} ack {self.ack} len {len(self.body)}"
        if self.icmp:
            s += f" {self.icmp} id {self.ident}"
            if getattr(self, "inner", None):
                s += f" [{self.inner}]"
        if self.fragment:
            s += f" fragment {self.offset}+{len(self.payload)}{'+' if self.more else ''}"
        return s + (f" BAD {self.faults}" if self.faults else "")
