// SPDX-License-Identifier: BSD-2-Clause
//! What stands in brackets behind `keep state`, and timeouts.

use super::host::table_name;
use crate::ast::State;
use crate::cursor::Cursor;
use crate::lex::Kind;
use crate::names::{TIMEOUTS, all, number};
use crate::pos::{Fault, Result, nearest};
use iipf_abi::{IIPF_TM_ADAPTIVE_END, IIPF_TM_ADAPTIVE_START, IIPF_TM_MAX, TimeoutsRec};

const WORDS: [&str; 14] = [
    "max",
    "max-src-states",
    "max-src-nodes",
    "max-src-conn",
    "max-src-conn-rate",
    "overload",
    "source-track",
    "if-bound",
    "floating",
    "sloppy",
    "tcp.established",
    "udp.multiple",
    "adaptive.start",
    "adaptive.end",
];

/// `NAME SECONDS`, of one timeout.
pub(crate) fn timeout(c: &mut Cursor, into: &mut TimeoutsRec) -> Result {
    let Some(which) = number(TIMEOUTS, c.word()) else {
        let hint = nearest(c.word(), all(TIMEOUTS));
        return Err(c.wrong("the name of a timeout").hint(hint));
    };
    let name = c.next();
    let adaptive = which == IIPF_TM_ADAPTIVE_START || which == IIPF_TM_ADAPTIVE_END;
    let highest = if adaptive { 100_000_000 } else { IIPF_TM_MAX };
    // Adaptive scaling can be turned off; a timeout of 0 would end everything at once.
    let lowest = u32::from(!adaptive);
    into.values[which] = c.number(&format!("timeout {}", name.text), lowest, highest)?;
    Ok(())
}

/// Adaptive scaling must have both ends, in order.
pub(crate) fn check_adaptive(t: &TimeoutsRec, at: &crate::pos::Pos) -> Result {
    let start = t.values[IIPF_TM_ADAPTIVE_START];
    let end = t.values[IIPF_TM_ADAPTIVE_END];
    let none = iipf_abi::IIPF_TM_DEFAULT;
    if (start == none) != (end == none) {
        return Err(Fault::new(
            at,
            "adaptive.start and adaptive.end go together",
        ));
    }
    if start != none && start != 0 && start >= end {
        let what = format!("adaptive.start {start} is not below adaptive.end {end}");
        return Err(Fault::new(at, what));
    }
    Ok(())
}

/// The options in brackets, if there are some.
pub(crate) fn state(c: &mut Cursor, state: &mut State) -> Result {
    let pos = c.pos();
    if !c.eat(Kind::ParenOpen) {
        return Ok(());
    }
    loop {
        while c.eat(Kind::Comma) {}
        if c.eat(Kind::ParenClose) {
            break;
        }
        one(c, state)?;
    }
    if state.overload.is_some() && state.max_src_conn == 0 && state.max_src_rate.0 == 0 {
        return Err(Fault::new(&pos, "overload without a limit to exceed")
            .hint("add max-src-conn or max-src-conn-rate"));
    }
    check_adaptive(&state.timeouts, &pos)
}

fn one(c: &mut Cursor, s: &mut State) -> Result {
    const MOST: u32 = 100_000_000;
    let pos = c.pos();
    match c.word() {
        "max" => s.max = after(c, MOST)?,
        "max-src-nodes" => s.max_src_nodes = after(c, MOST)?,
        "max-src-states" => s.max_src_states = after(c, MOST)?,
        "max-src-conn" => s.max_src_conn = after(c, MOST)?,
        "max-src-conn-rate" => {
            c.next();
            let t = c.text("a rate, as 100/10")?;
            let parts = t.text.split_once('/');
            let parsed = parts.and_then(|(n, secs)| Some((n.parse().ok()?, secs.parse().ok()?)));
            s.max_src_rate = match parsed {
                Some((n @ 1.., secs @ 1..=86_400)) => (n, secs),
                _ => {
                    let what = format!("max-src-conn-rate {}: not a rate", t.text);
                    return Err(Fault::new(&t.pos, what).hint("connections/seconds, as 100/10"));
                }
            };
        }
        "overload" => {
            c.next();
            s.overload = Some(table_name(c)?);
            if c.eat_word("flush") {
                s.flush = Some(c.eat_word("global"));
            }
        }
        "source-track" => {
            c.next();
            s.src_global = if c.eat_word("global") {
                true
            } else {
                c.eat_word("rule");
                false
            };
        }
        "if-bound" => {
            c.next();
            s.if_bound = true;
        }
        "floating" => {
            c.next();
            s.if_bound = false;
        }
        "sloppy" => {
            c.next();
            s.sloppy = true;
        }
        "no-sync" | "pflow" | "allow-related" | "set" => {
            let what = format!("'{}' is not possible here", c.word());
            return Err(Fault::new(&pos, what));
        }
        // What waits for the rest of a packet, or for a port, belongs to no rule.
        word @ ("frag" | "nat.mapping") => {
            let what = format!("timeout {word} is one for all rules");
            return Err(Fault::new(&pos, what).hint(format!("set timeout {{ {word} SECONDS }}")));
        }
        word if word != "interval" && number(TIMEOUTS, word).is_some() => {
            timeout(c, &mut s.timeouts)?
        }
        word => {
            let hint = nearest(word, WORDS);
            return Err(c.wrong("an option of states").hint(hint));
        }
    }
    Ok(())
}

fn after(c: &mut Cursor, most: u32) -> Result<u32> {
    let word = c.next();
    c.number(&word.text, 1, most)
}
