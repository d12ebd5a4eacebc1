// SPDX-License-Identifier: BSD-2-Clause
//! `set` lines.

use super::host::interface_name;
use super::state::{check_adaptive, timeout};
use crate::ast::{Filtering, How, Options};
use crate::cursor::Cursor;
use crate::lex::Kind;
use crate::names::{LIMITS, Names, all, number};
use crate::pos::{Fault, Result, nearest};
use crate::spec::{Policy, UNREACH};
use iipf_abi::{
    IIPF_TM_DEFAULT, IIPF_TM_INTERVAL, IIPF_TM_TCP_CLOSED, IIPF_TM_TCP_CLOSING,
    IIPF_TM_TCP_ESTABLISHED, IIPF_TM_TCP_FINWAIT, IIPF_TM_TCP_FIRST, IIPF_TM_TCP_OPENING,
};

const WORDS: [&str; 12] = [
    "limit",
    "timeout",
    "block-policy",
    "state-policy",
    "skip",
    "debug",
    "optimization",
    "reassemble",
    "default",
    "state-full",
    "nat-filtering",
    "fragment",
];

const DEBUG: Names<u32> = &[
    ("none", 0),
    ("urgent", 1),
    ("misc", 2),
    ("loud", 3),
    ("err", 1),
    ("notice", 2),
    ("debug", 3),
];

const TCP: [usize; 6] = [
    IIPF_TM_TCP_FIRST,
    IIPF_TM_TCP_OPENING,
    IIPF_TM_TCP_ESTABLISHED,
    IIPF_TM_TCP_CLOSING,
    IIPF_TM_TCP_FINWAIT,
    IIPF_TM_TCP_CLOSED,
];

/// TCP timeouts (seconds) that a word stands for, as in pf.
const OPTIMIZATIONS: Names<[u32; 6]> = &[
    ("normal", [IIPF_TM_DEFAULT; 6]),
    ("default", [IIPF_TM_DEFAULT; 6]),
    ("satellite", [180, 35, 86_400, 905, 50, 95]),
    ("high-latency", [180, 35, 86_400, 905, 50, 95]),
    ("conservative", [3600, 900, 432_000, 3600, 600, 180]),
    ("aggressive", [30, 5, 18_000, 60, 30, 30]),
];

pub(crate) const BLOCK_WORDS: Names<How> = &[
    ("drop", How::Drop),
    ("return", How::Return(UNREACH.0, UNREACH.1)),
];

const FILTERINGS: Names<Filtering> = &[
    ("endpoint-independent", Filtering::Endpoint),
    ("address-dependent", Filtering::Address),
    ("address-port-dependent", Filtering::AddressPort),
];

/// Behind `set`. A sentence: it was ignored, and why.
pub(crate) fn set(c: &mut Cursor, o: &mut Options, p: &mut Policy) -> Result<Option<String>> {
    let word = c.word().to_owned();
    let pos = c.pos();
    if WORDS.contains(&word.as_str()) {
        c.next();
    }
    match word.as_str() {
        "limit" => {
            c.list(|c| {
                let Some(which) = number(LIMITS, c.word()) else {
                    let hint = nearest(c.word(), all(LIMITS));
                    return Err(c.wrong("the name of a limit").hint(hint));
                };
                c.next();
                o.limits[which] = c.number("limit", 1, 100_000_000)?;
                Ok(())
            })?;
        }
        "timeout" => {
            c.list(|c| timeout(c, &mut o.timeouts))?;
            check_adaptive(&o.timeouts, &pos)?;
            let interval = &mut o.timeouts.values[IIPF_TM_INTERVAL];
            if std::mem::replace(interval, IIPF_TM_DEFAULT) != IIPF_TM_DEFAULT {
                let what =
                    "'set timeout interval' is ignored: what is over is looked for every second";
                return Ok(Some(what.into()));
            }
        }
        "block-policy" => p.block = c.named(BLOCK_WORDS, "drop or return")?,
        "state-policy" => {
            p.if_bound = c.named(
                &[("floating", false), ("if-bound", true)],
                "floating or if-bound",
            )?;
        }
        "skip" => {
            c.expect_word("on")?;
            for name in c.list(|c| {
                let t = c.text("an interface")?;
                interface_name(&t.text, &t.pos)
            })? {
                if !o.skip.contains(&name) {
                    o.skip.push(name);
                }
            }
        }
        "debug" => o.debug = Some(c.named(DEBUG, "none, urgent, misc or loud")?),
        "optimization" => {
            let values = c.named(
                OPTIMIZATIONS,
                "normal, satellite, aggressive or conservative",
            )?;
            for (which, v) in TCP.into_iter().zip(values) {
                o.timeouts.values[which] = v;
            }
        }
        "reassemble" => {
            o.no_reassemble = !yes_no(c)?;
            o.reassemble_no_df = c.eat_word("no-df");
        }
        "fragment" => c
            .expect_word("reassemble")
            .map(|()| o.no_reassemble = false)?,
        "default" => {
            o.default_block = c.named(&[("pass", false), ("block", true)], "pass or block")?;
        }
        "state-full" => {
            o.evict = c.named(&[("refuse", false), ("evict", true)], "refuse or evict")?;
        }
        "nat-filtering" => p.filtering = c.named(FILTERINGS, "who may send to a mapping")?,
        "ruleset-optimization" | "require-order" | "hostid" | "loginterface" | "keepcounters" => {
            while !matches!(c.kind(), Kind::Newline | Kind::End) {
                c.next();
            }
            return Ok(Some(format!(
                "'set {word}' has no meaning here and is ignored"
            )));
        }
        "fingerprints" | "syncookies" | "state-defaults" => {
            let what = format!("'set {word}' is not possible here");
            let hint = match word.as_str() {
                "syncookies" => "use synproxy state, which needs none",
                "state-defaults" => "write the options behind keep state",
                _ => "",
            };
            return Err(Fault::new(&pos, what).hint(hint));
        }
        _ => return Err(c.wrong("an option").hint(nearest(&word, WORDS))),
    }
    Ok(None)
}

fn yes_no(c: &mut Cursor) -> Result<bool> {
    c.named(&[("yes", true), ("no", false)], "yes or no")
}
