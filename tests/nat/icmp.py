# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of ICMP through a translating router (RFC 5508), queries and errors."""
import time

import packet as pk
from natlab import EXT, Ghost, addr, check, fail, main, same, say

UNREACHABLE, EXCEEDED, PARAMETER = 3, 11, 12


def is_query(p):
    return p.icmp in ((8, 0), (128, 0))


def is_reply(p):
    return p.icmp in ((0, 0), (129, 0))


def is_error(p):
    return p.icmp is not None and getattr(p, "inner", None) is not None


def ping(inner, outer, ident, seq=1):
    """One query and its answer; the identifier outside."""
    inner.send(pk.echo(inner.ip, outer.ip, ident, seq))
    q = outer.get(want=is_query)
    check(q, "the query did not arrive")
    same((q.src, q.iseq), (EXT, seq), "the query outside")
    outer.send(pk.echo(outer.ip, q.src, q.ident, seq, q.body, reply=True))
    r = inner.get(want=is_reply)
    check(r, "the answer did not arrive")
    same((r.src, r.ident, r.iseq, r.body), (outer.ip, ident, seq, q.body), "the answer inside")
    return q.ident


def query():
    """Two hosts with one identifier are told apart."""
    a, b, far = Ghost("lan1"), Ghost("lan2"), Ghost("inet1")
    one, two = ping(a, far, 4711), ping(b, far, 4711)
    check(one != two, f"both are {one} outside")
    same(ping(a, far, 4711, 2), one, "the identifier, later")


def query_independent():
    """One identifier, three destinations, one identifier outside."""
    a = Ghost("lan1")
    far = [Ghost("inet1"), Ghost("inet2")]
    same(len({ping(a, f, 4711, n) for f in far for n in (1, 2)}), 1, "identifiers; their number")


def unsolicited():
    """Neither a query nor an answer that nobody asked for comes in."""
    a, far, other = Ghost("lan1"), Ghost("inet1"), Ghost("inet2")
    m = ping(a, far, 4711)
    far.send(pk.echo(far.ip, EXT, m + 1, reply=True))
    other.send(pk.echo(other.ip, EXT, m, reply=True))
    a.none(want=is_reply, what="an answer")


def expiry(seconds):
    a, far = Ghost("lan1"), Ghost("inet1")
    m = ping(a, far, 4711)
    time.sleep(float(seconds) * 0.6)
    same(ping(a, far, 4711, 2), m, "the identifier")
    time.sleep(float(seconds) + 2.5)
    far.send(pk.echo(far.ip, EXT, m, 3, reply=True))
    a.none(want=is_reply, what="an answer after the timeout")


# --- errors -------------------------------------------------------------------------------------

def udp_flow(inner, outer, size=64):
    """A flow from inside: the packet as sent and as seen outside."""
    sent = pk.udp(inner.ip, 5000, outer.ip, 33434, bytes(range(size)), ident=77)
    inner.send(sent)
    seen = outer.get(want=lambda p: p.proto == pk.UDP)
    check(seen, "the packet did not arrive")
    return sent, seen


def tcp_flow(inner, outer):
    sent = pk.tcp(inner.ip, 5001, outer.ip, 80, pk.SYN, 1000, options=b"\2\4\5\xb4")
    inner.send(sent)
    seen = outer.get(want=lambda p: p.proto == pk.TCP)
    check(seen, "the SYN did not arrive")
    return sent, seen


def echo_flow(inner, outer):
    sent = pk.echo(inner.ip, outer.ip, 4711)
    inner.send(sent)
    seen = outer.get(want=is_query)
    check(seen, "the query did not arrive")
    return sent, seen


FLOWS = {"udp": udp_flow, "tcp": tcp_flow, "icmp": echo_flow}


def error(src, seen, kind=UNREACHABLE, code=3, quote=None, rest=0, **more):
    """An error of `src` about a packet that was seen."""
    return pk.icmp(src, seen.src, kind, code, rest, seen.data if quote is None else quote, **more)


