// SPDX-License-Identifier: BSD-2-Clause
//! Rings from one configuration to the next.

use super::*;
use crate::conf::Files;
use crate::conf::Options;
use crate::conf::load;
use liblog::Pri;
use liblog::ring::Step;

struct One<'a>(&'a str);

impl Files for One<'_> {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.0.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn rings(text: &str, old: Option<Rings>) -> Rings {
    let conf = load("conf", &One(text), Options::default());
    let conf = conf.unwrap_or_else(|notes| panic!("{notes:#?}"));
    let access = Access {
        control: Group::default(),
        readers: vec![None; conf.rings.len()],
        owner: 0,
    };
    let mut notes = Vec::new();
    let rings = Rings::load(&conf, access, &[], 7, old, &mut notes);
    assert_eq!(notes, Vec::<String>::new());
    rings
}

fn fill(rings: &mut Rings, at: usize) {
    for n in 0..2000 {
        let text = format!("text {n}");
        let msg = Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"h",
            app: b"a",
            procid: b"",
            msgid: b"",
            sd: b"",
            text: text.as_bytes(),
        };
        rings.push(at, &msg, Clocks::default());
    }
}

/// The texts of a ring of that name, and its size.
fn state(rings: &Rings, name: &str) -> (Vec<Vec<u8>>, u64) {
    let all = (0..).map_while(|at| rings.get(at));
    let mut named = all.filter(|(n, _)| *n == name);
    let (_, ring) = named.next().expect("a ring");
    let mut texts = Vec::new();
    let mut cursor = ring.cursor(ring.first());
    while let Step::Record(record) = ring.read(&mut cursor) {
        texts.push(record.msg.text.to_vec());
    }
    (texts, ring.stats().total)
}

#[test]
fn what_is_known_gets_its_new_size_and_keeps_the_newest() {
    let mut old = rings("*.* ring:a:8k\n*.* ring:b:64k\n*.* ring:c:64k\n", None);
    (0..3).for_each(|at| fill(&mut old, at));
    let (a, _) = state(&old, "a");
    let (b, _) = state(&old, "b");
    let new = rings("*.* ring:d:64k\n*.* ring:b:8k\n*.* ring:a:64k\n", Some(old));
    let (now, size) = state(&new, "a");
    assert_eq!((now, size), (a, 65_536));
    let (now, size) = state(&new, "b");
    assert_eq!(size, 8192);
    assert!(now.len() > 50 && b.ends_with(&now));
    assert_eq!(state(&new, "d"), (Vec::new(), 65_536));
}

#[test]
fn a_size_beyond_the_budget_is_refused_with_what_there_is() {
    let mut rings = rings("set budget 100k\n*.* ring:a:40k\n*.* ring:b:20k\n", None);
    fill(&mut rings, 0);
    let before = state(&rings, "a");
    let refused = |rings: &mut Rings, size| match rings.resize(0, size) {
        Err(Reply::Error { error, code }) => (error, code),
        other => panic!("{other:?}"),
    };
    let (error, code) = refused(&mut rings, (80 << 10) + 1);
    assert_eq!(code, Code::OverBudget);
    assert_eq!(
        error,
        "all rings together may have 102400 bytes, of which 40960 are free: ring a may have 81920"
    );
    assert_eq!(refused(&mut rings, u64::MAX).1, Code::OverBudget);
    assert_eq!(refused(&mut rings, 4095).1, Code::TooSmall);
    assert_eq!(state(&rings, "a"), before);
    assert_eq!(rings.resize(0, 80 << 10).ok(), Some(0));
    assert_eq!(state(&rings, "a"), (before.0, 80 << 10));
}
