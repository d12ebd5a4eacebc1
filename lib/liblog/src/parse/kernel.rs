// SPDX-License-Identifier: BSD-2-Clause
//! Messages of kernels: lines with or without a priority as the BSDs' /dev/klog has them, and
//! records of Linux's /dev/kmsg.

use crate::msg::Clocks;
use crate::msg::Msg;
use crate::parse::token::Found;
use crate::parse::token::pri;
use crate::parse::types::Flaws;
use crate::parse::types::From;
use crate::pri::Pri;

/// What the kernel is called where programs have their name.
const APP: &[u8] = b"kernel";

/// Reads a message; a missing priority is no flaw here.
pub fn parse<'a>(packet: &'a [u8], from: &From<'a>, now: Clocks, flaws: &mut Flaws) -> Msg<'a> {
    let msg = |pri, sent, text| Msg {
        pri,
        sent,
        host: from.host,
        app: APP,
        procid: b"",
        msgid: b"",
        sd: b"",
        text,
    };
    match pri(packet) {
        Found::Pri(pri, text) => return msg(pri, None, text),
        Found::Bad => flaws.insert(Flaws::BAD_PRI),
        Found::None => {
            if let Some((pri, time, text)) = kmsg(packet, now) {
                return msg(pri, time, text);
            }
        }
    }
    msg(from.pri, None, packet)
}

fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// `pri,seq,usec,flags[,...];text`, then lines ` KEY=value` that describe a device, which are
/// left out, as dmesg(1) does. The time is since the system started.
fn kmsg(packet: &[u8], now: Clocks) -> Option<(Pri, Option<i64>, &[u8])> {
    let (head, text) = packet.split_at_checked(memchr::memchr(b';', packet)?)?;
    let mut fields = head.split(|&b| b == b',');
    let pri = Pri::from_value(u16::try_from(number(fields.next()?)?).ok()?)?;
    number(fields.next()?)?;
    let since = number(fields.next()?)?.checked_mul(1000)?;
    fields.next()?;
    let age = now.mono.saturating_sub(since);
    let time = i64::try_from(age)
        .ok()
        .and_then(|age| now.wall.checked_sub(age));
    let text = text.get(1..)?;
    let end = memchr::memmem::find(text, b"\n ").unwrap_or(text.len());
    Some((pri, time, text.get(..end)?))
}
