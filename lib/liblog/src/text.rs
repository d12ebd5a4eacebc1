// SPDX-License-Identifier: BSD-2-Clause
//! Bytes that are mostly text: what of them is UTF-8, and how far they are plain.

/// Calls `piece` with each stretch of UTF-8 and the bytes behind it that are not, until it says
/// `false`; whether it never did.
pub fn pieces<'a>(bytes: &'a [u8], mut piece: impl FnMut(&'a str, &'a [u8]) -> bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(all) => piece(all, b""),
        Err(_) => bytes
            .utf8_chunks()
            .all(|chunk| piece(chunk.valid(), chunk.invalid())),
    }
}

/// How many bytes at the start are plain. Whole blocks are looked at, without a branch a byte.
pub fn run(bytes: &[u8], plain: impl Fn(u8) -> bool) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let whole = blocks
        .iter()
        .take_while(|block| block.iter().fold(true, |all, &b| all & plain(b)))
        .count()
        * 16;
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|&&b| plain(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_runs() {
        for len in 0..70 {
            let mut text = vec![b'x'; 70];
            text[len] = b'"';
            assert_eq!(run(&text, |b| b != b'"'), len);
        }
        assert_eq!(run(b"xx", |_| true), 2);
        let mut all = vec![];
        assert!(pieces(b"a\xff\xc3\xa9\xc3", |good, bad| {
            all.push((good, bad));
            true
        }));
        assert_eq!(all, [("a", &b"\xff"[..]), ("\u{e9}", b"\xc3")]);
        let mut calls = 0;
        assert!(!pieces(b"a\xff\xffb", |_, _| {
            calls += 1;
            false
        }));
        assert_eq!(calls, 1);
    }
}
