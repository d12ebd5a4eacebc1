// SPDX-License-Identifier: BSD-2-Clause
//! `set KEY VALUE ...`, and NetBSD's `key = value`.

use crate::conf::note::Fault;
use crate::conf::remote::format_of;
use crate::conf::remote::is_fingerprint;
use crate::conf::remote::port_number;
use crate::conf::scan::Scan;
use crate::conf::scan::number;
use crate::conf::scan::size;
use crate::conf::scan::time;
use crate::conf::types::Rate;
use crate::conf::types::Settings;
use crate::conf::types::Tls;
use crate::conf::types::Verify;
use std::time::Duration;

const KEYS: &str = "budget, throttle, sources, summary, own, repeats, mark, jump, crashes, queue, \
                    spool, format, ring-dir, boot-dir, sync or message";
const RATE: &str = "100/s, 100/s burst 500, or 10/1m; off";
const MOST_CREDENTIALS: usize = 256;

/// Reads what stands behind `set`, and gives the key.
///
/// # Errors
/// What is wrong in it.
pub(super) fn set<'a>(scan: &mut Scan<'a>, to: &mut Settings) -> Result<&'a str, Fault> {
    scan.blanks();
    let start = scan.at();
    let key = scan.word();
    let mut words = Vec::new();
    scan.blanks();
    while !scan.is_end() {
        words.push((scan.at(), scan.word()));
        scan.blanks();
    }
    let at = words.first().map_or(scan.at(), |w| w.0);
    let plain: Vec<_> = words.iter().map(|w| w.1).collect();
    match one(key, &plain, to) {
        Ok(()) => Ok(key),
        Err(hint) if hint == KEYS => {
            Err(Fault::new(start, format!("unknown setting {key:?}"), hint))
        }
        Err(hint) if plain.is_empty() => Err(Fault::new(at, format!("{key} needs a value"), hint)),
        Err(hint) => {
            let what = format!("{key} {} is not possible", plain.join(" "));
            Err(Fault::new(at, what, hint))
        }
    }
}

type Hint = &'static str;

fn one(key: &str, words: &[&str], to: &mut Settings) -> Result<(), Hint> {
    match (key, words) {
        ("budget", [w]) => to.budget = Some(size(w).ok_or("bytes for all rings, as 8m")?),
        ("budget", _) => return Err("bytes for all rings, as 8m"),
        ("throttle", ["off"]) => to.throttle = None,
        ("throttle", words) => to.throttle = Some(rate(words).ok_or(RATE)?),
        ("own", words) => to.own = rate(words).ok_or("100/s, or 100/s burst 500")?,
        ("sources", [w]) => {
            let hint = "how many sources are remembered, 1 to 65536";
            let n = number(w).and_then(|n| u32::try_from(n).ok());
            to.sources = n.filter(|n| (1..=65_536).contains(n)).ok_or(hint)?;
        }
        ("sources", _) => return Err("how many sources are remembered, 1 to 65536"),
        ("summary", words) => to.summary = some_time(words)?,
        ("sync", words) => to.sync = some_time(words)?,
        ("jump", words) => to.jump = some_time(words)?,
        ("mark", ["off"]) => to.mark = None,
        ("mark", words) => to.mark = Some(some_time(words)?),
        ("repeats", ["off"]) => to.repeats = Vec::new(),
        ("repeats", words) => {
            let hint = "off, or one to eight times, as 30s 2m 10m";
            let times: Option<Vec<_>> = words.iter().map(|w| time(w)).collect();
            let fine = |t: &Vec<Duration>| (1..=8).contains(&t.len());
            let times = times.filter(fine).ok_or(hint)?;
            if times.iter().any(Duration::is_zero) {
                return Err(hint);
            }
            to.repeats = times;
        }
        ("crashes", ["on"]) => to.crashes = true,
        ("crashes", ["off"]) => to.crashes = false,
        ("crashes", _) => return Err("on or off"),
        ("queue", words) => {
            let hint = "bytes in memory for each remote host, as 256k; messages N";
            let (bytes, messages) = match words {
                [w] => (w, None),
                [w, "messages", n] => (w, Some(number(n).filter(|&n| n > 0).ok_or(hint)?)),
                _ => return Err(hint),
            };
            to.queue.bytes = size(bytes).filter(|&n| n <= 1 << 30).ok_or(hint)?;
            to.queue.messages = messages;
        }
        ("spool", ["off"]) => to.queue.spool = None,
        ("spool", [path]) => to.queue.spool = Some(absolute(path)?),
        ("spool", [path, w]) => {
            to.queue.spool = Some(absolute(path)?);
            let bytes = size(w).filter(|&n| n >= 4096);
            to.queue.spool_bytes = bytes.ok_or("bytes on disk for each remote host, as 4m")?;
        }
        ("spool", _) => return Err("the absolute path of a folder, and bytes; off"),
        ("format", [w]) => to.format = Some(format_of(w).ok_or("rfc3164 or rfc5424")?),
        ("format", _) => return Err("rfc3164 or rfc5424"),
        ("ring-dir", [path]) => to.ring_dir = absolute(path)?,
        ("boot-dir", [path]) => to.boot_dir = absolute(path)?,
        ("ring-dir" | "boot-dir", _) => return Err("the absolute path of a folder"),
        ("message", words) => {
            let hint = "bytes of the longest message, from 480 to 64k";
            let [w] = words else { return Err(hint) };
            let n = size(w).and_then(|n| u32::try_from(n).ok());
            // RFC 5424, 6.1: no less than 480.
            to.message = n.filter(|n| (480..=65_536).contains(n)).ok_or(hint)?;
        }
        _ => return Err(KEYS),
    }
    Ok(())
}

