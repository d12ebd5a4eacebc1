// SPDX-License-Identifier: BSD-2-Clause
//! `OnceArray`: set once, dropped once.

use super::Alive;
use super::in_kernel;
use kern::mem::KVec;
use kern::once::OnceArray;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

#[test]
fn it_is_set_once_and_keeps_its_values() {
    let count = AtomicUsize::new(0);
    in_kernel("once", |_, cx| {
        let once = OnceArray::<Alive<'_>, 3>::new();
        assert!(once.get().is_empty());
        let mut three = || KVec::from_fn(cx, 3, |_| Alive::new(&count)).unwrap();
        assert!(once.set(three()).is_ok());
        let first = once.get().as_ptr();
        let again = once.set(three());
        assert!(again.is_err_and(|v| v.len() == 3), "given back whole");
        assert_eq!((once.get().len(), once.get().as_ptr()), (3, first));
        assert_eq!(count.load(Ordering::Relaxed), 3);
    });
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn it_takes_only_what_fits() {
    in_kernel("once", |_, cx| {
        let once = OnceArray::<u64, 4>::new();
        assert!(once.set(KVec::new()).is_err());
        assert!(once.set(KVec::from_fn(cx, 3, |_| 1).unwrap()).is_err());
        let mut roomy = KVec::with_capacity(cx, 8).unwrap();
        for n in 0..4 {
            roomy.push(cx, n).unwrap();
        }
        assert!(once.set(roomy).is_err(), "its memory is not of that size");
        assert!(once.get().is_empty());
    });
}
