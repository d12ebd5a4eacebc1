// SPDX-License-Identifier: BSD-2-Clause
//! Actions: what stands behind a selector.

use crate::conf::note::Fault;
use crate::conf::remote::Draft;
use crate::conf::remote::remote;
use crate::conf::scan::Scan;
use crate::conf::scan::size;
use crate::conf::scan::unhash;
use crate::conf::types::Keep;

/// What a line sends its messages to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    File {
        path: String,
        sync: bool,
        full: bool,
    },
    Remote(Box<Draft>),
    Users(Vec<String>),
    Wall,
    Pipe(String),
    Ring(RingDraft),
}

/// What a line says of a ring.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RingDraft {
    pub name: String,
    pub size: Option<u64>,
    pub keep: Option<Keep>,
    pub pack: Option<bool>,
    pub group: Option<String>,
    pub mode: Option<u32>,
}

/// A ring smaller than this holds next to nothing, and a larger one is a slip of a unit.
const SMALLEST: u64 = 4096;
const LARGEST: u64 = 1 << 40;
const MOST_USERS: usize = 64;
const LONGEST: usize = 1023;

const RING: &str = "ring:NAME:SIZE[:keep=boot|restart|none][:pack=lz4|none][:group=G][:mode=0640]";

/// Reads an action up to the line's end, which has no comment any more. The second of the result is
/// a warning.
///
/// # Errors
/// What is wrong in it.
pub(super) fn action(scan: &mut Scan<'_>) -> Result<(Action, Option<Fault>), Fault> {
    let start = scan.at();
    if scan.eat('|') {
        scan.blanks();
        let command = unhash(scan.take(|_| true));
        if command.is_empty() {
            return Err(Fault::new(start, "no command", "|command"));
        }
        return Ok((Action::Pipe(command), None));
    }
    let (action, mut warning) = match scan.peek() {
        Some('@') => {
            scan.eat('@');
            let (draft, warning) = remote(scan)?;
            (Action::Remote(Box::new(draft)), warning)
        }
        Some('/' | '-' | '+') => (file(scan)?, None),
        Some('*') if scan.eat('*') => (Action::Wall, None),
        Some(':') => (Action::Ring(openbsd_ring(scan)?), None),
        Some(_) if scan.rest().starts_with("ring:") => (Action::Ring(ring(scan)?), None),
        Some(_) => (users(scan)?, None),
        None => return Err(Fault::new(start, "no action", "selector, blanks, action")),
    };
    scan.blanks();
    // sysklogd's; what it says is about rotation and formats that are elsewhere here.
    if scan.peek() == Some(';') {
        let hint = "newsyslog(8) rotates files; remote hosts have (format=...)";
        let what = format!("{:?} has no effect", scan.rest());
        warning = warning.or(Some(scan.fault(what, hint)));
        scan.take(|_| true);
    }
    scan.finish()?;
    Ok((action, warning))
}

fn file(scan: &mut Scan<'_>) -> Result<Action, Fault> {
    let start = scan.at();
    let full = scan.eat('+');
    let sync = !scan.eat('-');
    let path = unhash(scan.take(|c| !" \t;".contains(c)));
    if !path.starts_with('/') {
        return Err(Fault::new(start, "expected a path", "a path begins with /"));
    }
    if path.len() > LONGEST {
        return Err(Fault::new(start, "the path is too long", ""));
    }
    Ok(Action::File { path, sync, full })
}

fn users(scan: &mut Scan<'_>) -> Result<Action, Fault> {
    let mut names = Vec::new();
    loop {
        let start = scan.at();
        let name = scan.take(|c| !" \t,;".contains(c));
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-$".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fine) {
            let hint = "/file, @host, |command, *, ring:NAME:SIZE, or users";
            return Err(Fault::new(start, format!("{name:?} is no action"), hint));
        }
        names.push(name.to_owned());
        if names.len() > MOST_USERS {
            return Err(Fault::new(start, "too many users", "* is all of them"));
        }
        let mut ahead = scan.clone();
        ahead.blanks();
        if !ahead.eat(',') {
            break;
        }
        ahead.blanks();
        *scan = ahead;
    }
    Ok(Action::Users(names))
}

fn ring_name(scan: &mut Scan<'_>) -> Result<String, Fault> {
    let start = scan.at();
    let name = scan.take(|c| !" \t:;".contains(c));
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(fine) {
        let hint = "letters, digits, _ - and ., at most 64, and not . first";
        return Err(Fault::new(
            start,
            format!("{name:?} is no name of a ring"),
            hint,
        ));
    }
    Ok(name.to_owned())
}

fn ring_size(start: usize, bytes: Option<u64>, word: &str) -> Result<u64, Fault> {
    match bytes {
        Some(bytes) if (SMALLEST..=LARGEST).contains(&bytes) => Ok(bytes),
        Some(_) => Err(Fault::new(
            start,
            format!("a ring of {word} is not possible"),
            "from 4k to 1024g",
        )),
        None => Err(Fault::new(
            start,
            format!("{word:?} is no size"),
            "bytes, or 64k, 1m",
        )),
    }
}

