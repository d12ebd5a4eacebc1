# SPDX-License-Identifier: BSD-2-Clause
"""rsyslog and syslog-ng beside ours: one that takes messages on a socket of its own and sends them on,
or one that receives and writes what it has read into a file, a field after the other."""

import os

from syslog_scene import check, until

SEPARATOR = "\t"


def started(s, process, ready):
    check(until(10, lambda: not process.alive() or ready()), f"{process.name} does not start: {process.said()[-1500:]}")
    check(process.alive(), f"{process.name} ended: {process.said()[-1500:]}")


def listens(port, kinds=("tcp", "udp")):
    """Whether somebody does, on any address."""
    for kind in kinds:
        for family in ("", "6"):
            with open(f"/proc/net/{kind}{family}") as f:
                for line in f:
                    words = line.split()
                    if words[1].endswith(f":{port:04X}") and words[3] in ("0A", "07"):
                        return True
    return False


def rsyslog(s, conf):
    return s.peer("rsyslogd", "-n", "-i", "NONE", "-f", s.write("rsyslog.conf", conf))


def rsyslog_out(s, transport, port, tls=None):
    """Takes from the socket "peer", sends by UDP in the old grammar and by TCP in the new one."""
    there = s.path("peer")
    form = "RSYSLOG_TraditionalForwardFormat" if transport == "udp" else "RSYSLOG_SyslogProtocol23Format"
    how = {
        "udp": 'protocol="udp"',
        "tcp": 'protocol="tcp"',
        "octets": 'protocol="tcp" TCP_Framing="octet-counted"',
        "tls": 'protocol="tcp" TCP_Framing="octet-counted" StreamDriver="ossl" StreamDriverMode="1" '
               'StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"',
    }[transport]
    process = rsyslog(s, f'''{rsyslog_tls(tls)}module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{there}" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="{port}" {how} template="{form}" action.resumeInterval="1")
''')
    started(s, process, lambda: os.path.exists(there))


def rsyslog_in(s, transport, port, tls=None):
    """Receives; what it has read goes into the file that is returned."""
    out = s.path("rsyslog.out")
    names = ["syslogfacility-text", "syslogseverity-text", "programname", "procid", "msgid",
             "structured-data", "hostname", "msg"]
    form = "\\t".join(f"%{name}%" for name in names)
    ears = {
        "udp": f'module(load="imudp")\ninput(type="imudp" Address="127.0.0.1" Port="{port}")',
        "tcp": f'module(load="imtcp")\ninput(type="imtcp" Address="127.0.0.1" Port="{port}")',
        "tls": 'module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" '
               f'StreamDriver.AuthMode="anon")\ninput(type="imtcp" Address="127.0.0.1" Port="{port}")',
    }[{"octets": "tcp"}.get(transport, transport)]
    process = rsyslog(s, f'''{rsyslog_tls(tls)}{ears}
template(name="fields" type="string" string="{form}\\n")
action(type="omfile" file="{out}" template="fields")
''')
    started(s, process, lambda: listens(port))
    return out


def rsyslog_tls(tls):
    if tls is None:
        return ""
    return (f'global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{tls["ca"]}" '
            f'DefaultNetstreamDriverCertFile="{tls["cert"]}" DefaultNetstreamDriverKeyFile="{tls["key"]}")\n')


def syslog_ng(s, conf):
    path = s.write("syslog-ng.conf", "@version: 3.38\noptions { flush-lines(1); keep-hostname(yes); };\n" + conf)
    return s.peer("syslog-ng", "-F", "--no-caps", "-f", path, "-R", s.path("ng.persist"), "-p", s.path("ng.pid"),
                  "-c", s.path("ng.ctl"))


def ng_tls(tls):
    if tls is None:
        return ""
    return (f'tls(ca-file("{tls["ca"]}") cert-file("{tls["cert"]}") key-file("{tls["key"]}") '
            'peer-verify(optional-untrusted))')


def ng_out(s, transport, port, tls=None):
    """Takes from the socket "peer", sends; counted octets are its driver `syslog'."""
    there = s.path("peer")
    door = {
        "udp": f'network("127.0.0.1" port({port}) transport("udp"))',
        "tcp": f'network("127.0.0.1" port({port}) transport("tcp"))',
        "octets": f'syslog("127.0.0.1" port({port}) transport("tcp"))',
        "tls": f'syslog("127.0.0.1" port({port}) transport("tls") {ng_tls(tls)})',
    }[transport]
    process = syslog_ng(s, f'''source s {{ unix-dgram("{there}"); }};
destination d {{ {door}; }};
log {{ source(s); destination(d); }};
''')
    started(s, process, lambda: os.path.exists(there))


def ng_in(s, transport, port, tls=None):
    """Receives. Its driver `network' reads the old grammar, `syslog' the new one with counted octets."""
    out = s.path("ng.out")
    door = {
        "udp": f'network(ip("127.0.0.1") port({port}) transport("udp"))',
        "tcp": f'network(ip("127.0.0.1") port({port}) transport("tcp"))',
        "octets": f'syslog(ip("127.0.0.1") port({port}) transport("tcp"))',
        "tls": f'syslog(ip("127.0.0.1") port({port}) transport("tls") {ng_tls(tls)})',
    }[transport]
    names = ["FACILITY", "LEVEL", "PROGRAM", "PID", "MSGID", "SDATA", "HOST", "MSG"]
    form = SEPARATOR.join("${%s}" % name for name in names)
    process = syslog_ng(s, f'''source s {{ {door}; }};
destination d {{ file("{out}" template("{form}\\n")); }};
log {{ source(s); destination(d); }};
''')
    started(s, process, lambda: listens(port))
    return out


def shown(out):
    """The lines of such a file, each a list of its fields: facility, severity, program, process id,
    message id, structured data, host, text."""
    try:
        with open(out, "rb") as f:
            data = f.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.split(SEPARATOR) for line in data.split("\n")[:-1]]
