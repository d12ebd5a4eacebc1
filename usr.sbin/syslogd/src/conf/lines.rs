// SPDX-License-Identifier: BSD-2-Clause
//! Bytes of a file into logical lines: a backslash at the end of one joins it with the next.

use crate::conf::note::Place;

/// A logical line, and where its pieces stand.
#[derive(Debug)]
pub(super) struct Line {
    /// Without line ends, joining backslashes, and the blanks that a joined line begins with.
    pub text: String,
    /// For each piece: its offset in `text`, its line, and the column that it begins at.
    pieces: Vec<(usize, u32, u32)>,
}

/// Bytes that can not be part of a line that means something.
#[derive(Debug)]
pub(super) struct BadByte {
    pub line: u32,
    pub column: u32,
    pub byte: u8,
}

impl Line {
    /// Where an offset stands.
    pub fn place(&self, file: &str, at: usize) -> Place {
        let piece = self.pieces.iter().rev().find(|piece| piece.0 <= at);
        let &(start, line, column) = piece.unwrap_or(&(0, 0, 1));
        let along = u32::try_from(at.saturating_sub(start)).unwrap_or(u32::MAX);
        Place {
            file: file.to_owned(),
            line,
            column: column.saturating_add(along),
        }
    }
}

/// A comment, and not one of those that mean something to the BSDs.
fn is_comment(bytes: &[u8]) -> bool {
    let rest = bytes.trim_ascii_start();
    rest.first() == Some(&b'#') && !matches!(rest.get(1), Some(b'!' | b'+' | b'-' | b':'))
}

fn bad(bytes: &[u8]) -> Option<usize> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Some(error.valid_up_to()),
    };
    text.bytes()
        .position(|b| b.is_ascii_control() && b != b'\t')
}

/// The logical lines of a file, without empty ones and comments.
pub(super) fn split(bytes: &[u8]) -> Vec<Result<Line, BadByte>> {
    let mut all = Vec::new();
    let mut open: Option<Line> = None;
    let mut line = 0u32;
    for raw in bytes.split(|&b| b == b'\n') {
        line = line.saturating_add(1);
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if open.is_none() && (is_comment(raw) || raw.trim_ascii().is_empty()) {
            continue;
        }
        if let Some(at) = bad(raw) {
            open = None;
            all.push(Err(BadByte {
                line,
                column: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
                byte: raw.get(at).copied().unwrap_or(0),
            }));
            continue;
        }
        let text = String::from_utf8_lossy(raw);
        let slashes = text.bytes().rev().take_while(|&b| b == b'\\').count();
        let hash = text.trim_start().starts_with('#');
        let joins = slashes % 2 == 1 && !(hash && open.is_none());
        let body = if joins {
            text.get(..text.len() - 1).unwrap_or_default()
        } else {
            &text
        };
        let mut current = open.take().unwrap_or(Line {
            text: String::new(),
            pieces: Vec::new(),
        });
        let inside = body.trim_start_matches([' ', '\t']);
        let column = u32::try_from(body.len() - inside.len()).unwrap_or(u32::MAX);
        let piece = (current.text.len(), line, column.saturating_add(1));
        current.pieces.push(piece);
        current.text.push_str(inside);
        if joins {
            open = Some(current);
        } else {
            all.push(Ok(current));
        }
    }
    all.extend(open.map(Ok));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_lines_know_their_places() {
        let all = split(b"# x \\\n\n\ta.b;\\\r\n   c.d \\\n\t/e\\\\\n#!p\\\n#z\nlast\\");
        let lines: Vec<_> = all.into_iter().map(Result::unwrap).collect();
        let texts: Vec<_> = lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(texts, ["a.b;c.d /e\\\\", "#!p\\", "last"]);
        let at = |n: usize, at| {
            let place = lines[n].place("f", at);
            (place.line, place.column)
        };
        assert_eq!(at(0, 0), (3, 2));
        assert_eq!(at(0, 4), (4, 4));
        assert_eq!(at(0, 8), (5, 2));
        assert_eq!(at(1, 1), (6, 2));
    }

    #[test]
    fn bytes_that_mean_nothing() {
        let all = split(b"# caf\xe9\n*.* /caf\xe9\n*.*\x07 /a\nok x\n");
        assert_eq!(all.len(), 3);
        let first = all[0].as_ref().unwrap_err();
        assert_eq!((first.line, first.column, first.byte), (2, 9, 0xe9));
        let second = all[1].as_ref().unwrap_err();
        assert_eq!((second.line, second.column, second.byte), (3, 4, 7));
        assert_eq!(all[2].as_ref().unwrap().text, "ok x");
    }
}
