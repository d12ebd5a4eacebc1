// SPDX-License-Identifier: BSD-2-Clause
//! The ABI is that of `abi.golden`.

#![forbid(unsafe_code)]

/// Set `UPDATE_GOLDEN=1` to write the file anew, and read its diff before you commit it.
#[test]
fn abi_is_as_committed() {
    let now = iipf_abi::ABI.to_string();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/abi.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &now).expect("abi.golden can be written");
    }
    let committed = std::fs::read_to_string(path).expect("abi.golden is there");
    assert_eq!(
        committed, now,
        "the ABI changed: give what is new a new number"
    );
}

/// The kpi moves at most this much in one call.
#[test]
fn no_command_moves_more_than_4096_bytes() {
    for c in iipf_abi::ABI.commands {
        assert!(c.request.max(c.reply) <= 4096, "{}", c.name);
        assert_eq!(c.cmd, c.freebsd, "{}", c.name);
    }
}

/// No two commands have one number, no two constants of one prefix one value.
#[test]
fn numbers_are_distinct() {
    let mut seen = std::collections::BTreeMap::new();
    for c in iipf_abi::ABI.commands {
        let other = seen.insert(c.cmd & 0xff, c.name);
        assert_eq!(other, None, "{} has the number of another", c.name);
    }
}
