// SPDX-License-Identifier: BSD-2-Clause
//! Framing: the same messages however a stream is cut, and none over the limit.

use liblog::frame::Framer;

type Got = (Vec<u8>, bool, bool);

/// Two bytes say how long a message may be and how the stream is cut; the stream.
pub fn frame(data: &[u8]) {
    let Some((&[max, cut], stream)) = data.split_first_chunk() else {
        return;
    };
    let max = 1 + usize::from(max);
    let whole = frames(max, &[stream]);
    let (a, b) = stream.split_at(stream.len().min(cut.into()));
    assert_eq!(frames(max, &[a, b]), whole);
    let pieces: Vec<_> = stream.chunks(1 + usize::from(cut & 15)).collect();
    assert_eq!(frames(max, &pieces), whole);
}

fn frames(max: usize, pieces: &[&[u8]]) -> (Vec<Got>, u64) {
    let mut framer = Framer::new(max);
    let mut all: Vec<Got> = vec![];
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let space = framer.space();
            let n = rest.len().min(space.len());
            assert!(n > 0);
            space[..n].copy_from_slice(&rest[..n]);
            framer.filled(n);
            rest = &rest[n..];
            while let Some(f) = framer.next() {
                all.push((f.bytes.to_vec(), f.cut, f.counted));
            }
        }
    }
    all.extend(
        framer
            .finish()
            .map(|f| (f.bytes.to_vec(), f.cut, f.counted)),
    );
    assert!(
        all.iter()
            .all(|(bytes, ..)| (1..=max).contains(&bytes.len()))
    );
    let bytes = all.iter().map(|(bytes, ..)| bytes.len()).sum::<usize>() as u64;
    let came = pieces.iter().map(|p| p.len()).sum::<usize>() as u64;
    assert!(bytes + framer.skipped() <= came && framer.pending() == 0);
    (all, framer.skipped())
}