/// `:KILOBYTES:NAME`.
fn openbsd_ring(scan: &mut Scan<'_>) -> Result<RingDraft, Fault> {
    scan.eat(':');
    let start = scan.at();
    let word = scan.take(|c| !" \t:;".contains(c));
    let kilobytes = crate::conf::scan::number(word).and_then(|n| n.checked_mul(1024));
    let bytes = ring_size(start, kilobytes, word)?;
    if !scan.eat(':') {
        return Err(scan.fault("no name", ":KILOBYTES:NAME, or ring:NAME:SIZE"));
    }
    Ok(RingDraft {
        name: ring_name(scan)?,
        size: Some(bytes),
        ..RingDraft::default()
    })
}

fn ring(scan: &mut Scan<'_>) -> Result<RingDraft, Fault> {
    scan.eat_str("ring:");
    let mut draft = RingDraft {
        name: ring_name(scan)?,
        ..RingDraft::default()
    };
    let mut first = true;
    while scan.eat(':') {
        let start = scan.at();
        let word = scan.take(|c| !" \t:;".contains(c));
        match word.split_once('=') {
            None if first => draft.size = Some(ring_size(start, size(word), word)?),
            None => return Err(Fault::new(start, format!("unexpected {word:?}"), RING)),
            Some(pair) => ring_option(&mut draft, pair)
                .map_err(|hint| Fault::new(start, format!("{word:?} is not possible"), hint))?,
        }
        first = false;
    }
    Ok(draft)
}

fn ring_option(draft: &mut RingDraft, pair: (&str, &str)) -> Result<(), &'static str> {
    match pair {
        ("keep", "none") => draft.keep = Some(Keep::None),
        ("keep", "restart") => draft.keep = Some(Keep::Restart),
        ("keep", "boot") => draft.keep = Some(Keep::Boot),
        ("keep", _) => return Err("keep is boot, restart or none"),
        ("pack", "none") => draft.pack = Some(false),
        ("pack", "lz4") => draft.pack = Some(true),
        ("pack", _) => return Err("pack is lz4 or none"),
        ("group", name) => {
            let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(fine) {
                return Err("group is the name of a group");
            }
            draft.group = Some(name.to_owned());
        }
        ("mode", digits) => match u32::from_str_radix(digits, 8) {
            Ok(mode) if mode <= 0o777 && digits.len() <= 4 && !digits.starts_with('+') => {
                draft.mode = Some(mode);
            }
            _ => return Err("mode is octal, at most 0777"),
        },
        _ => return Err(RING),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Action, Fault> {
        action(&mut Scan::new(text)).map(|(action, _)| action)
    }

    fn file(path: &str, sync: bool, full: bool) -> Action {
        let path = path.to_owned();
        Action::File { path, sync, full }
    }

    #[test]
    fn the_forms() {
        assert_eq!(read("/var/log/x").unwrap(), file("/var/log/x", true, false));
        assert_eq!(read("-/x").unwrap(), file("/x", false, false));
        assert_eq!(read("+/x").unwrap(), file("/x", true, true));
        assert_eq!(read("+-/x\\#y").unwrap(), file("/x#y", false, true));
        assert_eq!(read("*").unwrap(), Action::Wall);
        let users = vec!["root".to_owned(), "eric".to_owned()];
        assert_eq!(read("root, eric").unwrap(), Action::Users(users));
        let pipe = Action::Pipe("exec awk '{print $1;}' \u{e9}".into());
        assert_eq!(read("| exec awk '{print $1;}' \u{e9}").unwrap(), pipe);
        assert!(matches!(read("@h:1 (queue=1m)"), Ok(Action::Remote(_))));
        let (_, warning) = action(&mut Scan::new("-/x ;rotate=1M:5,RFC5424")).unwrap();
        assert_eq!(warning.unwrap().at, 4);
    }

    #[test]
    fn rings() {
        let draft = |name: &str, size| RingDraft {
            name: name.into(),
            size,
            ..RingDraft::default()
        };
        assert_eq!(read("ring:a").unwrap(), Action::Ring(draft("a", None)));
        let sized = Action::Ring(draft("a.b-c_1", Some(65_536)));
        assert_eq!(read("ring:a.b-c_1:64k").unwrap(), sized);
        assert_eq!(read(":64:a.b-c_1").unwrap(), sized);
        let all = RingDraft {
            keep: Some(Keep::Boot),
            group: Some("wheel".into()),
            mode: Some(0o640),
            ..draft("a", Some(1 << 20))
        };
        let text = "ring:a:1m:keep=boot:group=wheel:mode=0640";
        assert_eq!(read(text).unwrap(), Action::Ring(all));
        let kept = RingDraft {
            keep: Some(Keep::Restart),
            ..draft("a", None)
        };
        assert_eq!(read("ring:a:keep=restart").unwrap(), Action::Ring(kept));
    }

    #[test]
    fn what_is_refused() {
        for (text, at) in [
            ("", 0),
            ("|", 0),
            ("-x", 0),
            ("var/log/x", 0),
            ("root,", 5),
            ("root eric", 5),
            ("* x", 2),
            ("/x y", 3),
            ("ring:", 5),
            ("ring:.a:64k", 5),
            ("ring:a/b:64k", 5),
            ("ring:a:64q", 7),
            ("ring:a:1k", 7),
            ("ring:a:64k:64k", 11),
            ("ring:a:64k:keep=yes", 11),
            ("ring:a:64k:mode=0888", 11),
            ("ring:a:64k:mode=+640", 11),
            ("ring:a:64k:x=1", 11),
            ("ring:a:64k x", 11),
            (":64", 3),
            (":k:a", 1),
        ] {
            assert_eq!(read(text).unwrap_err().at, at, "{text}");
        }
    }
}