fn some_time(words: &[&str]) -> Result<Duration, Hint> {
    let hint = "a time, as 30s, 20m or 1h";
    match words {
        [w] => time(w).filter(|t| !t.is_zero()).ok_or(hint),
        _ => Err(hint),
    }
}

fn absolute(path: &str) -> Result<String, Hint> {
    if path.starts_with('/') && path.len() < 1024 {
        return Ok(path.to_owned());
    }
    Err("the absolute path of a folder")
}

/// `N/TIME [burst N]`.
fn rate(words: &[&str]) -> Option<Rate> {
    let (word, burst) = match words {
        [word] => (word, None),
        [word, "burst", n] => (word, Some(number(n)?)),
        _ => return None,
    };
    let (messages, per) = word.split_once('/')?;
    let per = if per.starts_with(|c: char| c.is_ascii_digit()) {
        time(per)?
    } else {
        time(&format!("1{per}"))?
    };
    let messages = u32::try_from(number(messages)?).ok()?;
    let burst = match burst {
        Some(burst) => u32::try_from(burst).ok()?,
        None => messages,
    };
    // More than 1 000 000 a second is no limit; one in more than a day is silence.
    let interval = per.checked_div(messages)?;
    let fine = (1_000..=86_400_000_000_000).contains(&interval.as_nanos());
    (fine && (1..=10_000_000).contains(&burst)).then_some(Rate {
        messages,
        per,
        burst,
    })
}

/// Whether a line is `key = value`; no selector has a `=` before a `.`.
pub(super) fn is_assignment(text: &str) -> bool {
    let mut scan = Scan::new(text);
    let key = scan.take(|c| c.is_ascii_alphanumeric() || c == '_');
    scan.blanks();
    !key.is_empty() && scan.peek() == Some('=')
}

