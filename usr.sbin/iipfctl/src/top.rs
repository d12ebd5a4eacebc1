// SPDX-License-Identifier: BSD-2-Clause
//! `iipfctl top`: who is talking now.

use crate::device::Device;
use crate::show::get_status;
use crate::states::{peer, state_json, states};
use iipf_abi::{IIPF_LIMIT_STATES, IIPF_ST_NAT, StateFilter, StateInfo, Status};
use libiipf::protocol_name;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// States with their rates, bytes a second.
struct Seen {
    at: Instant,
    bytes: HashMap<u64, u64>,
    packets: u64,
    dropped: u64,
}

fn bytes(s: &StateInfo) -> u64 {
    s.bytes[0].saturating_add(s.bytes[1])
}

/// For people: 1.2M.
fn human(n: f64) -> String {
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] {
        if n >= size {
            return format!("{:.1}{unit}", n / size);
        }
    }
    format!("{n:.0}")
}

/// Shows the states that move most, `lines` of them, every `every`, `count` times or for ever;
/// `show` gives false when the reader has seen enough.
///
/// # Errors
/// A sentence.
pub(crate) fn run(
    dev: &mut impl Device,
    filter: StateFilter,
    lines: usize,
    every: Duration,
    count: Option<u64>,
    as_json: bool,
    show: &mut dyn FnMut(&str) -> Result<bool, String>,
) -> Result<(), String> {
    let mut last: Option<Seen> = None;
    let mut round = 0;
    loop {
        let status = get_status(dev)?;
        let all = states(dev, filter)?;
        let now = Seen {
            at: Instant::now(),
            bytes: all.iter().map(|s| (s.id, bytes(s))).collect(),
            packets: status.packets[0].saturating_add(status.packets[1]),
            dropped: status.dropped,
        };
        let span = last
            .as_ref()
            .map(|l| (now.at - l.at).as_secs_f64().max(0.001));
        let rate = |s: &StateInfo| match (&last, span) {
            (Some(l), Some(span)) => {
                let was = l.bytes.get(&s.id).copied().unwrap_or(0);
                bytes(s).saturating_sub(was) as f64 / span
            }
            // The first time: since they were made.
            _ => bytes(s) as f64 / f64::from(s.age.max(1)),
        };
        let mut sorted: Vec<(f64, &StateInfo)> = all.iter().map(|s| (rate(s), s)).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        sorted.truncate(lines);
        let per = |now: u64, was: Option<u64>| match (was, span) {
            (Some(was), Some(span)) => Some(now.saturating_sub(was) as f64 / span),
            _ => None,
        };
        let pps = per(now.packets, last.as_ref().map(|l| l.packets));
        let drops = per(now.dropped, last.as_ref().map(|l| l.dropped));
        let text = if as_json {
            let top: Vec<Value> = sorted
                .iter()
                .map(|(rate, s)| {
                    let mut one = state_json(s);
                    one["bytes_per_second"] = (*rate).into();
                    one
                })
                .collect();
            let all = json!({
                "states": status.used[IIPF_LIMIT_STATES], "packets_per_second": pps,
                "drops_per_second": drops, "top": top,
            });
            format!("{all}\n")
        } else {
            screen(&status, pps, drops, &sorted, count.is_none())
        };
        if !show(&text)? {
            return Ok(());
        }
        round += 1;
        if count.is_some_and(|n| round >= n) {
            return Ok(());
        }
        last = Some(now);
        std::thread::sleep(every);
    }
}

fn screen(
    s: &Status,
    pps: Option<f64>,
    drops: Option<f64>,
    top: &[(f64, &StateInfo)],
    clear: bool,
) -> String {
    let mut out = String::new();
    if clear {
        // Home, and what is below goes.
        out.push_str("\x1b[H\x1b[J");
    }
    let rate = |r: Option<f64>| r.map_or_else(|| "-".into(), human);
    _ = writeln!(
        out,
        "states {} of {}  packets/s {}  drops/s {}",
        s.used[IIPF_LIMIT_STATES],
        s.limits[IIPF_LIMIT_STATES],
        rate(pps),
        rate(drops),
    );
    _ = writeln!(
        out,
        "{:>9} {:>9} {:>6} {:5} FLOW",
        "BYTES/S", "BYTES", "AGE", "PROTO"
    );
    for (rate, s) in top {
        let nat = if s.flags & IIPF_ST_NAT == 0 {
            String::new()
        } else if s.src == s.nat_src {
            format!(" ({})", peer(s.af, &s.nat_dst))
        } else {
            format!(" ({})", peer(s.af, &s.nat_src))
        };
        _ = writeln!(
            out,
            "{:>9} {:>9} {:>6} {:5} {} -> {}{nat}",
            human(*rate),
            human(bytes(s) as f64),
            s.age,
            protocol_name(s.proto),
            peer(s.af, &s.src),
            peer(s.af, &s.dst),
        );
    }
    out
}
