// SPDX-License-Identifier: BSD-2-Clause
//! Blocks of a packed ring that somebody wrote into its file, sums and all: readers come to an end,
//! each step goes on, and the ring goes on to work.

use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::ring::Log;
use liblog::ring::MIN_PACKED;
use liblog::ring::Ring;
use liblog::ring::Split;
use liblog::ring::Step;

/// A block: the first and the last number, the length, the kind; then a length and its bytes.
struct Block<'a> {
    head: [u8; 21],
    bytes: &'a [u8],
}

fn block<'a>(data: &mut &'a [u8]) -> Option<Block<'a>> {
    let (&[a, b, c, d, kind, len], rest) = data.split_first_chunk::<6>()?;
    let (bytes, rest) = rest.split_at_checked(len.into())?;
    *data = rest;
    let first = u64::from(a) << 2;
    let mut head = [0; 21];
    head[..8].copy_from_slice(&first.to_le_bytes());
    // Mostly behind it.
    let last = first.wrapping_add(u64::from(b)).wrapping_sub(2);
    head[8..16].copy_from_slice(&last.to_le_bytes());
    head[16..20].copy_from_slice(&(u32::from(c) << 8 | u32::from(d)).to_le_bytes());
    head[20] = kind;
    Some(Block { head, bytes })
}

/// Blocks.
pub fn packed(mut data: &[u8]) {
    let split = Split::of(MIN_PACKED).expect("a split");
    let ring = |size| Ring::format(vec![0; size], 1).expect("a ring");
    let (mut hot, mut cold) = (ring(split.hot), ring(split.cold));
    // So many that the first ones are only in blocks.
    let mut push = |text: &[u8]| hot.push(&Msg::bare(Pri::DEFAULT, text), Clocks::default());
    let long = [b'x'; 900];
    (0..1100).for_each(|_| {
        push(&long);
    });
    while let Some(block) = block(&mut data) {
        let mut msg = Msg::bare(Pri::DEFAULT, block.bytes);
        msg.msgid = &block.head;
        cold.push(&msg, Clocks::default());
    }
    let mut log = Log::packed(hot, cold);
    for from in [0, 3, 500] {
        let mut cursor = log.cursor(from);
        loop {
            let before = cursor.seq();
            if log.read(&mut cursor) == Step::End {
                break;
            }
            assert!(cursor.seq() > before && cursor.seq() <= log.next());
        }
    }
    assert!(log.seek_time(1) <= log.next());
    for n in 0..200 {
        let next = log.next();
        let text = &long[..n];
        assert_eq!(
            log.push(&Msg::bare(Pri::DEFAULT, text), Clocks::default())
                .seq,
            next
        );
    }
    let stats = log.stats();
    assert!(stats.used <= stats.total);
}