/// Reads NetBSD's `key = value`. A result is a warning.
///
/// # Errors
/// What is wrong in it.
pub(super) fn assign(scan: &mut Scan<'_>, tls: &mut Tls) -> Result<Option<Fault>, Fault> {
    let start = scan.at();
    let key = scan.take(|c| c.is_ascii_alphanumeric() || c == '_');
    scan.blanks();
    scan.eat('=');
    let mut values = Vec::new();
    loop {
        scan.take(|c| " \t,".contains(c));
        if scan.is_end() || scan.peek() == Some('#') {
            break;
        }
        let at = scan.at();
        let value = if scan.peek() == Some('"') {
            scan.quoted()?
        } else {
            scan.take(|c| !" \t,".contains(c)).to_owned()
        };
        values.push((at, value));
    }
    let list = matches!(key, "tls_allow_fingerprints" | "tls_allow_clientcerts");
    if values.is_empty() || (values.len() > 1 && !list && !ignored(key)) {
        return Err(scan.fault(format!("{key} needs one value"), "key = \"value\""));
    }
    if values.len() > MOST_CREDENTIALS {
        return Err(Fault::new(start, "too many values", ""));
    }
    for (at, value) in values {
        match assign_one(key, value, tls) {
            Ok(()) => {}
            Err("") if ignored(key) => {
                let hint = "nothing here is signed or queued that way";
                return Ok(Some(Fault::new(
                    start,
                    format!("{key} has no effect"),
                    hint,
                )));
            }
            Err("") => {
                let hint = "set KEY VALUE, or NetBSD's tls_... = value";
                return Err(Fault::new(start, format!("unknown setting {key:?}"), hint));
            }
            Err(hint) => {
                return Err(Fault::new(at, format!("{key} can not be this"), hint));
            }
        }
    }
    Ok(None)
}

/// NetBSD's, for which there is nothing here.
fn ignored(key: &str) -> bool {
    matches!(
        key,
        "sign_sg"
            | "sign_delim_sg2"
            | "mem_size_limit"
            | "file_queue_length"
            | "file_queue_size"
            | "pipe_queue_length"
            | "pipe_queue_size"
            | "fifo_queue_length"
            | "fifo_queue_size"
    )
}

fn on_off(value: &str) -> Result<bool, Hint> {
    match value.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Ok(true),
        "off" | "no" | "false" | "0" => Ok(false),
        _ => Err("on or off"),
    }
}

