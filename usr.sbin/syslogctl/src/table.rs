// SPDX-License-Identifier: BSD-2-Clause
//! Tables for people: columns as wide as they must be, numbers to the right.

/// Lines of words, the first with the headings; `text` says which columns begin at the left.
#[must_use]
pub fn table(lines: &[Vec<String>], text: &[usize]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            lines
                .iter()
                .filter_map(|l| l.get(c))
                .map(|w| w.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut all = String::new();
    for line in lines {
        let mut row = String::new();
        for (c, word) in line.iter().enumerate() {
            let width = widths.get(c).copied().unwrap_or(0);
            let pad = " ".repeat(width.saturating_sub(word.chars().count()));
            if c > 0 {
                row.push_str("  ");
            }
            if text.contains(&c) {
                row.push_str(word);
                row.push_str(&pad);
            } else {
                row.push_str(&pad);
                row.push_str(word);
            }
        }
        all.push_str(row.trim_end());
        all.push('\n');
    }
    all
}

/// Bytes as people read them, `1.5M`; exact where it is a whole number of a unit.
#[must_use]
pub fn bytes(n: u64) -> String {
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        let one = 1_u64 << shift;
        if n >= one {
            return if n.is_multiple_of(one) {
                format!("{}{unit}", n >> shift)
            } else {
                format!("{:.1}{unit}", n as f64 / one as f64)
            };
        }
    }
    n.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        let line = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let text = table(
            &[line("RING", "N"), line("a", "1000"), line("longer", "2")],
            &[0],
        );
        assert_eq!(text, "RING       N\na       1000\nlonger     2\n");
        assert_eq!(table(&[], &[]), "");
    }

    #[test]
    fn sizes() {
        for (n, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1K"),
            (1536, "1.5K"),
            (1 << 20, "1M"),
            (5 << 30, "5G"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }
}
