// SPDX-License-Identifier: BSD-2-Clause
//! What it takes to undo a pair, in a file, for the time when its process is gone.
//!
//! *Contexts*: thread. *Locking*: the file is locked (flock(2)) as long as its process lives, and
//! replaced as a whole.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::snapshot::{Place, Snapshot};
use crate::os::check;

const MAGIC: &str = "hostkern pair 1";
const SUFFIX: &str = "pair";

/// What a pair was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The network namespace that both are in.
    pub netns: u64,
    /// The tap's name.
    pub tap: String,
    /// The interface whose place it took.
    pub physical: Place,
    /// Its link-level address.
    pub mac: [u8; 6],
    /// It is to be up.
    pub up: bool,
    /// Its MTU.
    pub mtu: u32,
    /// Its sysctl `disable_ipv6`; `None` without IPv6.
    pub disable_ipv6: Option<String>,
    /// The place for filters is one that we have made; `None`: there is no filter of ours.
    pub filter: Option<bool>,
    /// Where `snapshot` was taken.
    pub on: Place,
    /// Addresses and routes.
    pub snapshot: Snapshot,
}

/// The network namespace of this thread.
pub fn netns() -> io::Result<u64> {
    fs::metadata("/proc/thread-self/ns/net").map(|m| m.ino())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.len()
        .is_multiple_of(2)
        .then(|| pairs.map(byte).collect())?
}

impl State {
    /// As text.
    fn text(&self) -> String {
        let mut t = format!("{MAGIC}\nnetns {}\ntap {}\n", self.netns, self.tap);
        let (p, mac) = (&self.physical, hex(&self.mac));
        let ipv6 = self.disable_ipv6.as_deref().unwrap_or("-");
        let filter = self.filter.map_or("-", |made| if made { "1" } else { "0" });
        let _ = writeln!(t, "physical {} {} {mac}", p.index, p.name);
        let _ = writeln!(t, "up {}\nmtu {}", u8::from(self.up), self.mtu);
        let _ = writeln!(t, "disable_ipv6 {ipv6}\nfilter {filter}");
        let _ = writeln!(t, "on {} {}", self.on.index, self.on.name);
        for body in &self.snapshot.addrs {
            let _ = writeln!(t, "addr {}", hex(body));
        }
        for body in &self.snapshot.routes {
            let _ = writeln!(t, "route {}", hex(body));
        }
        t.push_str("end\n");
        t
    }

    /// From text; `None` when it is not whole.
    fn parse(text: &str) -> Option<State> {
        let mut lines = text.strip_suffix("end\n")?.lines();
        (lines.next()? == MAGIC).then_some(())?;
        let mut field = |name: &str| {
            let (key, value) = lines.next()?.split_once(' ')?;
            (key == name).then_some(value)
        };
        let place = |text: &str| {
            let (index, name) = text.split_once(' ')?;
            Some(Place {
                index: index.parse().ok()?,
                name: name.to_owned(),
            })
        };
        let netns = field("netns")?.parse().ok()?;
        let tap = field("tap")?.to_owned();
        let (physical, mac) = field("physical")?.rsplit_once(' ')?;
        let mut state = State {
            netns,
            tap,
            physical: place(physical)?,
            mac: unhex(mac)?.try_into().ok()?,
            up: field("up")? == "1",
            mtu: field("mtu")?.parse().ok()?,
            disable_ipv6: Some(field("disable_ipv6")?.to_owned()).filter(|v| v != "-"),
            filter: match field("filter")? {
                "-" => None,
                made => Some(made == "1"),
            },
            on: place(field("on")?)?,
            snapshot: Snapshot::default(),
        };
        for line in lines {
            match line.split_once(' ')? {
                ("addr", body) => state.snapshot.addrs.push(unhex(body)?),
                ("route", body) => state.snapshot.routes.push(unhex(body)?),
                _ => return None,
            }
        }
        Some(state)
    }
}

/// A state's file; its process holds it.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Locked.
    file: File,
}

fn lock_file(file: &File) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }).map(drop)
}

