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
        let msg = Msg::bare(Pri::DEFAULT, text.as_bytes());
        rings.push(at, &msg, Clocks::default());
    }
}

/// The texts of a ring of that name, and its size.
fn state(rings: &mut Rings, name: &str) -> (Vec<Vec<u8>>, u64) {
    let named = |slot: &&mut Slot| slot.name == name;
    let slot = rings.slots.iter_mut().find(named).expect("a ring");
    let ring = &mut slot.ring;
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
    let (a, _) = state(&mut old, "a");
    let (b, _) = state(&mut old, "b");
    let mut new = rings("*.* ring:d:64k\n*.* ring:b:8k\n*.* ring:a:64k\n", Some(old));
    let (now, size) = state(&mut new, "a");
    assert_eq!((now, size), (a, 65_536));
    let (now, size) = state(&mut new, "b");
    assert_eq!(size, 8192);
    assert!(now.len() > 50 && b.ends_with(&now));
    assert_eq!(state(&mut new, "d"), (Vec::new(), 65_536));
}

#[test]
fn a_size_beyond_the_budget_is_refused_with_what_there_is() {
    let mut rings = rings("set budget 100k\n*.* ring:a:40k\n*.* ring:b:20k\n", None);
    fill(&mut rings, 0);
    let before = state(&mut rings, "a");
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
    assert_eq!(state(&mut rings, "a"), before);
    assert_eq!(rings.resize(0, 80 << 10).ok(), Some(0));
    assert_eq!(state(&mut rings, "a"), (before.0, 80 << 10));
}

#[test]
fn a_packed_one_keeps_more_and_goes_on() {
    let conf = "*.* ring:a:256k:pack=lz4\n*.* ring:b:256k\n";
    let mut old = rings(conf, None);
    for _ in 0..4 {
        (0..2).for_each(|at| fill(&mut old, at));
    }
    let (packed, size) = state(&mut old, "a");
    assert_eq!(size, 256 << 10);
    let (plain, _) = state(&mut old, "b");
    assert!(packed.len() > 3 * plain.len() / 2 && packed.ends_with(&plain));
    let mut new = rings(&conf.replace("256k:", "1m:"), Some(old));
    let (now, size) = state(&mut new, "a");
    assert_eq!((now.len(), size), (packed.len(), 1 << 20));
    assert_eq!(new.resize(0, 256 << 10).ok(), Some(0));
    assert_eq!(state(&mut new, "a").0, packed);
    assert!(matches!(
        new.resize(0, 255 << 10),
        Err(Reply::Error {
            code: Code::TooSmall,
            ..
        })
    ));
}

#[test]
fn one_in_a_file_is_there_again() {
    let conf = load(
        "conf",
        &One("*.* ring:a:300k:pack=lz4:keep=restart\n"),
        Options::default(),
    );
    let conf = conf.expect("a configuration");
    let file = tempfile::tempfile().expect("a file");
    libsys::map::allocate(&file, 300 << 10).expect("room");
    let again = |old| {
        let access = Access {
            control: Group::default(),
            readers: vec![None],
            owner: 0,
        };
        let file = file.try_clone().expect("the same file");
        let files = [Kept {
            index: 0,
            file,
            len: 300 << 10,
            new: None,
        }];
        let mut notes = Vec::new();
        (
            Rings::load(&conf, access, &files, 7, old, &mut notes),
            notes,
        )
    };
    let (mut first, notes) = again(None);
    assert!(notes.is_empty(), "{notes:?}");
    (0..5).for_each(|_| fill(&mut first, 0));
    let (texts, size) = state(&mut first, "a");
    assert_eq!(size, 300 << 10);
    drop(first);
    let (mut second, notes) = again(None);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains(&format!(
            "{} messages kept after a crash, 0 lost",
            texts.len()
        )),
        "{notes:?}"
    );
    assert_eq!(state(&mut second, "a").0, texts);
    fill(&mut second, 0);
    let (mut third, notes) = again(Some(second));
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(
        third.infos(&Peer {
            pid: None,
            uid: 0,
            gid: 0
        })[0]
            .next,
        12_001
    );
    assert_eq!(
        state(&mut third, "a").0.len() as u64,
        third.slots[0].ring.stats().records
    );
}