def restored(e, sent, kind, code, src, most=1500):
    """The error that came in quotes the packet as it was sent, transport header and all."""
    was = pk.Packet(sent)
    same(e.icmp, (kind, code), "type and code")
    same((e.src, e.dst), (src, was.src), "the outer addresses")
    same((e.inner.src, e.inner.dst), (was.src, was.dst), "the quoted addresses")
    n = min(len(e.inner.payload), len(was.payload), most)
    check(n >= 8, f"{n} bytes are quoted")
    same(e.inner.payload[:n].hex(), was.payload[:n].hex(), "the quoted transport header")
    check("IP checksum" not in e.inner.faults, "the quoted header's checksum is wrong")


def errors_in(flow):
    """Errors of every kind, from the far end and from nodes on the way."""
    a, far = Ghost("lan1"), Ghost("inet1")
    sent, seen = FLOWS[flow](a, far)
    for kind, code, rest in ((3, 0, 0), (3, 1, 0), (3, 3, 0), (3, 4, 1300), (3, 13, 0), (11, 0, 0), (11, 1, 0), (12, 0, 0)):
        for src in (far.ip, "192.0.2.99"):
            far.send(error(src, seen, kind, code, rest=rest))
            e = a.get(want=is_error)
            check(e, f"error {kind}/{code} from {src} did not arrive")
            restored(e, sent, kind, code, src)
            same(e.payload[4:8], rest.to_bytes(4, "big"), "the error's second word")


def errors_short():
    """The least that an error quotes: the header and 8 bytes."""
    a, far = Ghost("lan1"), Ghost("inet1")
    for flow, f in FLOWS.items():
        sent, seen = f(a, far)
        far.send(error(far.ip, seen, quote=seen.data[:28]))
        e = a.get(want=is_error)
        check(e, f"{flow}: the error did not arrive")
        restored(e, sent, 3, 3, far.ip)


def errors_quoted_options():
    """IP options in the quoted header are passed over."""
    a, far = Ghost("lan1"), Ghost("inet1")
    sent, seen = udp_flow(a, far)
    quote = pk.ip4(seen.src, seen.dst, pk.UDP, seen.payload, ident=seen.ipid, options=b"\1\1\1\1\1\1\1\0")
    far.send(error(far.ip, seen, quote=quote))
    e = a.get(want=is_error)
    check(e, "the error did not arrive")
    restored(e, sent, 3, 3, far.ip)


def errors_quoted_sum():
    """A wrong transport checksum in the quoted packet is none of the router's business."""
    a, far = Ghost("lan1"), Ghost("inet1")
    _, seen = udp_flow(a, far)
    p = seen.payload
    quote = pk.ip4(seen.src, seen.dst, pk.UDP, p[:6] + bytes((p[6] ^ 0x55, p[7])) + p[8:], ident=seen.ipid)
    far.send(error(far.ip, seen, quote=quote))
    check(a.get(want=is_error), "the error did not arrive")


def errors_extension():
    """RFC 4884: an extension behind the quoted packet arrives as it was."""
    a, far = Ghost("lan1"), Ghost("inet1")
    sent, seen = udp_flow(a, far, 200)
    body = b"\0\x08\1\1\0\x01\x10\x01"
    head = b"\x20\0\0\0"
    head = b"\x20\0" + pk.checksum(head + body).to_bytes(2, "big")
    quote = seen.data[:128] + head + body
    far.send(error(far.ip, seen, EXCEEDED, 0, quote=quote, rest=32 << 16))
    e = a.get(want=is_error)
    check(e, "the error did not arrive")
    restored(e, sent, EXCEEDED, 0, far.ip, 108)
    same(e.payload[4:8].hex(), "00200000", "the length of the quoted packet")
    same(e.body[128:].hex(), (head + body).hex(), "the extension")


def errors_bad():
    """Wrong checksums, unknown flows, nonsense: dropped, and the flow lives on."""
    a, far = Ghost("lan1"), Ghost("inet1")
    _, seen = udp_flow(a, far)
    other_port = pk.udp(seen.src, (seen.sport + 1) & 0xFFFF, seen.dst, seen.dport, b"12345678")
    other_host = pk.udp(seen.src, seen.sport, "192.0.2.77", seen.dport, b"12345678")
    for what, p in (
        ("a wrong ICMP checksum", error(far.ip, seen, bad=True)),
        ("a flow that is not", error(far.ip, seen, quote=other_port)),
        ("a flow to somebody else", error(far.ip, seen, quote=other_host)),
        ("nothing quoted", error(far.ip, seen, quote=b"")),
        ("half a header quoted", error(far.ip, seen, quote=seen.data[:12])),
        ("four bytes of transport", error(far.ip, seen, quote=seen.data[:24])),
        ("a quoted error", error(far.ip, seen, quote=error(far.ip, seen))),
    ):
        far.send(p)
        a.none(0.15, what=f"an error with {what}")
    alive(a, far)


