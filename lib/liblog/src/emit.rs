// SPDX-License-Identifier: BSD-2-Clause
//! From messages to bytes: for other syslogds and for files. What is too long is cut, and says so
//! with three dots.

use crate::buf::Buf;
use crate::msg::Msg;
use crate::parse::is_sd;
use crate::text::pieces;
use crate::text::run;
use crate::time;
use crate::time::Zone;

/// What a cut text ends with.
const MARK: &[u8] = b"...";

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What [`line()`] leaves free at the end of a buffer.
pub const LINE_END: usize = 2;

/// Where writing began, and where it must stop.
struct Limit {
    start: usize,
    end: usize,
}

impl Limit {
    fn new(out: &Buf, max: usize) -> Self {
        Limit {
            start: out.len(),
            end: out.capacity().min(out.len().saturating_add(max)),
        }
    }

    const fn room(&self, out: &Buf) -> usize {
        self.end.saturating_sub(out.len())
    }

    /// As much as fits, with a mark if that is not all; whether it was all.
    fn push(&self, out: &mut Buf, bytes: &[u8]) -> bool {
        let room = self.room(out);
        if let Some(fits) = bytes.get(..room)
            && room < bytes.len()
        {
            out.push(fits);
            self.mark(out);
            return false;
        }
        out.push(bytes)
    }

    /// Puts the mark at the very end, between characters.
    fn mark(&self, out: &mut Buf) {
        let mut keep = self.end.saturating_sub(MARK.len()).max(self.start);
        for _ in 0..3 {
            if keep > self.start && out.as_bytes().get(keep).is_some_and(|b| b & 0xc0 == 0x80) {
                keep -= 1;
            }
        }
        out.truncate(keep);
        out.push(MARK.get(..self.room(out)).unwrap_or(MARK));
    }

    /// Whether what was written without looking is within the limit; else it is cut.
    fn holds(&self, out: &mut Buf) -> bool {
        let holds = out.len() <= self.end && !out.is_cut();
        if !holds {
            out.truncate(self.end);
        }
        holds
    }
}

fn pri(msg: &Msg<'_>, out: &mut Buf) {
    out.byte(b'<');
    out.number(u64::from(msg.pri.value()));
    out.byte(b'>');
}

/// A field that may not be empty, of at most `max` bytes.
fn field(bytes: &[u8], max: usize) -> &[u8] {
    match bytes {
        b"" => b"-",
        _ => bytes.get(..max).unwrap_or(bytes),
    }
}

/// Appends `<13>Oct 11 22:14:15 host app[procid]: text` (RFC 3164), at most `max` bytes. A host
/// that is empty becomes `-`: the caller knows its name. Whether all was written.
pub fn bsd(
    msg: &Msg<'_>,
    stamp: i64,
    zone: &Zone,
    with_pri: bool,
    max: usize,
    out: &mut Buf,
) -> bool {
    let limit = Limit::new(out, max);
    if with_pri {
        pri(msg, out);
    }
    time::write_rfc3164(stamp, zone, out);
    header(msg, out);
    // A header that leaves no room: nobody wants such lines, but nothing goes over the limit.
    limit.holds(out) && limit.push(out, msg.text)
}

/// ` host app[procid]: `.
fn header(msg: &Msg<'_>, out: &mut Buf) {
    out.byte(b' ');
    out.push(field(msg.host, usize::MAX));
    out.byte(b' ');
    if !msg.app.is_empty() {
        out.push(msg.app);
        if !msg.procid.is_empty() {
            out.byte(b'[');
            out.push(msg.procid);
            out.byte(b']');
        }
        out.push(b": ");
    }
}

/// Appends `<13>1 2003-10-11T22:14:15.003000Z host app procid msgid sd text` (RFC 5424), at most
/// `max` bytes; its fields are cut to what that allows. Structured data that does not fit, or is
/// none, is left out. Whether all was written.
pub fn ietf(msg: &Msg<'_>, stamp: i64, zone: &Zone, max: usize, out: &mut Buf) -> bool {
    let limit = Limit::new(out, max);
    pri(msg, out);
    out.push(b"1 ");
    time::write_rfc3339(stamp, zone, out);
    for (bytes, max) in [
        (msg.host, 255),
        (msg.app, 48),
        (msg.procid, 128),
        (msg.msgid, 32),
    ] {
        out.byte(b' ');
        out.push(field(bytes, max));
    }
    out.byte(b' ');
    if !limit.holds(out) {
        return false;
    }
    let sd = msg.sd.len() <= limit.room(out) && is_sd(msg.sd);
    let mut whole = limit.push(out, if sd { msg.sd } else { b"-" });
    whole &= sd || msg.sd.is_empty();
    if msg.text.is_empty() {
        return whole;
    }
    // What begins like a mark of UTF-8 needs another, which a reader takes away.
    if msg.text.starts_with(BOM) {
        whole &= limit.push(out, b" ") && limit.push(out, BOM);
    } else {
        whole &= limit.push(out, b" ");
    }
    limit.push(out, msg.text) && whole
}

/// Appends what goes into files and onto screens: `Oct 11 22:14:15 host app[procid]: text`, without
/// a new-line. Controls are shown as `^X`, bytes that are not UTF-8 and the controls beyond ASCII
/// in octal, as in `\377`. Leaves [`LINE_END`] bytes of the buffer free. Whether all was written.
pub fn line(msg: &Msg<'_>, stamp: i64, zone: &Zone, out: &mut Buf) -> bool {
    let limit = Limit::new(out, out.room().saturating_sub(LINE_END));
    time::write_rfc3164(stamp, zone, out);
    header(msg, out);
    limit.holds(out) && visible(msg.text, &limit, out)
}

/// Appends a text with everything in it made visible; tabs stay.
fn visible(text: &[u8], limit: &Limit, out: &mut Buf) -> bool {
    pieces(text, |valid, invalid| {
        let mut rest = valid;
        while !rest.is_empty() {
            let plain = run(rest.as_bytes(), |b| matches!(b, 0x20..=0x7e | b'\t'));
            let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            if !limit.push(out, before.as_bytes()) {
                return false;
            }
            let Some(c) = after.chars().next() else {
                break;
            };
            let mut bytes = [0; 4];
            let encoded = c.encode_utf8(&mut bytes).as_bytes();
            let whole = if c.is_control() {
                control(encoded, limit, out)
            } else {
                limit.push(out, encoded)
            };
            if !whole {
                return false;
            }
            rest = after.get(encoded.len()..).unwrap_or_default();
        }
        invalid.is_empty() || control(invalid, limit, out)
    })
}

/// Appends `^X` for an ASCII control, else each byte in octal.
fn control(bytes: &[u8], limit: &Limit, out: &mut Buf) -> bool {
    let mut text = [0; 16];
    let mut len = 0;
    let mut put = |byte| {
        if let Some(place) = text.get_mut(len) {
            *place = byte;
            len += 1;
        }
    };
    match bytes {
        &[byte @ (..0x20 | 0x7f)] => {
            put(b'^');
            put(byte ^ 0x40);
        }
        _ => {
            for byte in bytes {
                put(b'\\');
                put(b'0' + (byte >> 6));
                put(b'0' + (byte >> 3 & 7));
                put(b'0' + (byte & 7));
            }
        }
    }
    // Never a part of it.
    let shown = text.get(..len).unwrap_or_default();
    if shown.len() > limit.room(out) {
        limit.mark(out);
        return false;
    }
    out.push(shown)
}
