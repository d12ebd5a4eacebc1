// SPDX-License-Identifier: BSD-2-Clause
//! The systems' own headers agree with our constants: a C file with static assertions has to
//! compile.
//!
//! Needs `cc`, and `NETBSD_INCLUDE` and `FREEBSD_INCLUDE`: directories of system headers,
//! separated by colons, of a 64-bit port. What is missing is named in the test's output.

#![forbid(unsafe_code)]

use if_l2tp_abi::{ABI, L2TP_STATE_DOWN, L2TP_STATE_UP};
use kabi::IfreqSize;
use std::fmt::Write as _;
use std::process::Command;

/// Our constants as C macros.
fn defines(freebsd: bool) -> String {
    let mut text = String::new();
    let mut define = |name: &str, value: u64| {
        writeln!(text, "#define OUR_{name} {value:#x}ul").expect("a string takes all");
    };
    for c in ABI.commands {
        define(c.name, u64::from(if freebsd { c.freebsd } else { c.cmd }));
    }
    let req = ABI
        .structs
        .iter()
        .find(|s| s.name == "L2tpReq")
        .expect("it is listed");
    define("SIZEOF_L2TP_REQ", req.size as u64);
    for f in req.fields {
        define(&format!("OFFSET_{}", f.name), f.offset as u64);
        define(&format!("SIZE_{}", f.name), f.size as u64);
    }
    let ifreq = if freebsd {
        IfreqSize::FreeBsd
    } else {
        IfreqSize::NetBsd
    };
    define("SIZEOF_IFREQ", ifreq as u64);
    define("L2TP_STATE_UP", L2TP_STATE_UP as u64);
    define("L2TP_STATE_DOWN", L2TP_STATE_DOWN as u64);
    text
}

/// Compiles `source` for `os`; `None` when there is nothing to compile it with.
fn compiles(os: &str, source: &str, defines: &str) -> Option<Result<(), String>> {
    let var = format!("{}_INCLUDE", os.to_uppercase());
    let Some(dirs) = std::env::var_os(&var) else {
        eprintln!("skipped: headers of {os}: {var} is not set");
        return None;
    };
    if Command::new("cc").arg("--version").output().is_err() {
        eprintln!("skipped: headers of {os}: no cc");
        return None;
    }
    let header = std::env::temp_dir().join(format!(
        "if_l2tp-abi-{}-{:?}.h",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::write(&header, defines).expect("the temporary directory can be written");
    let macro_ = if os == "netbsd" {
        "-D__NetBSD__"
    } else {
        "-D__FreeBSD__=15"
    };
    let mut cc = Command::new("cc");
    cc.args([
        "-std=gnu11",
        "-fsyntax-only",
        "-nostdinc",
        "-U__linux__",
        macro_,
        "-include",
    ]);
    cc.arg(&header);
    for dir in std::env::split_paths(&dirs) {
        cc.arg("-isystem").arg(dir);
    }
    cc.arg(format!("{}/tests/{source}", env!("CARGO_MANIFEST_DIR")));
    let out = cc.output().expect("cc runs, it just did");
    std::fs::remove_file(&header).expect("it was just written");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Some(if out.status.success() {
        Ok(())
    } else {
        Err(said)
    })
}

#[test]
fn netbsd_says_the_same() {
    if let Some(result) = compiles("netbsd", "abi_netbsd.c", &defines(false)) {
        result.expect("abi_netbsd.c compiles");
    }
}

#[test]
fn netbsd_would_notice_a_difference() {
    let wrong = defines(false).replace("OFFSET_my_cookie 0x18ul", "OFFSET_my_cookie 0x14ul");
    assert_ne!(wrong, defines(false));
    if let Some(result) = compiles("netbsd", "abi_netbsd.c", &wrong) {
        let said = result.expect_err("a wrong offset does not compile");
        assert!(said.contains("OUR_OFFSET_my_cookie"), "{said}");
    }
}

#[test]
fn freebsd_has_no_other_meaning_for_our_numbers() {
    if let Some(result) = compiles("freebsd", "abi_freebsd.c", &defines(true)) {
        result.expect("abi_freebsd.c compiles");
    }
}

#[test]
fn freebsd_would_notice_a_number_taken() {
    // NetBSD's SIOCSL2TPCOOKIE there is SIOCSLANPCP.
    let wrong = defines(true).replace("0x802069aeul", "0x80206999ul");
    assert_ne!(wrong, defines(true));
    if let Some(result) = compiles("freebsd", "abi_freebsd.c", &wrong) {
        let said = result.expect_err("a number taken does not compile");
        assert!(said.contains("duplicate case"), "{said}");
    }
}
