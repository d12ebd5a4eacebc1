// SPDX-License-Identifier: BSD-2-Clause
//! Records as lines of JSON, written without allocation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::buf::Buf;
use crate::ring::Record;
use crate::text::pieces;
use crate::text::run;
use crate::time;
use crate::time::Zone;

/// A buffer of so many bytes has room for any record, if with a part of its text.
pub const LINE_MIN: usize = 8192;

/// Bytes that are encoded at a time, and what becomes of them.
const RAW: usize = 192;
const RAW_ENCODED: usize = RAW / 3 * 4;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a record and a new-line; or nothing, if there is no room: then the buffer is to be
/// emptied first. If it does not fit into an empty one either, a part of its text is written, and
/// `len` says how long it is. Whether something was written.
pub fn write_record(record: &Record<'_>, zone: &Zone, out: &mut Buf) -> bool {
    let start = out.len();
    if whole(record, zone, None, out) {
        return true;
    }
    out.truncate(start);
    if start > 0 {
        return false;
    }
    let mut part = *record;
    let len = record.msg.text.len();
    // What is long without its text is so by its structured data.
    if part.msg.sd.len() > out.capacity() / 8 {
        part.msg.sd = b"";
    }
    let mut keep = len.min(out.capacity());
    loop {
        keep /= 2;
        part.msg.text = record.msg.text.get(..keep).unwrap_or_default();
        if whole(&part, zone, Some(len), out) {
            return true;
        }
        out.truncate(0);
        if keep == 0 {
            return false;
        }
    }
}

/// Appends the line; whether there was room.
fn whole(record: &Record<'_>, zone: &Zone, len: Option<usize>, out: &mut Buf) -> bool {
    let msg = &record.msg;
    out.push(b"{\"seq\":");
    out.number(record.seq);
    out.push(b",\"time\":\"");
    time::write_rfc3339(record.at.wall, zone, out);
    out.push(b"\",\"wall\":");
    out.signed(record.at.wall);
    out.push(b",\"mono\":");
    out.number(record.at.mono);
    if let Some(sent) = msg.sent {
        out.push(b",\"sent\":");
        out.signed(sent);
    }
    out.push(b",\"facility\":\"");
    out.push(msg.pri.facility.name().as_bytes());
    out.push(b"\",\"severity\":\"");
    out.push(msg.pri.severity.name().as_bytes());
    out.byte(b'"');
    for (name, bytes) in [
        (&b"host"[..], msg.host),
        (b"app", msg.app),
        (b"procid", msg.procid),
        (b"msgid", msg.msgid),
        (b"sd", msg.sd),
        (b"text", msg.text),
    ] {
        if bytes.is_empty() && name != b"text" {
            continue;
        }
        key(name, out);
        let lossy = string(bytes, out);
        if lossy && (name == b"sd" || name == b"text") {
            key(if name == b"sd" { b"rawsd" } else { b"raw" }, out);
            raw(bytes, out);
        }
        // Whatever comes, there is no need to go through megabytes for nothing.
        if out.is_cut() {
            return false;
        }
    }
    if record.cut {
        out.push(b",\"cut\":true");
    }
    if let Some(len) = len {
        out.push(b",\"len\":");
        out.number(len as u64);
    }
    out.push(b"}\n");
    !out.is_cut()
}

fn key(name: &[u8], out: &mut Buf) {
    out.push(b",\"");
    out.push(name);
    out.push(b"\":");
}

/// Whether a byte of UTF-8 stands for itself in a string.
const fn plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f
}

/// Appends a string; whether something was not UTF-8, in whose place is U+FFFD.
fn string(bytes: &[u8], out: &mut Buf) -> bool {
    let mut lossy = false;
    out.byte(b'"');
    pieces(bytes, |valid, invalid| {
        let mut rest = valid.as_bytes();
        while let Some(&first) = rest.first()
            && !out.is_cut()
        {
            let n = run(rest, plain);
            if n == 0 {
                escaped(first, out);
                rest = rest.get(1..).unwrap_or_default();
            } else {
                out.push(rest.get(..n).unwrap_or_default());
                rest = rest.get(n..).unwrap_or_default();
            }
        }
        if !invalid.is_empty() {
            lossy = true;
            out.push("\u{fffd}".as_bytes());
        }
        !out.is_cut()
    });
    out.byte(b'"');
    lossy
}

fn escaped(byte: u8, out: &mut Buf) {
    match byte {
        b'"' => out.push(b"\\\""),
        b'\\' => out.push(b"\\\\"),
        b'\n' => out.push(b"\\n"),
        b'\t' => out.push(b"\\t"),
        b'\r' => out.push(b"\\r"),
        _ => {
            let hex = |n: u8| HEX.get(usize::from(n & 15)).map_or(b'0', |h| *h);
            out.push(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte)])
        }
    };
}

/// Appends bytes in base64, as a string.
fn raw(bytes: &[u8], out: &mut Buf) {
    out.byte(b'"');
    for piece in bytes.chunks(RAW) {
        let mut text = [0; RAW_ENCODED];
        let n = STANDARD.encode_slice(piece, &mut text).unwrap_or_default();
        if !out.push(text.get(..n).unwrap_or_default()) {
            break;
        }
    }
    out.byte(b'"');
}
