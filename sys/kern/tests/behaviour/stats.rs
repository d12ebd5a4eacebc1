// SPDX-License-Identifier: BSD-2-Clause
//! Counters are exact.

use super::in_kernel;
use super::with_every_allocation_failing;
use kern::errno::Errno;
use kern::mbuf::NoBufs;
use kern::stats::Class;
use kern::stats::Counter;
use kern::stats::Counters;
use kern::verdict::Reason;

kern::counters! {
    /// More than one cache line of them.
    pub enum Ctr {
        A = "a", "first";
        B = "b", "second";
        C = "c", "third";
        D = "d", "fourth";
        E = "e", "fifth";
        F = "f", "sixth";
        G = "g", "seventh";
        H = "h", "eighth";
        I = "i", "ninth";
    }
}

kern::drops! {
    /// Reasons.
    pub enum Why {
        NoBufs(ENOBUFS) = "no_bufs", "no memory";
        Late(ETIMEDOUT) = "late", "too late";
    }
}

#[test]
fn threads_lose_nothing() {
    in_kernel("counters", |k, cx| {
        let c = Counters::new(cx).unwrap();
        std::thread::scope(|s| {
            for _ in 0..6 {
                let (c, k) = (&c, k.clone());
                s.spawn(move || {
                    k.enter(|| {
                        for n in 0..30_000 {
                            c.inc(Ctr::A);
                            c.add(Ctr::I, n);
                        }
                    });
                });
            }
        });
        assert_eq!(c.sum(Ctr::A), 180_000);
        assert_eq!(c.sum(Ctr::I), 6 * (29_999 * 30_000 / 2));
        for none in [Ctr::B, Ctr::C, Ctr::D, Ctr::E, Ctr::F, Ctr::G, Ctr::H] {
            assert_eq!(c.sum(none), 0);
        }
    });
}

#[test]
fn counters_wrap_like_the_kernels() {
    in_kernel("wrap", |_, cx| {
        let c = Counters::new(cx).unwrap();
        c.add(Ctr::B, u64::MAX);
        c.add(Ctr::B, 2);
        assert_eq!(c.sum(Ctr::B), 1);
    });
}

#[test]
fn macros_name_all_in_order() {
    assert_eq!(Ctr::INFO.len(), 9);
    assert_eq!((Ctr::I.index(), Ctr::INFO[8].name), (8, "i"));
    assert_eq!(Ctr::INFO[1].class, Class::Counter);
    assert_eq!(
        (Why::INFO[1].desc, Why::INFO[1].class),
        ("too late", Class::Drop)
    );
    assert_eq!(Why::Late.errno(), Errno::ETIMEDOUT);
    assert_eq!(Why::from(NoBufs), Why::NoBufs);
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("counters", |cx| Counters::<Ctr>::new(cx).map(drop));
}
