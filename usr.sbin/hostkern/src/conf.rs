// SPDX-License-Identifier: BSD-2-Clause
//! hostkern.toml(5): text to [`Conf`], with errors that say file, line and column.

use crate::backend::Pair;
use crate::log::Level;
use host::ifreg::valid_name;
use libifconfig::{Action, Command, parse};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Where the control socket is when nothing says so.
pub const SOCKET: &str = "/run/hostkern.sock";
/// Where pairs keep what undoes them when nothing says so.
pub const STATE: &str = "/run/hostkern";

/// What the file says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Its permissions: who may write may do all.
    pub mode: u32,
    /// Its group.
    pub group: Option<String>,
    /// Whom to become.
    pub user: Option<String>,
    /// Inline pairs, in this order, before any module.
    pub pairs: Vec<Pair>,
    /// Directory of what it takes to undo them.
    pub state: PathBuf,
    /// Modules to load at start, in this order.
    pub modules: Vec<String>,
    /// Interfaces, in this order, with all that is said about each.
    pub interfaces: Vec<Interface>,
    /// How much is said.
    pub log: Level,
}

/// What the `ifconfig` lines say about one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// [`Action::Create`] first.
    pub actions: Vec<Action>,
}

impl Interface {
    /// As one command.
    pub fn command(&self) -> Command {
        Command {
            target: self.name.clone(),
            actions: self.actions.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    socket: Option<Spanned<PathBuf>>,
    mode: Option<Spanned<String>>,
    group: Option<String>,
    user: Option<String>,
    state: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pairs: Vec<Spanned<String>>,
    #[serde(default)]
    modules: Vec<Spanned<String>>,
    #[serde(default)]
    ifconfig: Vec<Spanned<String>>,
    log: Option<Level>,
}

impl Default for Conf {
    fn default() -> Conf {
        Conf {
            socket: SOCKET.into(),
            mode: 0o600,
            group: None,
            user: None,
            pairs: Vec::new(),
            state: STATE.into(),
            modules: Vec::new(),
            interfaces: Vec::new(),
            log: Level::Info,
        }
    }
}

/// Reads and checks a file.
///
/// # Errors
/// "FILE:LINE:COLUMN: what is wrong"
pub fn load(path: &Path, linked: &[&str]) -> Result<Conf, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    check(&text, linked).map_err(|(at, what)| {
        let (line, column) = place(&text, at);
        format!("{}:{line}:{column}: {what}", path.display())
    })
}

/// Line and column, from 1, of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}

/// Checks `text`; an error has the byte that it is about. `linked`: the modules there are.
fn check(text: &str, linked: &[&str]) -> Result<Conf, (usize, String)> {
    let file: File = toml::from_str(text).map_err(|e| {
        let at = e.span().unwrap_or_else(|| end(text)).start;
        (at, e.message().trim().replace('\n', " "))
    })?;
    let mut conf = Conf {
        group: file.group,
        user: file.user,
        ..Conf::default()
    };
    conf.log = file.log.unwrap_or(conf.log);
    if let Some(socket) = file.socket {
        if !socket.get_ref().is_absolute() || socket.get_ref().as_os_str().len() > 100 {
            let what = "socket: must be a path from / on, of at most 100 bytes";
            return Err((socket.span().start, what.into()));
        }
        conf.socket = socket.into_inner();
    }
    if let Some(mode) = file.mode {
        let bits = u32::from_str_radix(mode.get_ref(), 8)
            .ok()
            .filter(|m| *m <= 0o777);
        let what = "mode: must be octal digits, as \"0660\"";
        conf.mode = bits.ok_or_else(|| (mode.span().start, what.to_owned()))?;
    }
    if let Some(state) = file.state {
        if !state.get_ref().is_absolute() {
            return Err((state.span().start, "state: must be a path from / on".into()));
        }
        conf.state = state.into_inner();
    }
    for line in file.pairs {
        let pair = pair(&conf.pairs, line.get_ref());
        let pair = pair.map_err(|what| (line.span().start, what))?;
        conf.pairs.push(pair);
    }
    for module in file.modules {
        if !linked.contains(&module.get_ref().as_str()) {
            let what = format!(
                "no module '{}'; there are {}",
                module.get_ref(),
                linked.join(" ")
            );
            return Err((module.span().start, what));
        }
        conf.modules.push(module.into_inner());
    }
    let mut at = BTreeMap::new();
    for line in file.ifconfig {
        // A pair's tap is there already.
        let taken = |p: &&Pair| line.get_ref().split_whitespace().next() == Some(&*p.tap);
        if let Some(pair) = conf.pairs.iter().find(taken) {
            let what = format!("{}: is the tap of a pair", pair.tap);
            return Err((line.span().start, what));
        }
        let add = interface(&mut conf.interfaces, &mut at, line.get_ref());
        add.map_err(|what| (line.span().start, what))?;
    }
    Ok(conf)
}

fn end(text: &str) -> Range<usize> {
    text.len()..text.len()
}

/// One line of `pairs`; `others`: those before it.
fn pair(others: &[Pair], line: &str) -> Result<Pair, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[tap, physical] = words.as_slice() else {
        return Err(format!(
            "pairs: '{line}': must be a tap and an interface, as \"wan0 eth1\""
        ));
    };
    if let Some(wrong) = [tap, physical].into_iter().find(|n| !valid_name(n)) {
        return Err(format!("pairs: '{wrong}': not a name of an interface"));
    }
    if tap == physical {
        return Err(format!("pairs: {tap}: the tap needs a name of its own"));
    }
    for other in others {
        let there = [&*other.tap, &*other.physical];
        if let Some(twice) = [tap, physical].into_iter().find(|n| there.contains(n)) {
            return Err(format!("pairs: {twice}: is in a line before"));
        }
    }
    Ok(Pair {
        tap: tap.to_owned(),
        physical: physical.to_owned(),
    })
}

