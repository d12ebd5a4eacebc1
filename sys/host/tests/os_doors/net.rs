// SPDX-License-Identifier: BSD-2-Clause
//! Two network namespaces joined by a veth pair, for as long as the test that asked for them runs.
//!
//! A namespace belongs to the threads that are in it, so nothing is left behind when they end.

use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest that one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);

/// One side of a test.
pub struct Side {
    /// 1 or 2, and what addresses end in.
    pub number: u8,
    to_other: Sender<()>,
    from_other: Receiver<()>,
}

/// Why namespaces cannot be made here.
fn refusal() -> Option<String> {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return Some("it needs root".into());
    }
    if let Err(e) = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
    {
        return Some(format!("/dev/net/tun: {e}"));
    }
    if let Err(e) = Command::new("ip").arg("-V").output() {
        return Some(format!("ip(8): {e}"));
    }
    // On a thread of its own, which takes its namespace with it.
    let unshared = thread::spawn(unshare).join();
    match unshared {
        Ok(Ok(())) => None,
        Ok(Err(e)) => Some(format!("network namespaces: {e}")),
        Err(_) => Some("a thread failed".into()),
    }
}

fn unshare() -> std::io::Result<()> {
    // SAFETY: no pointers.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// ip(8) in the namespace of this thread: what it printed.
pub fn ip(args: &str) -> String {
    let out = Command::new("ip")
        .args(args.split_whitespace())
        .output()
        .expect("ip runs");
    assert!(
        out.status.success(),
        "ip {args}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Wait until `f` holds.
pub fn wait_for(what: &str, mut f: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !f() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Side {
    /// Both sides have come this far.
    pub fn meet(&self) {
        self.to_other.send(()).expect("the other side lives");
        self.from_other
            .recv_timeout(PATIENCE)
            .expect("the other side comes along");
    }
}

/// Run `f` on two threads, each in a network namespace of its own. Their interface `v0` is up, with
/// the addresses 192.0.2.N and 2001:db8::N. Says so and does nothing where that is impossible.
pub fn two_sides(name: &str, f: fn(&Side)) {
    if let Some(why) = refusal() {
        println!("skipped: {name}: {why}");
        return;
    }
    let (to_first, from_second) = channel();
    let (to_second, from_first) = channel();
    let (tid_to, tid_from) = channel();
    let second = thread::spawn(move || {
        unshare().expect("a namespace");
        // SAFETY: no arguments.
        tid_to
            .send(unsafe { libc::gettid() })
            .expect("the first lives");
        let side = Side {
            number: 2,
            to_other: to_first,
            from_other: from_first,
        };
        side.meet();
        up(&side);
        // Until both are up, and the kernel has noticed, what is sent is lost.
        wait_for("a carrier", || ip("-o link show v0").contains("state UP"));
        side.meet();
        f(&side);
    });
    let first = thread::spawn(move || {
        unshare().expect("a namespace");
        let tid: i32 = tid_from.recv_timeout(PATIENCE).expect("the second lives");
        ip(&format!("link add v0 type veth peer name v0 netns {tid}"));
        let side = Side {
            number: 1,
            to_other: to_second,
            from_other: from_second,
        };
        side.meet();
        up(&side);
        // Until both are up, and the kernel has noticed, what is sent is lost.
        wait_for("a carrier", || ip("-o link show v0").contains("state UP"));
        side.meet();
        f(&side);
    });
    let ended = [first.join(), second.join()];
    ended
        .into_iter()
        .for_each(|side| side.expect("this side is well"));
}

fn up(side: &Side) {
    let n = side.number;
    ip("link set lo up");
    ip(&format!("addr add 192.0.2.{n}/24 dev v0"));
    ip(&format!("addr add 2001:db8::{n}/64 dev v0 nodad"));
    ip("link set v0 up");
}
