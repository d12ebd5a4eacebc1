// SPDX-License-Identifier: BSD-2-Clause
//! Remote hosts, as all of the BSDs and rsyslog write them, and the options that may follow.

use crate::conf::note::Fault;
use crate::conf::scan::Scan;
use crate::conf::scan::number;
use crate::conf::scan::size;
use crate::conf::types::Family;
use crate::conf::types::Format;
use crate::conf::types::Framing;
use crate::conf::types::Queue;
use crate::conf::types::Remote;
use crate::conf::types::Settings;
use crate::conf::types::Tls;
use crate::conf::types::Transport;
use crate::conf::types::Trust;
use std::net::Ipv6Addr;

/// What a line says; what it leaves open is filled in when all lines are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    transport: Transport,
    family: Family,
    host: String,
    port: u16,
    format: Option<Format>,
    framing: Option<Framing>,
    bytes: Option<u64>,
    messages: Option<u64>,
    spool: Option<String>,
    spool_bytes: Option<u64>,
    trust: Trust,
}

impl Draft {
    /// With what `set`, and for TLS NetBSD's lines, say about all of them.
    pub fn finish(self, settings: &Settings, netbsd: &Tls) -> Remote {
        let tls = self.transport == Transport::Tls;
        let (bytes, messages) = match tls {
            true => (netbsd.queue_bytes, netbsd.queue_messages),
            false => (None, None),
        };
        let usual = if tls { Format::Ietf } else { Format::Bsd };
        let all = &settings.queue;
        let framing = if tls { Framing::Octets } else { Framing::Lines };
        Remote {
            transport: self.transport,
            family: self.family,
            host: self.host,
            port: self.port,
            format: self.format.or(settings.format).unwrap_or(usual),
            framing: self.framing.unwrap_or(framing),
            queue: Queue {
                bytes: self.bytes.or(bytes).unwrap_or(all.bytes),
                messages: self.messages.or(messages).or(all.messages),
                spool: self.spool.or_else(|| all.spool.clone()),
                spool_bytes: self.spool_bytes.unwrap_or(all.spool_bytes),
            },
            trust: self.trust,
        }
    }
}

const SCHEMES: [(&str, Transport, Family); 9] = [
    ("udp://", Transport::Udp, Family::Any),
    ("udp4://", Transport::Udp, Family::V4),
    ("udp6://", Transport::Udp, Family::V6),
    ("tcp://", Transport::Tcp, Family::Any),
    ("tcp4://", Transport::Tcp, Family::V4),
    ("tcp6://", Transport::Tcp, Family::V6),
    ("tls://", Transport::Tls, Family::Any),
    ("tls4://", Transport::Tls, Family::V4),
    ("tls6://", Transport::Tls, Family::V6),
];

/// What stands in an action behind its first `@`. The second of the result is a warning.
///
/// # Errors
/// What is wrong in it.
pub(super) fn remote(scan: &mut Scan<'_>) -> Result<(Draft, Option<Fault>), Fault> {
    let start = scan.at();
    let mut framing = None;
    let (mut transport, mut family) = (Transport::Udp, Family::Any);
    let mut named = false;
    if scan.eat('@') {
        (transport, named) = (Transport::Tcp, true);
        // rsyslog's.
        if scan.eat_str("(o)") {
            framing = Some(Framing::Octets);
        }
    } else if let Some(&(_, t, f)) = SCHEMES.iter().find(|(s, _, _)| scan.eat_str(s)) {
        (transport, family, named) = (t, f, true);
    }
    let bracketed = scan.peek() == Some('[');
    let host = host(scan)?;
    let literal6 = host
        .split('%')
        .next()
        .is_some_and(|h| h.parse::<Ipv6Addr>().is_ok());
    let port = port(scan)?;
    let mut ahead = scan.clone();
    ahead.blanks();
    let options = ahead.peek() == Some('(');
    if options {
        *scan = ahead;
    }
    let mut warning = None;
    if bracketed && !named {
        // NetBSD writes TLS so, FreeBSD and OpenBSD an IPv6 address over UDP.
        if literal6 && !options {
            let hint = "write @tls://[...] or add () for TLS, @udp://[...] to say UDP";
            let what = "an IPv6 address in brackets is sent to over UDP, as FreeBSD does";
            warning = Some(Fault::new(start, what, hint));
        } else {
            transport = Transport::Tls;
        }
    }
    let mut draft = Draft {
        transport,
        family,
        host,
        port: port.unwrap_or(if transport == Transport::Tls {
            6514
        } else {
            514
        }),
        format: None,
        framing,
        bytes: None,
        messages: None,
        spool: None,
        spool_bytes: None,
        trust: Trust::default(),
    };
    if scan.eat('(') {
        options_of(scan, &mut draft)?;
    }
    Ok((draft, warning))
}

