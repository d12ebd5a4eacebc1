// SPDX-License-Identifier: BSD-2-Clause
//! Another configuration while messages come.

use crate::rig::Rig;
use crate::rig::wait_for;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

#[test]
fn under_load_nothing_is_lost() {
    let rig = Rig::new("*.* ring:all:8M\n*.* DIR/file\n");
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let log = rig.log();
            let mut n = 0u64;
            while !stop.load(Ordering::SeqCst) {
                log.send(format!("<13>app: load {n}").as_bytes())
                    .expect("sent");
                n += 1;
                if n.is_multiple_of(64) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
            n
        });
        for round in 1..=5u64 {
            let extra = format!("local{round}.* ring:extra{round}:64K\n");
            rig.conf(&format!("*.* ring:all:8M\n{extra}*.* DIR/file\n"));
            // As a rotation of logs does.
            let _ = std::fs::rename(rig.path("file"), rig.path(&format!("file.{round}")));
            rig.signal("-HUP");
            wait_for("the reload", || rig.stats()["engine"]["reloads"] == round);
        }
        stop.store(true, Ordering::SeqCst);
        sender.join().expect("the sender")
    });
    wait_for("all of them", || rig.received(0) >= sent);
    let texts = rig.texts("all", "load ");
    assert_eq!(texts.len() as u64, sent);
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(*text, format!("load {n}"));
    }
    rig.ask("{\"op\":\"flush\"}");
    let lines = || {
        let files = (0..=5).map(|n| match n {
            0 => rig.path("file"),
            n => rig.path(&format!("file.{n}")),
        });
        let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
        texts
            .map(|text| text.matches(" app: load ").count() as u64)
            .sum::<u64>()
    };
    wait_for("the files", || lines() == sent);
}

#[test]
fn a_wrong_one_changes_nothing() {
    let rig = Rig::new("*.* ring:all:64K\n");
    rig.conf("*.nonsense ring:all:64K\n");
    rig.signal("-HUP");
    wait_for("the complaint", || {
        rig.read("all")
            .iter()
            .any(|r| r.text.contains("stays as it was"))
    });
    rig.log().send(b"<13>still").expect("sent");
    wait_for("it", || !rig.texts("all", "still").is_empty());
}

#[test]
fn it_can_be_checked_and_does_not_start_twice() {
    let rig = Rig::new("*.* ring:all:64K\n");
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_syslogd"))
            .args(arguments)
            .output()
            .expect("syslogd")
    };
    let at = |name: &str| rig.path(name).to_str().expect("a name").to_owned();
    let checked = run(&["-n", "-f", &at("conf")]);
    assert!(checked.status.success());
    std::fs::write(rig.path("wrong"), "*.* ring:x:64K\n*.nonsense /x\n").expect("written");
    let checked = run(&["-n", "-f", &at("wrong")]);
    assert!(!checked.status.success());
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains("wrong:2:"), "{said}");
    let second = run(&[
        "-d",
        "-s",
        "-f",
        &at("conf"),
        "-p",
        &at("log2"),
        "--pidfile",
        &at("pid"),
    ]);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("runs already"), "{said}");
}
