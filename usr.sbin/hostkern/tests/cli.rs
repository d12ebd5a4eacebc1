// SPDX-License-Identifier: BSD-2-Clause
//! hostkern(8) as it is run: the check of a configuration, and a life from start to end.

#![forbid(unsafe_code)]

use libkctl::Kernel;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("hostkern-{name}-{}", std::process::id()));
        fs::create_dir(&dir).expect("a directory of our own");
        Dir(dir)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn hostkern() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hostkern"))
}

fn check(file: &str) -> Output {
    hostkern()
        .args(["-n", "-f", file])
        .output()
        .expect("it runs")
}

#[test]
fn n_says_file_line_and_column() {
    let dir = Dir::new("check");
    let good = dir.file("good.toml", "modules = [\"if_l2tp\"]\n");
    let out = check(&good);
    assert!(
        out.status.success() && out.stdout.is_empty() && out.stderr.is_empty(),
        "{out:?}"
    );
    let bad = dir.file(
        "bad.toml",
        "log = \"info\"\nifconfig = [\n    \"l2tp0 create mtu 1\",\n]\n",
    );
    let out = check(&bad);
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8(out.stderr).expect("text");
    assert_eq!(
        said,
        format!("{bad}:3:5: l2tp0: mtu 1: must be 68..65535\n")
    );
    let out = check("/nowhere/x.toml");
    assert_eq!(out.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&out.stderr).starts_with("/nowhere/x.toml: "),
        "{out:?}"
    );
}

#[test]
fn the_example_is_right() {
    let out = check(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../etc/hostkern.toml"
    ));
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn an_unknown_user_is_named_and_nothing_is_left() {
    let dir = Dir::new("user");
    let socket = dir.0.join("ctl.sock");
    let text = format!("socket = {socket:?}\nuser = \"no-such-user-here\"\n");
    let out = hostkern()
        .args(["-f", &dir.file("c.toml", &text)])
        .output()
        .expect("it runs");
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(said, "hostkern: user: no user 'no-such-user-here'\n");
    assert!(!socket.exists());
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn ended(child: &mut Child) -> bool {
    child.try_wait().expect("a child of ours").is_some()
}

/// Without interfaces, so it needs no rights.
#[test]
fn from_start_to_shutdown_by_a_client() {
    let dir = Dir::new("life");
    let socket = dir.0.join("sub/ctl.sock");
    let pid = dir.0.join("pid");
    let text = format!("socket = {socket:?}\nmodules = [\"if_l2tp\"]\n");
    let file = dir.file("c.toml", &text);
    let mut child = hostkern()
        .args(["-f", &file, "-p"])
        .arg(&pid)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    wait_for("no socket", || socket.exists() && pid.exists());
    let spec = format!("unix:{}", socket.display());
    let mut kernel = Kernel::open(&spec).expect("open");
    assert_eq!(kernel.version().expect("version").pid, child.id());
    assert!(kernel.modules().expect("modules")[0].loaded);
    assert_eq!(
        fs::read_to_string(&pid).expect("pid file"),
        format!("{}\n", child.id())
    );
    let second = hostkern().args(["-f", &file]).output().expect("it runs");
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&format!("process {} serves it already", child.id())),
        "{said}"
    );
    kernel.shutdown().expect("shutdown");
    wait_for("it goes on", || ended(&mut child));
    let out = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        out.status.success() && said.contains("nothing leaked"),
        "{said}"
    );
    assert!(!socket.exists() && !pid.exists(), "something is left");
}
