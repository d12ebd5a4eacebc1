// SPDX-License-Identifier: BSD-2-Clause
//! Rings that outlive the worker, and syslogd.

use crate::rig::Rig;
use crate::rig::kill;
use crate::rig::wait_for;

const CONF: &str = "set ring-dir DIR/rings\nset boot-dir DIR/boot\n\
    *.* ring:restart:256K:keep=restart\n*.* ring:boot:128K:keep=boot\n*.* ring:plain:64K\n";

fn send(rig: &Rig, what: &str, count: usize) {
    let log = rig.log();
    for n in 0..count {
        log.send(format!("<13>{what} {n}").as_bytes())
            .expect("sent");
    }
    wait_for("them", || rig.texts("restart", what).len() == count);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_is_killed_loses_nothing_of_these() {
    let rig = Rig::new(CONF);
    send(&rig, "before", 500);
    let boot = |rig: &Rig| rig.stats()["engine"]["reloads"].clone();
    assert_eq!(boot(&rig), 0);
    let worker = rig.worker().expect("a worker");
    kill(&worker.to_string(), "-KILL");
    wait_for("another worker", || {
        rig.worker().is_some_and(|pid| pid != worker)
    });
    rig.wait_until_it_answers();
    for ring in ["restart", "boot"] {
        assert_eq!(rig.texts(ring, "before").len(), 500, "{ring}");
    }
    assert!(rig.texts("plain", "before").is_empty(), "that one is lost");
    let told = rig
        .read("restart")
        .into_iter()
        .any(|r| r.text.contains("the worker ended"));
    assert!(told);
    send(&rig, "after", 10);
    // The numbers go on without a gap.
    let seqs: Vec<u64> = rig.read("restart").iter().map(|r| r.seq).collect();
    assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1));
}

#[test]
fn all_of_it_ends_and_starts_again() {
    let mut rig = Rig::new(CONF);
    send(&rig, "first", 100);
    rig.stop();
    assert!(!rig.path("log").exists() && !rig.path("pid").exists());
    rig.start_again();
    for ring in ["restart", "boot"] {
        assert_eq!(rig.texts(ring, "first").len(), 100, "{ring}");
    }
    // Another size at the next start.
    rig.stop();
    rig.conf(&CONF.replace("256K", "512K").replace("128K", "4K"));
    rig.start_again();
    assert_eq!(rig.texts("restart", "first").len(), 100);
    let fewer = rig.texts("boot", "first").len();
    assert!(fewer > 0 && fewer < 100, "{fewer}");
    let length = |name: &str| std::fs::metadata(rig.path(name)).expect("a file").len();
    assert_eq!(length("rings/restart.ring"), 512 << 10);
    assert_eq!(length("boot/boot.ring"), 4 << 10);
}

#[test]
fn nothing_of_a_damaged_file_is_believed() {
    let mut rig = Rig::new(CONF);
    send(&rig, "x", 20);
    rig.stop();
    let path = rig.path("rings/restart.ring");
    let len = std::fs::metadata(&path).expect("a file").len();
    std::fs::write(&path, vec![0x5a; usize::try_from(len).expect("a size")]).expect("written");
    rig.start_again();
    assert!(rig.texts("restart", "x").is_empty());
    assert_eq!(rig.texts("boot", "x").len(), 20);
    send(&rig, "y", 20);
}
