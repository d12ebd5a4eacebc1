// SPDX-License-Identifier: BSD-2-Clause
//! From packets to messages: RFC 5424, RFC 3164 as it is met, and what kernels write. It never
//! fails: whatever came in becomes a message (RFC 3164, 4.3).

mod bsd;
mod ietf;
mod kernel;
mod token;
mod types;

use crate::msg::Clocks;
use crate::msg::Msg;
use crate::pri::Facility;
use crate::pri::Pri;
use crate::time::SECOND;
use crate::time::Zone;

pub use ietf::is_sd;
pub use types::Flaws;
pub use types::Form;
pub use types::From;
pub use types::Parsed;

/// A clock that is wrong by so much is worth a word.
const SKEW: i64 = 86_400 * SECOND;

/// Reads a packet. The text has no new-lines and NULs at its end; else it is as it came.
#[must_use]
pub fn parse<'a>(packet: &'a [u8], from: &From<'a>, zone: &Zone, now: Clocks) -> Parsed<'a> {
    let packet = token::trimmed(packet);
    let mut flaws = Flaws::none();
    let (mut msg, form) = if from.kernel {
        let msg = kernel::parse(packet, from, now, &mut flaws);
        (msg, Form::Bare)
    } else {
        by_grammar(packet, from, zone, now, &mut flaws)
    };
    // What ended at the end of the packet may have had some of these before it.
    msg.text = token::trimmed(msg.text);
    if msg.text.is_empty() {
        flaws.insert(Flaws::EMPTY);
    }
    if from.local && !from.kernel && msg.pri.facility == Facility::KERN {
        msg.pri.facility = Facility::USER;
    }
    if msg
        .sent
        .is_some_and(|sent| sent.abs_diff(now.wall) > SKEW.unsigned_abs())
    {
        flaws.insert(Flaws::SKEWED);
    }
    Parsed { msg, form, flaws }
}

fn by_grammar<'a>(
    packet: &'a [u8],
    from: &From<'a>,
    zone: &Zone,
    now: Clocks,
    flaws: &mut Flaws,
) -> (Msg<'a>, Form) {
    let (pri, rest) = match token::pri(packet) {
        token::Found::Pri(pri, rest) => (pri, rest),
        token::Found::Bad => {
            flaws.insert(Flaws::BAD_PRI);
            return (bare(from.pri, packet, from), Form::Bare);
        }
        token::Found::None => {
            flaws.insert(Flaws::NO_PRI);
            (from.pri, packet)
        }
    };
    if rest.starts_with(b"1 ") && !flaws.contains(Flaws::NO_PRI) {
        if let Some(msg) = ietf::parse(pri, rest, from, flaws) {
            return (msg, Form::Ietf);
        }
        flaws.insert(Flaws::BAD_HEADER);
        return (bare(pri, rest, from), Form::Bare);
    }
    bsd::parse(pri, rest, from, zone, now, flaws)
}

const fn bare<'a>(pri: Pri, text: &'a [u8], from: &From<'a>) -> Msg<'a> {
    Msg {
        pri,
        sent: None,
        host: from.host,
        app: b"",
        procid: b"",
        msgid: b"",
        sd: b"",
        text,
    }
}