/// Adds one line of `ifconfig`; `at` is where in `all` an interface is.
fn interface(
    all: &mut Vec<Interface>,
    at: &mut BTreeMap<String, usize>,
    line: &str,
) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let command = parse(&words)?;
    let name = command.target;
    for action in &command.actions {
        if matches!(action, Action::Destroy | Action::Name(_)) {
            return Err(format!("{name}: {action}: not in a configuration"));
        }
    }
    let create = command.actions.first() == Some(&Action::Create);
    match at.get(&name).and_then(|&i| all.get_mut(i)) {
        Some(_) if create => Err(format!("{name}: create: was created in a line before")),
        Some(interface) => {
            interface.actions.extend(command.actions);
            Ok(())
        }
        None if !create => Err(format!("{name}: its first line must begin with create")),
        None if !name.ends_with(|c: char| c.is_ascii_digit()) => {
            Err(format!("{name}: needs a unit, as {name}0"))
        }
        None => {
            at.insert(name.clone(), all.len());
            all.push(Interface {
                name,
                actions: command.actions,
            });
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKED: &[&str] = &["if_l2tp"];

    #[test]
    fn a_whole_file() {
        let text = r#"
            socket = "/run/hostkern/ctl.sock"
            mode = "0660"
            group = "network"
            user = "_hostkern"
            log = "debug"
            pairs = ["wan0 eth1", "  lan0\teth0.7 "]
            state = "/var/run/pairs"
            modules = ["if_l2tp"]
            ifconfig = [
                "l2tp0 create tunnel 192.0.2.1 192.0.2.2 session 1 2 up",
                "l2tp0 mtu 1400",
                "l2tp1 create",
            ]
        "#;
        let conf = check(text, LINKED).expect("it is right");
        assert_eq!((conf.mode, conf.log), (0o660, Level::Debug));
        let pair = |tap: &str, physical: &str| Pair {
            tap: tap.into(),
            physical: physical.into(),
        };
        assert_eq!(conf.pairs, [pair("wan0", "eth1"), pair("lan0", "eth0.7")]);
        assert_eq!(conf.state, Path::new("/var/run/pairs"));
        assert_eq!(conf.interfaces.len(), 2);
        assert_eq!(conf.interfaces[0].actions.len(), 5);
        assert_eq!(conf.interfaces[1].actions, [Action::Create]);
        assert_eq!(check("", LINKED), Ok(Conf::default()));
    }

    /// Each with line, column and what the message has in it.
    const WRONG: &[(&str, usize, usize, &str)] = &[
        ("sockt = \"/x\"", 1, 1, "unknown field `sockt`"),
        ("\nsocket = \"x\"", 2, 10, "must be a path from /"),
        ("socket = ", 1, 10, ""),
        ("mode = \"0999\"", 1, 8, "octal"),
        ("mode = \"7777\"", 1, 8, "octal"),
        ("mode = 432", 1, 8, "invalid type"),
        ("log = \"loud\"", 1, 7, "unknown variant `loud`"),
        (
            "modules = [\"if_l2tp\",\n \"if_x\"]",
            2,
            2,
            "no module 'if_x'; there are if_l2tp",
        ),
        (
            "ifconfig = [\n  \"l2tp0 up\",\n]",
            2,
            3,
            "first line must begin with create",
        ),
        (
            "ifconfig = [\"l2tp create\"]",
            1,
            13,
            "needs a unit, as l2tp0",
        ),
        (
            "ifconfig = [\"l2tp0 create\",\n\"l2tp0 create\"]",
            2,
            1,
            "in a line before",
        ),
        (
            "ifconfig = [\"l2tp0 create destroy\"]",
            1,
            13,
            "destroy: not in a configuration",
        ),
        (
            "ifconfig = [\"l2tp0 create name x\"]",
            1,
            13,
            "name x: not in a configuration",
        ),
        ("ifconfig = [\"\"]", 1, 13, "no interface named"),
        (
            "pairs = [\"wan0\"]",
            1,
            10,
            "must be a tap and an interface",
        ),
        ("pairs = [\"wan0 eth1 x\"]", 1, 10, "as \"wan0 eth1\""),
        (
            "pairs = [\n  \"wan0 eth1\",\n  \"wan1 eth1\",\n]",
            3,
            3,
            "eth1: is in a line before",
        ),
        (
            "pairs = [\"a b\", \"b c\"]",
            1,
            17,
            "b: is in a line before",
        ),
        ("pairs = [\"x x\"]", 1, 10, "a name of its own"),
        (
            "pairs = [\"wan0 a/b\"]",
            1,
            10,
            "'a/b': not a name of an interface",
        ),
        (
            "pairs = [\"l2tp0 b\"]\nifconfig = [\"l2tp0 create\"]",
            2,
            13,
            "l2tp0: is the tap of a pair",
        ),
        ("state = \"x\"", 1, 9, "must be a path from /"),
        (
            "ifconfig = [\n\t\"l2tp0 create session 0 1\"]",
            2,
            2,
            "must be 1..4294967295",
        ),
    ];

    #[test]
    fn errors_say_where_and_what() {
        for &(text, line, column, what) in WRONG {
            let (at, said) = check(text, LINKED).expect_err(text);
            assert_eq!(place(text, at), (line, column), "{text}: {said}");
            assert!(said.contains(what), "{text}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let e = load(Path::new("/nowhere/hostkern.toml"), LINKED).expect_err("not there");
        assert!(e.starts_with("/nowhere/hostkern.toml: "), "{e}");
    }
}

/// The configuration's fuzz target, replayed: the committed inputs and what they turn into.
#[cfg(test)]
mod fuzz {
    use super::check;
    use super::place;
    use std::fs;
    use std::path::Path;
    use testkit::Noise;

    const RUNS: usize = 20_000;

    /// Any text is taken or refused, and what is refused has a place in the text.
    fn target(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        match check(&text, &["if_l2tp"]) {
            Ok(conf) => assert!(conf.mode <= 0o777 && conf.socket.is_absolute()),
            Err((at, what)) => {
                let (line, column) = place(&text, at);
                assert!(
                    at <= text.len() && line >= 1 && column >= 1,
                    "{at} of {text:?}"
                );
                assert!(!what.is_empty() && !what.contains('\n'), "{what:?}");
            }
        }
    }

    #[test]
    fn any_configuration_is_taken_or_refused() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut inputs = vec![fs::read(here.join("../../etc/hostkern.toml")).unwrap()];
        for kind in ["corpus", "regress"] {
            let Ok(files) = fs::read_dir(here.join("fuzz").join(kind)) else {
                continue;
            };
            let mut paths: Vec<_> = files.map(|f| f.unwrap().path()).collect();
            paths.sort();
            inputs.extend(paths.iter().map(|path| fs::read(path).unwrap()));
        }
        assert!(inputs.len() > 3, "the corpus is committed");
        inputs.iter().for_each(|input| target(input));
        let mut noise = Noise::new(0x726f_7065);
        for run in 0..RUNS {
            let mut input = inputs[run % inputs.len()].clone();
            noise.mutate(&mut input);
            target(&input);
        }
    }
}
