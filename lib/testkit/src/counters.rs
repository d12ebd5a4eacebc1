// SPDX-License-Identifier: BSD-2-Clause
//! Counters before and after: exactly what a test names has moved, and nothing else.

use kabi::kstat::Class;
use kabi::kstat::Record;
use kabi::kstat::Records;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counters by name: `instance.counter`, the module's own without an instance: `.counter`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, u64>);

impl Snapshot {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one counter.
    pub fn put(&mut self, instance: &str, name: &str, value: u64) {
        self.0.insert(format!("{instance}.{name}"), value);
    }

    /// Adds the counters in one buffer of kstat records; gauges too.
    ///
    /// # Panics
    /// If they are malformed.
    pub fn add_records(&mut self, bytes: &[u8]) {
        let mut instance = String::new();
        for record in Records::new(bytes) {
            match record.expect("well-formed records") {
                Record::Instance(name) => name.as_str().unwrap_or("?").clone_into(&mut instance),
                Record::Counter { name, value, .. } => self.put(&instance, name, value),
                _ => {}
            }
        }
    }

    /// The value of a counter.
    ///
    /// # Panics
    /// If there is none of that name: a test that looks for it in vain cannot pass.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        let names = || self.0.keys().cloned().collect::<Vec<_>>().join(" ");
        *self
            .0
            .get(name)
            .unwrap_or_else(|| panic!("no counter {name} among {}", names()))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Asserts that since `before` exactly the counters in `moved` have grown, each by so much, and
    /// that none has come or gone.
    ///
    /// # Panics
    /// If not, with the differences.
    #[track_caller]
    pub fn assert_moved(&self, before: &Snapshot, moved: &[(&str, u64)]) {
        let mut report = String::new();
        for (name, by) in moved {
            assert!(self.0.contains_key(*name), "no counter {name}");
            let now = self.get(name).wrapping_sub(before.get(name));
            if now != *by {
                writeln!(report, "{name}: expected +{by}, got {:+}", now as i64).unwrap();
            }
        }
        let named = |name: &str| moved.iter().any(|(n, _)| *n == name);
        for (name, now) in self.0.iter().filter(|(name, _)| !named(name)) {
            match before.0.get(name) {
                Some(then) if then == now => {}
                Some(then) => {
                    let by = now.wrapping_sub(*then) as i64;
                    writeln!(report, "{name}: moved by {by:+}").unwrap();
                }
                None => writeln!(report, "{name}: is new").unwrap(),
            }
        }
        for name in before.0.keys().filter(|name| !self.0.contains_key(*name)) {
            writeln!(report, "{name}: is gone").unwrap();
        }
        assert!(report.is_empty(), "counters:\n{report}");
    }
}

/// All records that `read` gives, buffer by buffer of `size` bytes: `read` is told the cursor.
///
/// # Panics
/// If it does not come to an end.
pub fn read_all(size: usize, mut read: impl FnMut(&mut u64, &mut [u8]) -> usize) -> Vec<Vec<u8>> {
    let mut cursor = 0;
    let mut buffers = Vec::new();
    for _ in 0..1_000_000 {
        let mut buf = vec![0; size];
        let n = read(&mut cursor, &mut buf);
        if n == 0 {
            return buffers;
        }
        buf.truncate(n);
        buffers.push(buf);
    }
    panic!("the source of records does not end");
}

/// A counter as a line of text, to compare two readings with.
#[must_use]
pub fn describe(bytes: &[u8]) -> Vec<String> {
    let mut instance = String::new();
    let mut lines = Vec::new();
    for record in Records::new(bytes) {
        match record.expect("well-formed records") {
            Record::Instance(name) => name.as_str().unwrap_or("?").clone_into(&mut instance),
            Record::Counter {
                name,
                desc,
                class,
                value,
            } => lines.push(format!(
                "{instance} {} {name}={value} {desc}",
                Class::name(class)
            )),
            Record::TraceName { code, name } => lines.push(format!("{instance} {code}={name}")),
            Record::TraceEvent(e) => lines.push(format!("{instance} {e:?}")),
            Record::Unknown { kind, .. } => lines.push(format!("{instance} kind {kind}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use kabi::kstat::Writer;

    fn snapshot(a: u64, b: u64) -> Snapshot {
        let mut buf = [0; 512];
        let mut w = Writer::new(&mut buf);
        assert!(w.instance("x0") && w.counter("a", "", Class::Counter, a));
        assert!(w.instance("") && w.counter("b", "", Class::Drop, b));
        let len = w.len();
        let mut s = Snapshot::new();
        s.add_records(&buf[..len]);
        s
    }

    #[test]
    fn exactly_what_is_named_moved() {
        snapshot(3, 1).assert_moved(&snapshot(1, 1), &[("x0.a", 2)]);
        snapshot(1, 1).assert_moved(&snapshot(1, 1), &[]);
    }

    #[test]
    #[should_panic(expected = ".b: moved by +1")]
    fn another_one_moved() {
        snapshot(3, 2).assert_moved(&snapshot(1, 1), &[("x0.a", 2)]);
    }

    #[test]
    #[should_panic(expected = "x0.a: expected +2, got +1")]
    fn by_another_amount() {
        snapshot(2, 1).assert_moved(&snapshot(1, 1), &[("x0.a", 2)]);
    }

    #[test]
    #[should_panic(expected = "no counter x0.z")]
    fn a_name_that_is_not_there() {
        snapshot(2, 1).assert_moved(&snapshot(1, 1), &[("x0.z", 0)]);
    }
}
