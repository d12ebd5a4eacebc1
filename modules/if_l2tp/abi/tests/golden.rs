// SPDX-License-Identifier: BSD-2-Clause
//! The ABI is that of `abi.golden`.

#![forbid(unsafe_code)]

/// Set `UPDATE_GOLDEN=1` to write the file anew, and read its diff before you commit it.
#[test]
fn abi_is_as_committed() {
    let now = if_l2tp_abi::ABI.to_string();
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
