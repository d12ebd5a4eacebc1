// SPDX-License-Identifier: BSD-2-Clause
//! A ring that gets another size never takes more memory than the larger of the two.

use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::ring::Ring;

const SMALL: usize = 40 << 20;
const LARGE: usize = 64 << 20;
/// What all else may take meanwhile.
const SLACK: usize = 4 << 20;

/// A line of what the system knows of this process, in bytes.
fn status(name: &str) -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

/// The most that this process had since the last time.
fn peak() -> Option<usize> {
    let peak = status("VmHWM:")?;
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(peak)
}

#[test]
fn no_more_than_the_larger_size() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || peak().is_none() {
        eprintln!("skipped: no_more_than_the_larger_size: the system does not say how much it is");
        return;
    }
    let base = status("VmRSS:").expect("a figure");
    let mut ring = Ring::format(vec![0; LARGE], 1).expect("large enough");
    let text = vec![b'x'; 50_000];
    let fill = |ring: &mut Ring<Vec<u8>>| {
        for _ in 0..2 * LARGE / text.len() {
            let msg = Msg::bare(Pri::DEFAULT, &text);
            ring.push(&msg, Clocks::default());
        }
    };
    fill(&mut ring);
    let full = status("VmRSS:").expect("a figure");
    assert!(full > base + LARGE - SLACK, "all of it is there");
    for size in [SMALL, LARGE, SMALL, LARGE] {
        let records = ring.stats().records;
        let lost = ring.resize(size).expect("resized");
        assert_eq!(ring.stats().records, records - lost);
        let most = peak().expect("a figure");
        assert!(most < base + LARGE + SLACK, "{most} bytes for {size}");
        let now = status("VmRSS:").expect("a figure");
        assert!(now < base + size + SLACK, "{now} bytes after {size}");
        fill(&mut ring);
        peak();
    }
}
