// SPDX-License-Identifier: BSD-2-Clause
//! Nothing on the way of a message calls the allocator once the engine is made.

mod rig;

use allocation_counter::measure;
use rig::Rig;

#[test]
fn no_message_allocates() {
    for (name, conf, different) in rig::cases() {
        let mut rig = Rig::new(&conf, different);
        // From the first message on.
        let info = measure(|| (0..20_000).for_each(|_| rig.one()));
        assert_eq!(info.count_total, 0, "{name}: {info:?}");
        assert!(rig.seen() > 0 || name == "by an expression", "{name}");
    }
}

/// What is counted is there to be counted.
#[test]
fn the_counter_counts() {
    let info = measure(|| drop(std::hint::black_box(vec![0; 100])));
    assert_eq!(info.count_total, 1);
}