impl StateFile {
    /// Write a state to `dir`, which is made if it is missing.
    pub fn create(dir: &Path, state: &State) -> io::Result<StateFile> {
        if !dir.exists() {
            fs::create_dir(dir)?;
        }
        let name = format!("{}-{}.{SUFFIX}", state.netns, state.physical.name);
        let path = dir.join(name);
        let file = write(&path, state)?;
        Ok(StateFile { path, file })
    }

    /// Put another state in its place.
    pub fn replace(&mut self, state: &State) -> io::Result<()> {
        self.file = write(&self.path, state)?;
        Ok(())
    }

    /// It is undone.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The new file is locked before it is in place.
fn write(path: &Path, state: &State) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut how = File::options();
    let mut file = how
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    lock_file(&file)?;
    file.write_all(state.text().as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(file)
}

/// The states in `dir` that are of this network namespace and whose process is gone, each held
/// now; a file that makes no sense is an error with its name.
pub fn left_behind(dir: &Path) -> Vec<Result<(StateFile, State), String>> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let ours = |path: &PathBuf| path.extension().is_some_and(|e| e == SUFFIX);
    let paths = entries.flatten().map(|e| e.path()).filter(ours);
    paths.filter_map(|path| left(path).transpose()).collect()
}

fn left(path: PathBuf) -> Result<Option<(StateFile, State)>, String> {
    let about = |what: &str| format!("{}: {what}", path.display());
    let mut file = File::open(&path).map_err(|e| about(&e.to_string()))?;
    if lock_file(&file).is_err() {
        return Ok(None);
    }
    // Replaced before we had it: then a process has the new one.
    let inode = |m: io::Result<fs::Metadata>| m.map(|m| m.ino()).ok();
    if inode(file.metadata()) != inode(fs::metadata(&path)) {
        return Ok(None);
    }
    let mut text = String::new();
    file.read_to_string(&mut text)
        .map_err(|e| about(&e.to_string()))?;
    let mut state = State::parse(&text).ok_or_else(|| about("not a state of a pair"))?;
    if Some(state.netns) != netns().ok() {
        return Ok(None);
    }
    let written = file.metadata().and_then(|m| m.modified());
    let age = written.map_or(0, |at| at.elapsed().map_or(0, |age| age.as_secs()));
    state.snapshot.age(u32::try_from(age).unwrap_or(u32::MAX));
    Ok(Some((StateFile { path, file }, state)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let place = |index, name: &str| Place {
            index,
            name: name.into(),
        };
        State {
            netns: netns().expect("a namespace"),
            tap: "wan0".into(),
            physical: place(3, "eth1"),
            mac: [2, 0, 0, 0, 0, 1],
            up: true,
            mtu: 1500,
            disable_ipv6: Some("0".into()),
            filter: Some(true),
            on: place(7, "wan0"),
            snapshot: Snapshot {
                addrs: vec![vec![2, 24, 0, 255], vec![]],
                routes: vec![vec![1]],
                neighbours: Vec::new(),
            },
        }
    }

    #[test]
    fn text_round_trips_and_half_of_it_is_refused() {
        let mut state = state();
        assert_eq!(State::parse(&state.text()).as_ref(), Some(&state));
        (state.disable_ipv6, state.filter) = (None, None);
        let text = state.text();
        assert_eq!(State::parse(&text), Some(state));
        for len in 0..text.len() {
            assert_eq!(State::parse(&text[..len]), None, "{len}");
        }
    }

    #[test]
    fn a_file_is_left_behind_only_without_its_process() {
        let dir = std::env::temp_dir().join(format!("pair-state-{}", std::process::id()));
        let mut state = state();
        let mut file = StateFile::create(&dir, &state).expect("written");
        assert!(left_behind(&dir).is_empty(), "it is held");
        state.mtu = 1400;
        file.replace(&state).expect("written");
        assert!(left_behind(&dir).is_empty(), "it is still held");
        // As if killed.
        drop(file);
        let mut left = left_behind(&dir);
        assert_eq!(left.len(), 1);
        let (file, found) = left.remove(0).expect("whole");
        assert_eq!(found, state);
        assert!(left_behind(&dir).is_empty(), "held by who repairs it");
        file.remove().expect("removed");
        fs::write(dir.join("1-x.pair"), "junk").expect("written");
        assert!(left_behind(&dir).iter().all(Result::is_err));
        fs::remove_dir_all(&dir).expect("ours");
    }
}
