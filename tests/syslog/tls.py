# SPDX-License-Identifier: BSD-2-Clause
"""Scenes of TLS (RFC 5425): openssl, rsyslog and syslog-ng at the other end, certificates made here."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from syslog_peers import listens, ng_in, ng_out, rsyslog_in, rsyslog_out, shown  # noqa: E402
from syslog_scene import check, lab, main, need, need_peer, numbers, blast, run, same, send, until  # noqa: E402

PORT = 6514


def authority(s, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-keyout", s.path(f"{name}.key"), "-out", s.path(f"{name}.pem"),
        "-addext", "basicConstraints=critical,CA:TRUE")


def certificate(s, name, ca, san="DNS:localhost,IP:127.0.0.1"):
    """Signed by that authority."""
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
        "-keyout", s.path(f"{name}.key"), "-out", s.path(f"{name}.csr"))
    ext = s.write(f"{name}.ext", f"subjectAltName={san}\nbasicConstraints=CA:FALSE\n")
    run("openssl", "x509", "-req", "-days", "2", "-in", s.path(f"{name}.csr"), "-CA", s.path(f"{ca}.pem"),
        "-CAkey", s.path(f"{ca}.key"), "-CAcreateserial", "-extfile", ext, "-out", s.path(f"{name}.pem"))


def keys(s):
    """Ours, a peer's, and one that nobody trusts."""
    need("openssl")
    authority(s, "ca")
    authority(s, "other")
    certificate(s, "ours", "ca")
    certificate(s, "peer", "ca")
    certificate(s, "stranger", "other")
    for name in ("ours", "peer", "stranger"):
        os.chmod(s.path(f"{name}.key"), 0o600)
    return {"ca": s.path("ca.pem"), "cert": s.path("peer.pem"), "key": s.path("peer.key")}


def server(s, verify="on"):
    """Ours takes TLS."""
    s.start(f'''tls_server=on
tls_bindhost="127.0.0.1"
tls_bindport="{PORT}"
tls_key="{s.path("ours.key")}"
tls_cert="{s.path("ours.pem")}"
tls_ca="{s.path("ca.pem")}"
tls_verify="{verify}"
*.*\tring:all:1M
''', *lab.listen_args(udp=5514))
    check(until(5, lambda: listens(PORT, ("tcp",))), "nobody listens for TLS")


def client(s, data, *options):
    """openssl s_client sends it; whether the connection stood."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-quiet", "-no_ign_eof", "-CAfile", s.path("ca.pem"),
         "-verify_return_error", *options], input=data, capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def frame(text):
    return b"%d %s" % (len(text), text)


def s_client(s):
    """openssl s_client: TLS 1.3 and 1.2, a client's certificate asked for."""
    keys(s)
    server(s)
    own = ("-cert", s.path("peer.pem"), "-key", s.path("peer.key"))
    for n, version in enumerate(("-tls1_3", "-tls1_2")):
        client(s, frame(b"<14>1 - h a - - - by %s" % version.encode()), version, *own)
        check(until(5, lambda: lab.rings()["all"]["records"] >= n + 1), f"{version}: nothing came")
    client(s, frame(b"<14>1 - h a - - - old"), "-tls1_1", *own)
    client(s, frame(b"<14>1 - h a - - - nobody"))
    client(s, frame(b"<14>1 - h a - - - stranger"), "-cert", s.path("stranger.pem"), "-key", s.path("stranger.key"))
    client(s, frame(b"<14>1 - h a - - - last"), *own)
    check(until(5, lambda: any(lab.text(r) == b"last" for r in s.records())), "the last one does not come")
    texts = [lab.text(r) for r in s.records() if r.get("app") == "a"]
    same(texts, [b"by -tls1_3", b"by -tls1_2", b"last"], "who got in")


def verify_off(s):
    """Anybody may send where nobody is asked."""
    keys(s)
    server(s, "off")
    client(s, frame(b"<14>1 - h a - - - nobody"))
    check(until(5, lambda: any(lab.text(r) == b"nobody" for r in s.records())), "it does not come")


def from_peer(s):
    there = s.path("peer")
    send(b"<166>Nov 29 01:02:03 gate[12]: one", path=there)
    check(until(10, lambda: any(lab.text(r).strip() == b"one" for r in s.records())), "nothing came")
    blast(f"unix:{there}", 1000, "-r", 4000)
    check(until(10, lambda: lab.rings()["all"]["pushed"] >= 1001), "a burst does not come")
    found = numbers(lab.text(r) for r in s.records() if r["app"].startswith("blast"))
    same(sorted(n for _, n in found), list(range(1000)), "the burst")


def from_rsyslog_tls(s):
    need_peer("rsyslogd")
    tls = keys(s)
    server(s)
    rsyslog_out(s, "tls", PORT, tls)
    from_peer(s)


def from_syslog_ng_tls(s):
    need_peer("syslog-ng")
    tls = keys(s)
    server(s)
    ng_out(s, "tls", PORT, tls)
    from_peer(s)


def to_peer(s, out):
    s.start(f'''tls_key="{s.path("ours.key")}"
tls_cert="{s.path("ours.pem")}"
tls_ca="{s.path("ca.pem")}"
*.*\tring:all:1M
*.*\t{lab.remote("tls", "127.0.0.1", PORT)}
''')
    send(b"<166>Nov 29 01:02:03 gate[12]: one")
    check(until(10, lambda: any(line[-1].strip() == "one" for line in shown(out))), f"the peer has {shown(out)}")
    blast(f"unix:{lab.LOG}", 1000, "-r", 4000)
    check(until(10, lambda: len(shown(out)) >= 1001), f"a burst: {len(shown(out))}")
    found = numbers(line[-1].encode() + b" " for line in shown(out) if line[2].startswith("blast"))
    same(sorted(n for _, n in found), list(range(1000)), "the burst")


def to_rsyslog_tls(s):
    need_peer("rsyslogd")
    to_peer(s, rsyslog_in(s, "tls", PORT, keys(s)))


def to_syslog_ng_tls(s):
    need_peer("syslog-ng")
    to_peer(s, ng_in(s, "tls", PORT, keys(s)))


def to_impostor(s):
    """A server whose certificate is not the one that is meant gets nothing."""
    keys(s)
    got = s.path("got")
    with open(got, "wb") as f:
        s.spawn("s_server", "openssl", "s_server", "-accept", f"127.0.0.1:{PORT}", "-quiet",
                "-cert", s.path("stranger.pem"), "-key", s.path("stranger.key"), stdout=f)
    check(until(5, lambda: listens(PORT, ("tcp",))), "s_server does not listen")
    s.start(f'''tls_ca="{s.path("ca.pem")}"
*.*\tring:all:1M
*.*\t{lab.remote("tls", "127.0.0.1", PORT)}
''')
    send(*[b"<166>Nov 29 01:02:03 gate[12]: a secret"] * 5)
    until(2, lambda: os.path.getsize(got) > 0)
    same(os.path.getsize(got), 0, "bytes that the impostor got")
    check(b"a secret" in lab.text(s.records()[0]), "the record")


if __name__ == "__main__":
    main(globals())
