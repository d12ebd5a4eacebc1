// SPDX-License-Identifier: BSD-2-Clause
//! ifconfig(8) as it is run: what is wrong is said before a kernel is asked for.

#![forbid(unsafe_code)]

use std::process::Command;

fn ifconfig(args: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_ifconfig"))
        .args(args)
        .env("ROPEWALK_KERNEL", "unix:/nowhere/ctl.sock")
        .output()
        .expect("it runs");
    assert!(out.stdout.is_empty(), "{out:?}");
    (
        out.status.code(),
        String::from_utf8(out.stderr).expect("text"),
    )
}

#[test]
fn a_wrong_line_is_explained_without_a_kernel() {
    let (code, said) = ifconfig(&["l2tp0", "session", "0", "1"]);
    assert_eq!(code, Some(1));
    assert_eq!(said, "ifconfig: l2tp0: session 0: must be 1..4294967295\n");
}

#[test]
fn a_kernel_that_is_not_there_is_named() {
    let (code, said) = ifconfig(&["-a"]);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("ifconfig: unix:/nowhere/ctl.sock: "),
        "{said}"
    );
    assert!(said.contains("is hostkern running?"), "{said}");
    let (_, said) = ifconfig(&["-K", "unix:/else/ctl.sock", "-l"]);
    assert!(
        said.starts_with("ifconfig: unix:/else/ctl.sock: "),
        "{said}"
    );
}

#[test]
fn a_kernel_of_no_kind_is_refused() {
    let (code, said) = ifconfig(&["-K", "tcp:localhost", "-a"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        said,
        "ifconfig: kernel 'tcp:localhost': must be native or unix:PATH\n"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn linux_has_no_native_kernel() {
    let (code, said) = ifconfig(&["-K", "native", "-a"]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("takes no modules; start hostkern and use -K unix:PATH"),
        "{said}"
    );
}

#[test]
fn wrong_options_exit_with_1() {
    assert_eq!(ifconfig(&["--flyaway"]).0, Some(1));
    assert_eq!(ifconfig(&["-a", "l2tp0"]).0, Some(1));
}