fn host(scan: &mut Scan<'_>) -> Result<String, Fault> {
    let start = scan.at();
    let name = if scan.eat('[') {
        let name = scan.take(|c| c != ']' && c != ' ' && c != '\t');
        if !scan.eat(']') {
            return Err(Fault::new(start, "a [ is not closed", ""));
        }
        name
    } else {
        scan.take(|c| !" \t:,;()[]#".contains(c))
    };
    let fine = |b: u8| b.is_ascii_alphanumeric() || b".-_:%".contains(&b);
    if name.is_empty() || name.len() > 255 || !name.bytes().all(fine) {
        let hint = "@host, @host:port, @[address]:port";
        return Err(Fault::new(
            start,
            format!("{name:?} is no name of a host"),
            hint,
        ));
    }
    Ok(name.to_owned())
}

/// A port's number, or one of three names.
pub(super) fn port_number(word: &str) -> Option<u16> {
    match word {
        "syslog" => Some(514),
        "syslog-conn" => Some(601),
        "syslog-tls" => Some(6514),
        _ => u16::try_from(number(word)?).ok().filter(|&p| p != 0),
    }
}

fn port(scan: &mut Scan<'_>) -> Result<Option<u16>, Fault> {
    if !scan.eat(':') {
        return Ok(None);
    }
    let start = scan.at();
    let word = scan.take(|c| c.is_ascii_alphanumeric() || c == '-');
    match port_number(word) {
        Some(port) => Ok(Some(port)),
        None => {
            let hint = "1 to 65535, syslog, syslog-conn or syslog-tls; an IPv6 address needs []";
            Err(Fault::new(start, format!("{word:?} is no port"), hint))
        }
    }
}

/// `key=value,...)`; the first parenthesis has been read.
fn options_of(scan: &mut Scan<'_>, draft: &mut Draft) -> Result<(), Fault> {
    loop {
        scan.blanks();
        if scan.eat(')') {
            return Ok(());
        }
        if scan.eat(',') {
            continue;
        }
        let start = scan.at();
        let key = scan.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        scan.blanks();
        if key.is_empty() || !scan.eat('=') {
            return Err(Fault::new(
                start,
                "expected key=value",
                "options end with )",
            ));
        }
        scan.blanks();
        let at = scan.at();
        let value = if scan.peek() == Some('"') {
            scan.quoted()?
        } else {
            scan.take(|c| !" \t,)".contains(c)).to_owned()
        };
        option(draft, key, value).map_err(|(what, hint)| {
            let at = if what.starts_with("unknown option") {
                start
            } else {
                at
            };
            Fault::new(at, what, hint)
        })?;
    }
}

