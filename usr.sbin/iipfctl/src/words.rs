// SPDX-License-Identifier: BSD-2-Clause
//! Words of the command line that name packets and states.

use iipf_abi::{
    IIPF_STF_DST, IIPF_STF_EITHER, IIPF_STF_ID, IIPF_STF_IF, IIPF_STF_LABEL, IIPF_STF_MARK,
    IIPF_STF_NAT, IIPF_STF_PROTO, IIPF_STF_RULE, IIPF_STF_SRC, IIPF_STF_STALE, StateFilter,
};
use kabi::Name;
use kabi::ctl::{AF_INET, AF_INET6};
use libiipf::ast::{Entry, Family};
use libiipf::octets;
use std::net::IpAddr;

/// The words, one after another.
pub(crate) struct Words<'a> {
    words: &'a [String],
    at: usize,
}

impl<'a> Words<'a> {
    pub fn new(words: &'a [String]) -> Self {
        Words { words, at: 0 }
    }

    pub fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at);
        self.at += usize::from(word.is_some());
        word.map(String::as_str)
    }

    pub fn eat(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at).is_some_and(|w| w == word);
        self.at += usize::from(found);
        found
    }

    /// What must follow `word`.
    pub fn after(&mut self, word: &str) -> Result<&'a str, String> {
        self.next()
            .ok_or_else(|| format!("{word}: something is missing behind it"))
    }

    pub fn rest(&self) -> &'a [String] {
        &self.words[self.at..]
    }
}

/// A name that fits.
pub(crate) fn name<const N: usize>(what: &str, text: &str) -> Result<Name<N>, String> {
    let fits = !text.is_empty() && !text.chars().any(char::is_control);
    Name::new(text)
        .filter(|_| fits)
        .ok_or_else(|| format!("{what} '{text}': must have 1 to {} letters", N - 1))
}

/// A number in a range.
pub(crate) fn number(what: &str, text: &str, lowest: u64, highest: u64) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    parsed
        .filter(|n| (lowest..=highest).contains(n))
        .ok_or_else(|| format!("{what} '{text}': must be {lowest} to {highest}"))
}

pub(crate) fn af_of(addr: IpAddr) -> u8 {
    if addr.is_ipv4() {
        AF_INET as u8
    } else {
        AF_INET6 as u8
    }
}

/// An address or network, without "!".
pub(crate) fn network(what: &str, text: &str) -> Result<Entry, String> {
    let e = libiipf::parse_entry(text).map_err(|e| format!("{what} {e}"))?;
    if e.neg {
        return Err(format!("{what} '{text}': no '!' here"));
    }
    Ok(e)
}

pub(crate) fn address(what: &str, text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| format!("{what} '{text}': not an address"))
}

pub(crate) fn port(text: &str) -> Result<u16, String> {
    libiipf::service(text).ok_or_else(|| format!("port '{text}': must be a service or 0 to 65535"))
}

pub(crate) fn protocol(text: &str) -> Result<u8, String> {
    libiipf::protocol(text).ok_or_else(|| format!("protocol '{text}': must be a name or 0 to 255"))
}

fn family(f: &mut StateFilter, af: Family) -> Result<(), String> {
    let raw = if af == Family::V4 { AF_INET } else { AF_INET6 } as u8;
    if f.af != 0 && f.af != raw {
        return Err("the addresses are of two families".into());
    }
    f.af = raw;
    Ok(())
}

/// `[inet] [proto P] [from A [port P]] [to A [port P]] [on IF] ...`; with `states` what only states
/// have as well. No words: everything.
pub(crate) fn filter(words: &[String], states: bool) -> Result<StateFilter, String> {
    let mut f = StateFilter::default();
    let mut w = Words::new(words);
    while let Some(word) = w.next() {
        match word {
            "inet" => family(&mut f, Family::V4)?,
            "inet6" => family(&mut f, Family::V6)?,
            "proto" => {
                f.flags |= IIPF_STF_PROTO;
                f.proto = protocol(w.after(word)?)?;
            }
            "from" | "to" => {
                let text = w.after(word)?;
                if text != "any" {
                    let e = network(word, text)?;
                    family(&mut f, Family::of(e.addr))?;
                    if word == "from" {
                        f.flags |= IIPF_STF_SRC;
                        f.src = octets(e.addr);
                        f.src_prefixlen = e.len;
                    } else {
                        f.flags |= IIPF_STF_DST;
                        f.dst = octets(e.addr);
                        f.dst_prefixlen = e.len;
                    }
                }
                if w.eat("port") {
                    let port = port(w.after("port")?)?;
                    if word == "from" {
                        f.sport = port;
                    } else {
                        f.dport = port;
                    }
                }
            }
            "on" => {
                f.flags |= IIPF_STF_IF;
                f.ifname = name("interface", w.after(word)?)?;
            }
            "either" => f.flags |= IIPF_STF_EITHER,
            "label" if states => {
                f.flags |= IIPF_STF_LABEL;
                f.label = name("label", w.after(word)?)?;
            }
            "tagged" if states => {
                f.flags |= IIPF_STF_MARK;
                f.mark = libiipf::tag_mark(w.after(word)?);
            }
            "id" if states => {
                f.flags |= IIPF_STF_ID;
                f.id = number("id", w.after(word)?, 0, u64::MAX)?;
            }
            "rule" if states => {
                f.flags |= IIPF_STF_RULE;
                f.rule = number("rule", w.after(word)?, 1, u64::MAX)?;
            }
            "stale" if states => f.flags |= IIPF_STF_STALE,
            "nat" if states => f.flags |= IIPF_STF_NAT,
            _ => {
                let more = if states {
                    ", label, tagged, id, rule, stale, nat"
                } else {
                    ""
                };
                return Err(format!(
                    "'{word}' is no word of a filter: inet, inet6, proto, from, to, port, on, \
                     either{more}"
                ));
            }
        }
    }
    Ok(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn filters_take_what_rules_take() {
        let f = filter(
            &split("proto tcp from 10.0.0.0/8 to any port https on wan0 nat"),
            true,
        );
        let f = f.unwrap();
        assert_eq!(
            f.flags,
            IIPF_STF_PROTO | IIPF_STF_SRC | IIPF_STF_IF | IIPF_STF_NAT
        );
        assert_eq!(
            (f.proto, f.src_prefixlen, f.dport, f.src[0]),
            (6, 8, 443, 10)
        );
        assert_eq!(u32::from(f.af), AF_INET);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str, states| filter(&split(text), states).unwrap_err();
        assert!(wrong("from 10.0.0.1 to ::1", true).contains("two families"));
        assert!(wrong("nat", false).contains("no word of a filter"));
        assert!(wrong("proto", true).contains("missing"));
        assert!(wrong("to any port 70000", true).contains("0 to 65535"));
    }
}
