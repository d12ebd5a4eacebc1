// SPDX-License-Identifier: BSD-2-Clause
//! The packet path calls the allocator only until it is warm.

use host::counting::{Counting, allocations};
use host::kernel::{Config, Kernel};
use host::ledger::Faults;
use host::mbuf::Mbuf;
use host::wire::WireNet;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a tunnel does to a packet, out and in, with a duplicate for good measure.
fn one_packet(frame: &[u8]) {
    let m = Mbuf::from_bytes(frame).expect("memory");
    let mut dup = m.dup().expect("memory");
    assert!(dup.append(&[1; 40]));
    let m = m.prepend(24).expect("memory").pullup(60).expect("memory");
    drop(dup);
    let mut m = m.prepend(20).expect("memory");
    m.trim_front(44);
    assert!(m.check_nesting(1, 4));
    assert_eq!(m.len(), frame.len());
}

#[test]
fn a_warm_path_does_not_allocate() {
    let faults = Faults::none();
    let kernel = Kernel::new(Config {
        faults,
        ..Config::test("warm", &WireNet::new(1))
    });
    kernel.enter(|| {
        for len in [64, 1400, 9000, 60_000] {
            let frame = vec![7; len];
            assert!(
                allocations(|| (0..4).for_each(|_| one_packet(&frame))) > 0,
                "cold at {len}"
            );
            let warm = allocations(|| (0..1000).for_each(|_| one_packet(&frame)));
            assert_eq!(warm, 0, "{len} bytes");
        }
    });
    assert_eq!(kernel.shutdown(), Ok(()));
}