def errors_quoted_header_sum():
    """A quoted IP header that is broken is none of ours."""
    a, far = Ghost("lan1"), Ghost("inet1")
    _, seen = udp_flow(a, far)
    quote = pk.ip4(seen.src, seen.dst, pk.UDP, seen.payload, ident=seen.ipid, bad=True)
    far.send(error(far.ip, seen, quote=quote))
    a.none(what="an error with a broken quoted header")
    alive(a, far)


def alive(inner, outer):
    """The flow of udp_flow passes both ways, by the same mapping."""
    _, seen = udp_flow(inner, outer)
    outer.send(pk.udp(outer.ip, 33434, seen.src, seen.sport, b"back"))
    p = inner.get(want=lambda p: p.proto == pk.UDP)
    check(p and p.dport == 5000, "the flow does not live")
    return seen.sport


def errors_keep():
    """No error ends a mapping (RFC 4787 REQ-12, 5382 REQ-10, 5508 REQ-6)."""
    a, far = Ghost("lan1"), Ghost("inet1")
    port = alive(a, far)
    _, seen = udp_flow(a, far)
    _, syn = tcp_flow(a, far)
    m = ping(a, far, 4711)
    _, q = echo_flow(a, far)
    for kind, code in ((3, 0), (3, 1), (3, 2), (3, 3), (3, 9), (3, 10), (3, 13), (11, 0), (12, 0)):
        for about in (seen, syn, q):
            far.send(error(far.ip, about, kind, code))
    a.drain()
    same(alive(a, far), port, "the UDP mapping")
    same(ping(a, far, 4711, 9), m, "the identifier outside")
    far.send(pk.tcp(far.ip, 80, syn.src, syn.sport, pk.SYN | pk.ACK, 9000, 1001))
    p = a.get(want=lambda p: p.proto == pk.TCP)
    check(p and p.flags == pk.SYN | pk.ACK, "the connection does not go on")


def errors_no_refresh(seconds):
    """Errors about a query keep its mapping no longer than it lives."""
    a, far = Ghost("lan1"), Ghost("inet1")
    _, q = echo_flow(a, far)
    end = time.monotonic() + float(seconds) + 3
    while time.monotonic() < end:
        far.send(error(far.ip, q, EXCEEDED, 0))
        time.sleep(0.4)
    a.drain()
    far.send(pk.echo(far.ip, EXT, q.ident, 2, reply=True))
    a.none(want=is_reply, what="an answer by a mapping that errors kept")


def errors_out():
    """Errors of the LAN about what was forwarded to it: as from the router, quoting what was sent."""
    inner, far = Ghost("lan2"), Ghost("inet1")
    sent = pk.udp(far.ip, 4000, EXT, 5300, b"0123456789", ident=99)
    for src in (inner.ip, "10.0.0.77"):
        far.send(sent)
        seen = inner.get(want=lambda p: p.proto == pk.UDP)
        check(seen and seen.dport == 53, "the forwarded packet did not arrive")
        inner.send(error(src, seen))
        e = far.get(want=is_error)
        check(e, f"the error of {src} did not arrive")
        restored(e, sent, 3, 3, EXT)


def errors_out_unknown():
    inner, far = Ghost("lan2"), Ghost("inet1")
    never = pk.Packet(pk.udp(far.ip, 4000, inner.ip, 53, b"0123456789"))
    inner.send(error(inner.ip, never))
    far.none(want=is_error, what="an error about a flow that is not")


