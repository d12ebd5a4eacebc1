// SPDX-License-Identifier: BSD-2-Clause
//! RFC 3164 as it is met, behind the priority.

use crate::msg::Clocks;
use crate::msg::Msg;
use crate::parse::token::FIELD_MAX;
use crate::parse::token::printable;
use crate::parse::token::word;
use crate::parse::types::Flaws;
use crate::parse::types::Form;
use crate::parse::types::From;
use crate::pri::Pri;
use crate::time;
use crate::time::Stamp;
use crate::time::Zone;

/// What senders without a host in their messages say, too.
const REPEATED: &[u8] = b"last message repeated ";

/// What AIX and old BSDs put before the host's name when they pass a message on.
const FORWARDED: [&[u8]; 2] = [b"Message forwarded from ", b"Forwarded from "];

/// Reads a message: all of it is text if nothing else is found.
pub fn parse<'a>(
    pri: Pri,
    bytes: &'a [u8],
    from: &From<'a>,
    zone: &Zone,
    now: Clocks,
    flaws: &mut Flaws,
) -> (Msg<'a>, Form) {
    let mut msg = Msg {
        pri,
        sent: None,
        host: from.host,
        app: b"",
        procid: b"",
        msgid: b"",
        sd: b"",
        text: bytes,
    };
    let stamped = stamp(bytes, zone, now.wall);
    match &stamped {
        Some(found) => {
            msg.sent = found.time;
            msg.text = found.rest;
            if found.time.is_none() {
                flaws.insert(Flaws::BAD_TIME);
            }
            if !found.cisco {
                host(&mut msg, from);
            }
        }
        None => flaws.insert(Flaws::NO_TIME),
    }
    let tagged = tag(&mut msg, flaws);
    let form = if stamped.is_some() || tagged {
        Form::Bsd
    } else {
        Form::Bare
    };
    (msg, form)
}

/// A time stamp and what is around it.
struct Stamped<'a> {
    time: Option<i64>,
    rest: &'a [u8],
    /// Its end is a colon, and then there is no host.
    cisco: bool,
}

/// Finds the stamp: `Oct 11 22:14:15 `, `2003-10-11T22:14:15.003Z `, or as some routers write it,
/// `123: *Mar  1 18:48:50.483 UTC: `, with a number of the message, and a mark for a bad clock.
fn stamp<'a>(bytes: &'a [u8], zone: &Zone, now: i64) -> Option<Stamped<'a>> {
    let mut start = bytes;
    let digits = bytes
        .iter()
        .take(10)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if let Some([b':', b' ', rest @ ..]) = bytes.get(digits..)
        && digits > 0
    {
        start = rest;
    }
    if let [b'*' | b'.', rest @ ..] = start {
        start = rest;
    }
    let read = |start: &[u8]| -> Option<Stamp> {
        match start {
            [b'0'..=b'9', ..] => time::rfc3339(start),
            _ => time::rfc3164(start, zone, now),
        }
    };
    let stamp = read(start)?;
    let mut rest = start.get(stamp.len..)?;
    if let Some(name) = zone_name(rest) {
        rest = rest.get(name..)?;
    }
    let (rest, cisco) = match rest {
        [] => (rest, false),
        [b' ', after @ ..] => (after, false),
        [b':', b' ', after @ ..] => (after, true),
        _ => return None,
    };
    Some(Stamped {
        time: stamp.time,
        rest,
        cisco,
    })
}

/// ` UTC` before a colon: its length.
fn zone_name(bytes: &[u8]) -> Option<usize> {
    let letters = bytes.strip_prefix(b" ")?;
    let n = letters
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase())
        .count();
    ((2..=5).contains(&n) && letters.get(n) == Some(&b':')).then_some(n + 1)
}

/// Takes the host from the text, if it has one.
fn host<'a>(msg: &mut Msg<'a>, from: &From<'a>) {
    if msg.text.starts_with(REPEATED) {
        return;
    }
    for prefix in FORWARDED {
        if let Some((name, rest)) = msg.text.strip_prefix(prefix).and_then(word)
            && let [name @ .., b':'] = name
            && is_host(name)
        {
            msg.host = name;
            msg.text = rest;
            return;
        }
    }
    let Some((name, rest)) = word(msg.text) else {
        return;
    };
    // A sender to the local socket that writes a host means us.
    let ours = name == from.host || Some(name) == from.host.split(|&b| b == b'.').next();
    if is_host(name) && (!from.local || ours) {
        msg.host = name;
        msg.text = rest;
    }
}

/// A tag ends in a colon, or has a process id; a host does not.
fn is_host(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= FIELD_MAX
        && printable(name)
        && name.last() != Some(&b':')
        && !name.contains(&b'[')
}

/// Takes `app: ` or `app[procid]: ` from the text; whether it was there.
fn tag(msg: &mut Msg<'_>, flaws: &mut Flaws) -> bool {
    let Some(end) = memchr::memchr3(b':', b'[', b' ', msg.text) else {
        return false;
    };
    let Some((app, mut rest)) = msg.text.split_at_checked(end) else {
        return false;
    };
    let mut procid = &b""[..];
    if let [b'[', inner @ ..] = rest {
        let ahead = inner.get(..FIELD_MAX + 1).unwrap_or(inner);
        let Some(len) = memchr::memchr(b']', ahead) else {
            return false;
        };
        let (Some(id), Some(after)) = (inner.get(..len), inner.get(len + 1..)) else {
            return false;
        };
        (procid, rest) = (id, after);
        rest = match rest {
            [b':', after @ ..] => after,
            [] | [b' ', ..] => rest,
            _ => return false,
        };
    } else {
        rest = match rest {
            [b':'] => b"",
            [b':', b' ', ..] => rest.get(1..).unwrap_or_default(),
            _ => return false,
        };
    }
    if app.is_empty() || app.len() > FIELD_MAX || !printable(app) || !printable(procid) {
        return false;
    }
    if app.len() > 48 || procid.len() > 128 {
        flaws.insert(Flaws::LONG);
    }
    msg.app = app;
    msg.procid = procid;
    msg.text = rest.strip_prefix(b" ").unwrap_or(rest);
    true
}
