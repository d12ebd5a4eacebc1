// SPDX-License-Identifier: BSD-2-Clause
//! A file system that is full: of 64 KiB, in a mount namespace of its own.

use crate::rig::Rig;
use crate::rig::wait_for;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

const MESSAGES: u64 = 1000;

/// Begins with a small file system in DIR/small, then becomes what is said behind it.
fn begin(dir: &Path) -> [String; 5] {
    let small = dir.join("small");
    let mount = format!(
        "mount -t tmpfs -o size=64k none '{}' && exec \"$0\" \"$@\"",
        small.display()
    );
    ["unshare", "-m", "sh", "-c", &mount].map(str::to_owned)
}

/// Why there cannot be one.
fn cannot(by: &[String]) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("there are no mount namespaces".into());
    }
    if !nix::unistd::geteuid().is_root() {
        return Some("only root mounts".into());
    }
    let (program, arguments) = by.split_first()?;
    let tried = Command::new(program)
        .args(arguments)
        .arg("true")
        .stdin(Stdio::null())
        .output();
    match tried {
        Ok(out) if out.status.success() => None,
        Ok(out) => Some(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
        Err(e) => Some(e.to_string()),
    }
}

/// The number of a message of this test.
fn number(text: &str) -> Option<u64> {
    text.split_once("full ")?.1.split(' ').next()?.parse().ok()
}

#[test]
fn what_a_full_file_system_does_not_take() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("small")).expect("a folder");
    let by = begin(dir.path());
    if let Some(why) = cannot(&by) {
        eprintln!("skipped: what_a_full_file_system_does_not_take: {why}");
        return;
    }
    let by = by.each_ref().map(String::as_str);
    // The smallest message: some 17 KB are held back.
    let conf = "set message 480\n*.* DIR/small/log\n*.* ring:all:4M\n";
    let rig = Rig::by(&by, dir, conf, &["-s"]);
    // Its file system as it sees it.
    let mut small = PathBuf::from(format!("/proc/{}/root", rig.pid()));
    small.extend(rig.path("small").components().skip(1));
    let lines = || {
        let text = std::fs::read_to_string(small.join("log")).expect("a file");
        let lines = text.lines().map(str::to_owned);
        lines.collect::<Vec<String>>()
    };
    std::fs::write(small.join("filler"), vec![0; 32 << 10]).expect("room");

    let log = rig.log();
    let send = |n: u64| {
        let message = format!("<13>app: full {n} {}", "x".repeat(200));
        log.send(message.as_bytes()).expect("sent");
    };
    (0..MESSAGES).for_each(send);
    wait_for("all of them", || rig.received(0) >= MESSAGES);
    let figure = |name: &str| rig.stats()["outputs"][0][name].as_u64().expect("a number");
    wait_for("the loss", || figure("lost") > 0);
    assert!(std::fs::write(small.join("more"), [0; 4096]).is_err());
    assert!(figure("waiting_bytes") > 0, "some are held back");

    // Room is made: what was held back is written, and what comes then.
    let lost = figure("lost");
    let _ = std::fs::remove_file(small.join("more"));
    std::fs::remove_file(small.join("filler")).expect("removed");
    wait_for("what was held back", || figure("waiting_bytes") == 0);
    (MESSAGES..MESSAGES + 10).for_each(send);
    wait_for("what comes then", || {
        lines().last().and_then(|line| number(line)) == Some(MESSAGES + 9)
    });

    // The ring has all of them; the file all but those that are counted as lost.
    let all = rig.read("all");
    let file = lines();
    assert_eq!(figure("lost"), lost);
    assert_eq!(figure("messages"), file.len() as u64);
    assert_eq!(all.len() as u64, file.len() as u64 + lost);
    let written = &rig.stats()["engine"]["outputs"][0]["written"];
    assert_eq!(*written, file.len() as u64 + lost);
    // Each line is whole, in its order and there once.
    let numbers: Vec<u64> = file.iter().filter_map(|line| number(line)).collect();
    assert!(numbers.is_sorted());
    let once: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(once.len(), numbers.len());
    let ours = file.iter().filter(|line| line.contains("full "));
    assert!(ours.clone().count() >= once.len());
    for line in ours.filter(|line| number(line).is_some()) {
        assert!(line.ends_with(&"x".repeat(200)), "{line}");
    }
    // It was said once.
    let path = rig.path("small/log");
    let told = rig.texts("all", &format!("{}: ", path.display()));
    assert_eq!(told.len(), 1, "{told:?}");
}