def hairpin_query():
    """A 1:1 host is pinged from the LAN by its outer address."""
    a, b = Ghost("lan1"), Ghost("lan2")
    a.send(pk.echo(a.ip, addr("STATIC"), 4711))
    q = b.get(want=is_query)
    check(q, "the query did not arrive")
    b.send(pk.echo(b.ip, q.src, q.ident, q.iseq, q.body, reply=True))
    r = a.get(want=is_reply)
    check(r, "the answer did not arrive")
    same((r.src, r.ident), (addr("STATIC"), 4711), "the answer")


def hairpin_error():
    """An error about a hairpinned packet goes back the same way."""
    a, b = Ghost("lan1"), Ghost("lan2")
    sent = pk.udp(a.ip, 4000, EXT, 5300, b"0123456789", ident=99)
    a.send(sent)
    seen = b.get(want=lambda p: p.proto == pk.UDP)
    check(seen and seen.dport == 53, "the hairpinned packet did not arrive")
    b.send(error(b.ip, seen))
    e = a.get(want=is_error)
    check(e, "the error did not arrive")
    restored(e, sent, 3, 3, EXT)


def errors6():
    """IPv6: errors about a flow that is, from any node, come in; others do not."""
    a, far = Ghost("lan1"), Ghost("inet1")
    a.send(pk.udp(a.ip6, 5000, far.ip6, 33434, b"0123456789"))
    seen = far.get(want=lambda p: p.proto == pk.UDP)
    check(seen, "the packet did not arrive")
    for kind, code, rest in ((1, 0, 0), (1, 4, 0), (2, 0, 1300), (3, 0, 0), (4, 1, 40)):
        for src in (far.ip6, "2001:db8:a2::99"):
            far.send(pk.icmp(src, a.ip6, kind, code, rest, seen.data))
            e = a.get(want=is_error)
            check(e, f"error {kind}/{code} from {src} did not arrive")
            same(e.body, seen.data, "the quoted packet")
    other = pk.udp(a.ip6, 5001, far.ip6, 33434, b"0123456789")
    far.send(pk.icmp(far.ip6, a.ip6, 1, 4, 0, other))
    far.send(pk.icmp(far.ip6, a.ip6, 1, 4, 0, seen.data, bad=True))
    a.none(want=is_error, what="an error about no flow, or a broken one")


def query6():
    a, far = Ghost("lan1"), Ghost("inet1")
    a.send(pk.echo(a.ip6, far.ip6, 4711))
    q = far.get(want=is_query)
    check(q and q.src == a.ip6, "the query did not arrive")
    far.send(pk.echo(far.ip6, a.ip6, 4711, 1, q.body, reply=True))
    check(a.get(want=is_reply), "the answer did not arrive")
    far.send(pk.echo(far.ip6, a.ip6, 4712, reply=True), pk.echo(far.ip6, a.ip6, 4713))
    a.none(what="what nobody asked for")


# --- sizes --------------------------------------------------------------------------------------

def df_set():
    """Too large for the WAN and DF: the sender is told by the router, about the packet as it was sent."""
    a, far = Ghost("lan1"), Ghost("inet1")
    sent = pk.udp(a.ip, 5000, far.ip, 7000, b"x" * 1372, df=True, ident=5)
    a.send(sent)
    e = a.get(want=is_error)
    check(e, "the sender is not told")
    restored(e, sent, 3, 4, addr("GW4"))
    same(int.from_bytes(e.payload[6:8], "big"), 1300, "the next hop's MTU")
    far.none(0.2, what="a packet larger than the MTU")


def df_clear():
    """Too large for the WAN and no DF: fragments, in order, each of them translated."""
    a, far = Ghost("lan1"), Ghost("inet1")
    data = bytes(n & 0xFF for n in range(1372))
    a.send(pk.udp(a.ip, 5000, far.ip, 7000, data, ident=5))
    got = []
    while len(got) < 2:
        p = far.get()
        check(p, f"{len(got)} fragments arrived")
        got.append(p)
    same([(p.src, p.offset, p.more) for p in got], [(EXT, 0, True), (EXT, len(got[0].payload), False)], "the fragments")
    same(got[0].ipid, got[1].ipid, "the fragments' identification")
    whole = got[0].payload + got[1].payload
    same(whole[8:], data, "the data")
    same(pk.add(pk.pseudo(EXT, far.ip, pk.UDP, len(whole)) + whole), 0xFFFF, "the checksum over all")


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items()) if callable(v)})