/// An empty hint: the key is not known.
fn assign_one(key: &str, value: String, tls: &mut Tls) -> Result<(), Hint> {
    let path = |value: String| match value.starts_with('/') {
        true => Ok(value),
        false => Err("an absolute path"),
    };
    match key {
        "tls_server" => tls.server = on_off(&value)?,
        "tls_gen_cert" => tls.generate = on_off(&value)?,
        "tls_bindhost" => tls.bind_host = value,
        "tls_bindport" => {
            let hint = "1 to 65535, or syslog-tls";
            tls.bind_port = Some(port_number(&value).ok_or(hint)?);
        }
        "tls_key" => tls.key = Some(path(value)?),
        "tls_cert" => tls.cert = Some(path(value)?),
        "tls_ca" => tls.ca = Some(path(value)?),
        "tls_cadir" => tls.ca_dir = Some(path(value)?),
        "tls_verify" => {
            tls.verify = match value.to_ascii_lowercase().as_str() {
                "opt" | "optional" => Verify::Optional,
                other if on_off(other).is_ok_and(|on| on) => Verify::On,
                other if on_off(other).is_ok() => Verify::Off,
                _ => return Err("on, opt or off"),
            };
        }
        "tls_allow_fingerprints" if is_fingerprint(&value) => tls.clients.fingerprints.push(value),
        "tls_allow_fingerprints" => return Err("SHA1:AB:CD:..., or SHA256:..."),
        "tls_allow_clientcerts" => tls.clients.certs.push(path(value)?),
        "tls_queue_length" if value == "-1" => tls.queue_messages = None,
        "tls_queue_length" => {
            let n = number(&value).filter(|&n| n > 0);
            tls.queue_messages = Some(n.ok_or("a number of messages, or -1")?);
        }
        "tls_queue_size" => {
            let n = size(&value).filter(|&n| n <= 1 << 30);
            tls.queue_bytes = Some(n.ok_or("bytes, as 16M")?);
        }
        _ => return Err(""),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::types::Format;

    #[test]
    fn set_lines() {
        let mut s = Settings::default();
        for line in [
            "budget 8m",
            "throttle 50/s burst 200",
            "sources 1024",
            "summary 1m",
            "own 10/10s",
            "repeats 10s 1m",
            "mark off",
            "jump 5s",
            "crashes off",
            "queue 1m messages 1000",
            "spool /var/spool/syslogd 16m",
            "format rfc5424",
            "ring-dir /run/x",
            "boot-dir /db/x",
            "sync 1m",
            "message 8k",
        ] {
            let mut scan = Scan::new(line);
            let key = set(&mut scan, &mut s).unwrap_or_else(|e| panic!("{line}: {e:?}"));
            assert!(line.starts_with(key));
        }
        let seconds = Duration::from_secs;
        let rate = |messages, per, burst| Rate {
            messages,
            per: seconds(per),
            burst,
        };
        let expected = Settings {
            budget: Some(8 << 20),
            throttle: Some(rate(50, 1, 200)),
            sources: 1024,
            summary: seconds(60),
            own: rate(10, 10, 10),
            repeats: vec![seconds(10), seconds(60)],
            mark: None,
            jump: seconds(5),
            crashes: false,
            queue: crate::conf::Queue {
                bytes: 1 << 20,
                messages: Some(1000),
                spool: Some("/var/spool/syslogd".into()),
                spool_bytes: 16 << 20,
            },
            format: Some(Format::Ietf),
            ring_dir: "/run/x".into(),
            boot_dir: "/db/x".into(),
            sync: seconds(60),
            message: 8192,
        };
        assert_eq!(s, expected);
    }

    #[test]
    fn set_lines_that_are_refused() {
        for (line, at) in [
            ("", 0),
            ("x 1", 0),
            ("budget", 6),
            ("budget x", 7),
            ("throttle 0/s", 9),
            ("throttle 1/s burst 0", 9),
            ("throttle 1/1000d", 9),
            ("throttle 2000000/s", 9),
            ("own off", 4),
            ("sources 0", 8),
            ("repeats 0", 8),
            ("repeats 1 2 3 4 5 6 7 8 9", 8),
            ("mark 0", 5),
            ("spool x", 6),
            ("message 479", 8),
            ("format x", 7),
            ("crashes maybe", 8),
        ] {
            let fault = set(&mut Scan::new(line), &mut Settings::default()).unwrap_err();
            assert_eq!(fault.at, at, "{line}: {fault:?}");
        }
    }

    #[test]
    fn netbsd_lines() {
        let mut tls = Tls::default();
        let sha1 = format!("SHA1{}", ":0a".repeat(20));
        for line in [
            "tls_server=on",
            "tls_bindhost = \"127.0.0.1\"",
            "tls_bindport=\"13245\"  # why",
            "tls_key = /etc/my.key",
            "tls_cert=\"/etc/my.cert\"",
            "tls_ca = \"/etc/ca\"",
            "tls_cadir = \"/etc/cas\"",
            "tls_gen_cert=off",
            "tls_verify=opt",
            &format!("tls_allow_fingerprints = \"{sha1}\" \"{sha1}\""),
            "tls_allow_clientcerts = \"/a\", /b",
            "tls_queue_length=-1",
            "tls_queue_size=1M",
        ] {
            assert!(is_assignment(line), "{line}");
            let result = assign(&mut Scan::new(line), &mut tls);
            assert_eq!(result, Ok(None), "{line}");
        }
        assert!(tls.server && !tls.generate && tls.verify == Verify::Optional);
        assert_eq!(
            (tls.bind_host.as_str(), tls.bind_port),
            ("127.0.0.1", Some(13_245))
        );
        assert_eq!(tls.clients.fingerprints, [sha1.clone(), sha1]);
        assert_eq!(tls.clients.certs, ["/a", "/b"]);
        assert_eq!((tls.queue_bytes, tls.queue_messages), (Some(1 << 20), None));
        let warning = assign(&mut Scan::new("sign_sg = 1"), &mut tls)
            .unwrap()
            .unwrap();
        assert_eq!(warning.what, "sign_sg has no effect");
        for (line, at) in [
            ("tls_server=maybe", 11),
            ("tls_key=x", 8),
            ("tls_key=", 8),
            ("tls_key=/a /b", 13),
            ("tls_new = 1", 0),
            ("tls_verify=\"on", 11),
        ] {
            assert_eq!(
                assign(&mut Scan::new(line), &mut tls).unwrap_err().at,
                at,
                "{line}"
            );
        }
        assert!(!is_assignment("*.=debug /x") && !is_assignment("kern.=debug /x"));
    }
}