type Wrong = (String, &'static str);

/// No file of certificates names more.
const MOST: usize = 64;

fn option(draft: &mut Draft, key: &str, value: String) -> Result<(), Wrong> {
    let wrong = |hint| Err((format!("{key}={value:?} is not possible"), hint));
    match key {
        "subject" if !value.is_empty() => draft.trust.subjects.push(value),
        "fingerprint" if is_fingerprint(&value) => draft.trust.fingerprints.push(value),
        "fingerprint" => return wrong("SHA1:AB:CD:..., or SHA256:..."),
        "cert" if value.starts_with('/') => draft.trust.certs.push(value),
        "cert" => return wrong("the absolute path of a PEM file"),
        "verify" => match value.as_str() {
            "off" | "no" => draft.trust.any = true,
            "on" | "opt" | "yes" => draft.trust.any = false,
            _ => return wrong("on or off"),
        },
        "format" => match format_of(&value) {
            Some(format) => draft.format = Some(format),
            None => return wrong("rfc3164 or rfc5424"),
        },
        "framing" => match value.as_str() {
            "octets" => draft.framing = Some(Framing::Octets),
            "lines" => draft.framing = Some(Framing::Lines),
            _ => return wrong("octets or lines"),
        },
        "queue" => match size(&value).filter(|&n| n <= 1 << 30) {
            Some(bytes) => draft.bytes = Some(bytes),
            None => return wrong("bytes in memory, as 256k, at most 1g"),
        },
        "messages" => match number(&value).filter(|&n| n > 0) {
            Some(messages) => draft.messages = Some(messages),
            None => return wrong("a number of messages"),
        },
        "spool" if value.starts_with('/') => draft.spool = Some(value),
        "spool" => return wrong("the absolute path of a folder"),
        "spool-size" => match size(&value).filter(|&n| n >= 4096) {
            Some(bytes) => draft.spool_bytes = Some(bytes),
            None => return wrong("bytes on disk, as 4m, at least 4k"),
        },
        _ => {
            let hint = "subject, fingerprint, cert, verify, format, framing, queue, messages, \
                        spool or spool-size";
            return Err((format!("unknown option {key:?}"), hint));
        }
    }
    let trust = &draft.trust;
    let most = [&trust.subjects, &trust.fingerprints, &trust.certs];
    if most.iter().any(|list| list.len() > MOST) {
        return Err((format!("more than {MOST} of {key}"), ""));
    }
    Ok(())
}

/// `SHA1:` or another hash, and its bytes in hex with colons between.
pub(super) fn is_fingerprint(text: &str) -> bool {
    let Some((hash, bytes)) = text.split_once(':') else {
        return false;
    };
    let length = match hash.to_ascii_lowercase().replace('-', "").as_str() {
        "sha1" => 20,
        "sha256" => 32,
        "sha384" => 48,
        "sha512" => 64,
        _ => return false,
    };
    let byte = |b: &str| b.len() == 2 && b.bytes().all(|d| d.is_ascii_hexdigit());
    bytes.split(':').count() == length && bytes.split(':').all(byte)
}

/// By the names of NetBSD's -o and FreeBSD's -O.
pub(super) fn format_of(word: &str) -> Option<Format> {
    match word.to_ascii_lowercase().as_str() {
        "bsd" | "rfc3164" => Some(Format::Bsd),
        "syslog" | "rfc5424" => Some(Format::Ietf),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Remote, bool), Fault> {
        let mut scan = Scan::new(text);
        let (draft, warning) = remote(&mut scan)?;
        scan.finish()?;
        Ok((
            draft.finish(&Settings::default(), &Tls::default()),
            warning.is_some(),
        ))
    }

    fn place(text: &str) -> (Transport, String, u16, bool) {
        let (r, warned) = read(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        (r.transport, r.host, r.port, warned)
    }

    #[test]
    fn all_the_ways_to_write_it() {
        use Transport::{Tcp, Tls, Udp};
        for (text, transport, host, port, warned) in [
            ("loghost", Udp, "loghost", 514, false),
            ("loghost.x.org:1514", Udp, "loghost.x.org", 1514, false),
            ("192.0.2.1", Udp, "192.0.2.1", 514, false),
            ("[2001:db8::1]:514", Udp, "2001:db8::1", 514, true),
            ("[fe80::1%em0]", Udp, "fe80::1%em0", 514, true),
            ("[2001:db8::1]:6514()", Tls, "2001:db8::1", 6514, false),
            ("[loghost]", Tls, "loghost", 6514, false),
            ("[127.0.0.1]:10514", Tls, "127.0.0.1", 10514, false),
            ("@loghost", Tcp, "loghost", 514, false),
            ("@(o)loghost:601", Tcp, "loghost", 601, false),
            ("@[::1]:9", Tcp, "::1", 9, false),
            ("udp6://[::1]:9", Udp, "::1", 9, false),
            ("tcp://h:syslog-conn", Tcp, "h", 601, false),
            ("tls4://h", Tls, "h", 6514, false),
        ] {
            assert_eq!(
                place(text),
                (transport, host.into(), port, warned),
                "{text}"
            );
        }
        assert_eq!(read("@(o)h").unwrap().0.framing, Framing::Octets);
        assert_eq!(read("@h").unwrap().0.framing, Framing::Lines);
        assert_eq!(read("udp6://h").unwrap().0.family, Family::V6);
        let tls = read("tls://h").unwrap().0;
        assert_eq!((tls.format, tls.framing), (Format::Ietf, Framing::Octets));
    }

    #[test]
    fn options() {
        let sha1 = format!("SHA1{}", ":0a".repeat(20));
        let text = format!(
            "[h]:1 (subject=\"a b\", subject=c,fingerprint=\"{sha1}\" cert=\"/etc/c.pem\", \
             verify=off, format=bsd, framing=lines, queue=1m, messages=9, spool=\"/var/spool/x\", \
             spool-size=8m)"
        );
        let (r, _) = read(&text).unwrap();
        assert_eq!(r.trust.subjects, ["a b", "c"]);
        assert_eq!(r.trust.fingerprints, [sha1]);
        assert_eq!(r.trust.certs, ["/etc/c.pem"]);
        assert!(r.trust.any);
        assert_eq!((r.format, r.framing), (Format::Bsd, Framing::Lines));
        let spool = Some("/var/spool/x".to_owned());
        let queue = Queue {
            bytes: 1 << 20,
            messages: Some(9),
            spool,
            spool_bytes: 8 << 20,
        };
        assert_eq!(r.queue, queue);
    }

    #[test]
    fn what_is_refused() {
        for (text, at) in [
            ("", 0),
            ("[::1", 0),
            ("a b", 2),
            ("::1", 0),
            ("h:", 2),
            ("h:0", 2),
            ("h:65536", 2),
            ("h:http", 2),
            ("h(x=1)", 2),
            ("h(queue=9g)", 8),
            ("h(queue", 2),
            ("h(format=json", 9),
            ("h(subject=\"x)", 10),
            ("h(fingerprint=\"MD5:00\")", 14),
            ("h()x", 3),
        ] {
            assert_eq!(read(text).unwrap_err().at, at, "{text}");
        }
    }
}
