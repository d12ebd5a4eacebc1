// SPDX-License-Identifier: BSD-2-Clause
//! Where reading ended, as `RING:BOOT:SEQ` words, so that the next run begins there.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The next record that is wanted of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which life of the ring the number is of.
    pub boot: u64,
    /// The number.
    pub seq: u64,
}

/// Places by the ring's name.
pub type Cursor = BTreeMap<String, Place>;

/// Words such as `auth:1796000000:17`, with blanks or new-lines between; `#` begins a comment.
///
/// # Errors
///
/// The word that is none.
pub fn parse(text: &str) -> Result<Cursor, String> {
    let mut cursor = Cursor::new();
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(before, _)| before);
        for word in line.split_whitespace() {
            let (ring, place) = one(word).ok_or_else(|| format!("'{word}' is no RING:BOOT:SEQ"))?;
            cursor.insert(ring, place);
        }
    }
    Ok(cursor)
}

fn one(word: &str) -> Option<(String, Place)> {
    let (rest, seq) = word.rsplit_once(':')?;
    let (ring, boot) = rest.rsplit_once(':')?;
    if ring.is_empty() {
        return None;
    }
    let place = Place {
        boot: boot.parse().ok()?,
        seq: seq.parse().ok()?,
    };
    Some((ring.to_owned(), place))
}

/// As `parse` takes it, with one blank between.
#[must_use]
pub fn print(cursor: &Cursor) -> String {
    let words: Vec<String> = cursor
        .iter()
        .map(|(ring, place)| format!("{ring}:{}:{}", place.boot, place.seq))
        .collect();
    words.join(" ")
}

/// What the file says; nothing if there is none yet.
///
/// # Errors
///
/// It cannot be read, or is no such file.
pub fn load(path: &Path) -> Result<Cursor, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|e| format!("{}: {e}", path.display())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Cursor::new()),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

/// The file anew, whole or not at all; what it said of other rings stays.
///
/// # Errors
///
/// It cannot be written.
pub fn store(path: &Path, cursor: &Cursor) -> Result<(), String> {
    let mut all = load(path).unwrap_or_default();
    all.extend(cursor.iter().map(|(ring, place)| (ring.clone(), *place)));
    let why = |e: io::Error| format!("{}: {e}", path.display());
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = std::fs::File::create(&new).map_err(why)?;
    file.write_all(print(&all).replace(' ', "\n").as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(why)?;
    std::fs::rename(&new, path).map_err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = "# of the agent\nauth:255:17 kern:18446744073709551615:0\n";
        let cursor = parse(text).expect("a cursor");
        assert_eq!(cursor["auth"], Place { boot: 255, seq: 17 });
        assert_eq!(parse(&print(&cursor)), Ok(cursor));
    }

    #[test]
    fn wrong() {
        for word in [
            "auth",
            "auth:1",
            ":1:2",
            "auth:x:1",
            "auth:1:-1",
            "auth:1:99999999999999999999",
        ] {
            assert_eq!(parse(word), Err(format!("'{word}' is no RING:BOOT:SEQ")));
        }
    }

    #[test]
    fn other_rings_stay() {
        let path = std::env::temp_dir().join(format!("syslogctl-cursor.{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert_eq!(load(&path), Ok(Cursor::new()));
        for word in ["a:1:2", "b:3:4", "a:5:6"] {
            store(&path, &parse(word).expect("a cursor")).expect("written");
        }
        let read = load(&path);
        let _ = std::fs::remove_file(&path);
        assert_eq!(read, parse("a:5:6 b:3:4"));
    }
}
