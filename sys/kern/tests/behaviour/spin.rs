// SPDX-License-Identifier: BSD-2-Clause
//! Spins exclude, and come from memory that may be short.

use super::in_kernel;
use super::with_every_allocation_failing;
use host::ledger::Kind;
use kern::mem::KVec;
use kern::spin::Spin;

#[test]
fn one_at_a_time() {
    in_kernel("spin", |k, cx| {
        let mut total = Spin::new(cx, [0u64; 3]).unwrap();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    k.enter(|| {
                        for _ in 0..2000 {
                            let mut held = total.lock();
                            assert!(held[0] == held[1] && held[1] == held[2]);
                            held.iter_mut().for_each(|n| *n += 1);
                        }
                    });
                });
            }
        });
        assert_eq!(*total.get_mut(), [8000; 3]);
    });
}

/// They may be moved while nobody holds them.
#[test]
fn many_of_them() {
    in_kernel("spins", |k, cx| {
        let mut all = KVec::new();
        for n in 0..256u32 {
            let one = Spin::new(cx, n).unwrap();
            drop(one.lock());
            all.push(cx, one).unwrap();
        }
        assert_eq!(k.home().ledger.count(Kind::Spin), 256);
        assert!(all.iter().zip(0..).all(|(one, n)| *one.lock() == n));
        drop(all);
        assert_eq!(k.home().ledger.count(Kind::Spin), 0);
    });
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("spin", |cx| Spin::new(cx, 1).map(drop));
}
