// SPDX-License-Identifier: BSD-2-Clause
//! iipfctl(8) as it is run: what is wrong is said before a kernel is asked for.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::Command;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn iipfctl(args: &[&str]) -> Said {
    let out = Command::new(env!("CARGO_BIN_EXE_iipfctl"))
        .args(args)
        .env("ROPEWALK_KERNEL", "unix:/nowhere/ctl.sock")
        .output()
        .expect("it runs");
    Said {
        code: out.status.code(),
        out: String::from_utf8(out.stdout).expect("text"),
        err: String::from_utf8(out.stderr).expect("text"),
    }
}

/// A file of its own, gone at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let name = format!("iipfctl-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("the temporary directory can be written");
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_example_checks_without_a_kernel() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../etc/iipf.conf");
    let said = iipfctl(&["-n", "-f", example]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let said = iipfctl(&["-nvf", example]);
    assert!(
        said.out
            .contains("\nnat on wan0 inet from 192.168.1.0/24 to any -> (wan0)"),
        "{}",
        said.out
    );
}

#[test]
fn every_fault_has_its_place_and_a_hint() {
    let file = File::new(
        "wrong",
        "pas all\nblock in proto tcp port 80\npass from <nobody>\n",
    );
    let said = iipfctl(&["-n", "-f", file.path()]);
    assert_eq!(said.code, Some(1));
    let path = file.path();
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(
        lines,
        [
            format!("iipfctl: {path}:1:1: 'pas' where a rule should be; did you mean 'pass'?"),
            format!(
                "iipfctl: {path}:2:20: 'port' where a word of a block rule should be; write 'from \
                 port' or 'to port'"
            ),
        ]
    );
    let file = File::new("table", "pass from <nobody>\n");
    let said = iipfctl(&["-n", "-f", file.path()]);
    assert!(
        said.err
            .contains("table <nobody> is not defined; write table <nobody>"),
        "{}",
        said.err
    );
}

#[test]
fn macros_of_the_command_line_go_first() {
    let file = File::new("macro", "wan = \"wan0\"\npass in on $wan\n");
    let said = iipfctl(&["-D", "wan=ppp7", "-nvf", file.path()]);
    assert_eq!(said.out, "pass in on ppp7 all flags S/SA keep state\n");
}

#[test]
fn a_kernel_that_is_not_there_is_named() {
    let said = iipfctl(&["show", "rules"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.starts_with("iipfctl: unix:/nowhere/ctl.sock: "),
        "{}",
        said.err
    );
    for args in [
        ["-s", "info"].as_slice(),
        &["-t", "a", "-T", "add", "::1"],
        &["-e"],
    ] {
        let said = iipfctl(args);
        assert!(
            said.err.contains("is hostkern running?"),
            "{args:?}: {}",
            said.err
        );
    }
    let file = File::new("good", "pass all\n");
    let said = iipfctl(&["-f", file.path()]);
    assert!(said.err.contains("is hostkern running?"), "{}", said.err);
}

#[test]
fn wrong_words_exit_with_1() {
    assert_eq!(iipfctl(&[]).code, Some(1));
    assert_eq!(iipfctl(&["--flyaway"]).code, Some(1));
    assert_eq!(iipfctl(&["kill"]).code, Some(1));
    let said = iipfctl(&["frobnicate"]);
    assert!(
        said.err.contains("'frobnicate' is no command"),
        "{}",
        said.err
    );
    assert_eq!(iipfctl(&["-t", "bad"]).code, Some(1));
    assert_eq!(iipfctl(&["-f", "/nowhere/iipf.conf"]).code, Some(1));
}
