// SPDX-License-Identifier: BSD-2-Clause
//! Tests on a message's program, host and properties, ready to run.

use crate::conf::Block;
use crate::conf::Compare;
use crate::conf::Field;
use crate::conf::Names;
use crate::conf::Property;
use crate::conf::dfa::Dfa;
use liblog::Facility;
use liblog::Msg;
use memchr::memmem::Finder;

/// A block, ready.
pub(super) struct Test {
    programs: Option<List>,
    hosts: Option<List>,
    property: Option<Prop>,
    /// What it stops: the rules of other blocks behind it.
    pub stop: bool,
}

struct List {
    not: bool,
    local: bool,
    names: Vec<Box<[u8]>>,
}

struct Prop {
    field: Field,
    not: bool,
    how: How,
}

enum How {
    Contains(Box<Finder<'static>>),
    Equal(Box<[u8]>, bool),
    Starts(Box<[u8]>, bool),
    Dfa(Box<Dfa>),
}

/// This host, as the engine knows it.
#[derive(Clone, Debug)]
pub(super) struct Here(pub Box<[u8]>);

impl Here {
    /// By its whole name, or without the domain.
    fn is(&self, host: &[u8]) -> bool {
        let label = self.0.split(|&b| b == b'.').next().unwrap_or_default();
        host.eq_ignore_ascii_case(&self.0) || host.eq_ignore_ascii_case(label)
    }
}

impl Test {
    pub fn new(block: &Block) -> Result<Test, String> {
        let list = |names: &Names| List {
            not: names.not,
            local: names.local,
            names: names.names.iter().map(|n| n.as_bytes().into()).collect(),
        };
        Ok(Test {
            programs: block.programs.as_ref().map(list),
            hosts: block.hosts.as_ref().map(list),
            property: block.property.as_ref().map(Prop::new).transpose()?,
            stop: block.stop,
        })
    }

    /// Whether it holds. `kernel` is what [`kernel_program`] says of the message.
    pub fn holds(&self, msg: &Msg<'_>, kernel: Option<&[u8]>, here: &Here) -> bool {
        let programs = self.programs.as_ref().is_none_or(|list| {
            let named = |name: &[u8]| list.names.iter().any(|n| glob(n, name, false));
            (named(msg.app) || kernel.is_some_and(named)) != list.not
        });
        programs
            && self
                .hosts
                .as_ref()
                .is_none_or(|list| list.has_host(msg.host, here))
            && self.property.as_ref().is_none_or(|p| p.holds(msg, here))
    }

    /// The names of which the message must have one, if that is so and they are not patterns.
    pub fn exact_programs(&self) -> Option<&[Box<[u8]>]> {
        let list = self.programs.as_ref().filter(|list| !list.not)?;
        let wild = |name: &[u8]| name.iter().any(|b| b"*?".contains(b));
        (!list.names.iter().any(|n| wild(n))).then_some(&list.names)
    }
}

impl List {
    fn has_host(&self, host: &[u8], here: &Here) -> bool {
        let is_here = host.is_empty() || here.is(host);
        let host = if host.is_empty() { &here.0 } else { host };
        let named = self.names.iter().any(|n| same_host(n, host));
        ((self.local && is_here) || named) != self.not
    }
}

/// Whether a host is the one that is named: without its domain if the name has none.
fn same_host(name: &[u8], host: &[u8]) -> bool {
    if glob(name, host, true) {
        return true;
    }
    let address = host.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let label = host.split(|&b| b == b'.').next().unwrap_or_default();
    !address && !name.contains(&b'.') && glob(name, label, true)
}

/// Whether a text is what a pattern with `*` and `?` says.
fn glob(pattern: &[u8], text: &[u8], icase: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on if this way fails: behind the last `*`, with one more byte for it.
    let mut retry = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t + 1));
                p += 1;
            }
            Some(&c) if c == b'?' || c == byte || (icase && c.eq_ignore_ascii_case(&byte)) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, next)) => {
                    (p, t) = (after, next);
                    retry = Some((after, next + 1));
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|&c| c == b'*')
}

impl Prop {
    fn new(property: &Property) -> Result<Prop, String> {
        let value = property.value.as_bytes();
        let icase = property.icase;
        let how = match property.compare {
            Compare::Contains if icase => How::Dfa(Box::new(Dfa::literal(&property.value, true)?)),
            Compare::Contains => How::Contains(Box::new(Finder::new(value).into_owned())),
            Compare::Equal => How::Equal(value.into(), icase),
            Compare::Starts => How::Starts(value.into(), icase),
            Compare::Regex => How::Dfa(Box::new(Dfa::new(&property.value, icase)?)),
        };
        Ok(Prop {
            field: property.field,
            not: property.not,
            how,
        })
    }

    fn holds(&self, msg: &Msg<'_>, here: &Here) -> bool {
        let text = match self.field {
            Field::Msg => msg.text,
            Field::Program => msg.app,
            Field::Host if msg.host.is_empty() => &here.0,
            Field::Host => msg.host,
            Field::MsgId => msg.msgid,
            Field::Sd => msg.sd,
        };
        let same = |a: &[u8], b: &[u8], icase| a == b || (icase && a.eq_ignore_ascii_case(b));
        let found = match &self.how {
            How::Contains(finder) => finder.find(text).is_some(),
            How::Equal(value, icase) => same(text, value, *icase),
            How::Starts(value, icase) => text
                .get(..value.len())
                .is_some_and(|start| same(start, value, *icase)),
            How::Dfa(dfa) => dfa.is_match(text),
        };
        found != self.not
    }
}

/// The program that a kernel message is about, as `foo: ` at its beginning (FreeBSD).
pub(super) fn kernel_program<'a>(msg: &Msg<'a>) -> Option<&'a [u8]> {
    if msg.pri.facility != Facility::KERN || (msg.app != b"kernel" && !msg.app.is_empty()) {
        return None;
    }
    let start = msg.text.get(..msg.text.len().min(64))?;
    let colon = start.iter().position(|&b| b == b':' || b == b' ')?;
    (start.get(colon..colon + 2) == Some(b": ")).then(|| start.get(..colon))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a", "a", true),
            ("a", "A", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "axbybc", true),
            ("a*b*c", "axbyb", false),
            ("a?c", "abc", true),
            ("a?", "a", false),
            ("**a**", "bab", true),
            ("*ab", "aab", true),
        ] {
            let found = glob(pattern.as_bytes(), text.as_bytes(), false);
            assert_eq!(found, fits, "{pattern} {text}");
        }
        assert!(glob(b"aB*", b"AbC", true));
    }

    #[test]
    fn hosts() {
        for (name, host, same) in [
            ("gw", "gw", true),
            ("gw", "GW.example.org", true),
            ("gw.example.org", "gw", false),
            ("gw.example.org", "gw.example.org", true),
            ("10", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.*", "10.0.0.1", true),
        ] {
            assert_eq!(
                same_host(name.as_bytes(), host.as_bytes()),
                same,
                "{name} {host}"
            );
        }
    }
}
