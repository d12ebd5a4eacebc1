// SPDX-License-Identifier: BSD-2-Clause
//! Packets and queues of them.

use super::in_kernel;
use host::ledger::Fault;
use kern::mbuf::MAX_CONTIGUOUS;
use kern::mbuf::Mbuf;
use kern::mbuf::MbufQueue;
use kern::mbuf::NoBufs;
use proptest::prelude::*;

/// A packet with these bytes, cut into segments of these lengths.
fn packet(bytes: &[u8]) -> Mbuf {
    let mut m = Mbuf::get(bytes.len() as u32, 0).unwrap();
    m.append(bytes).unwrap();
    m
}

fn bytes(m: &Mbuf) -> Vec<u8> {
    let mut buf = vec![0; m.len() as usize];
    assert!(m.copy_to(0, &mut buf));
    buf
}

#[test]
fn headers_go_on_and_off() {
    in_kernel("headers", |_, _| {
        let m = packet(&[1, 2, 3]);
        let mut m = m.prepend(&[7, 8, 9, 10]).unwrap();
        assert_eq!(bytes(&m), [7, 8, 9, 10, 1, 2, 3]);
        m.trim_front(5);
        m.trim_back(1);
        assert_eq!(bytes(&m), [2]);
        m.trim_back(100);
        assert!(m.is_empty() && m.head().is_empty());
        m.trim_front(100);
        m.append(&[5]).unwrap();
        assert_eq!(bytes(&m), [5]);
    });
}

#[test]
fn limits_are_told_and_nothing_leaks() {
    in_kernel("limits", |_, _| {
        let long = vec![1; MAX_CONTIGUOUS as usize + 1];
        assert_eq!(packet(&[1]).prepend(&long).err(), Some(NoBufs));
        assert_eq!(packet(&[1]).pullup(2).err(), Some(NoBufs));
        assert_eq!(packet(&long).pullup(MAX_CONTIGUOUS).unwrap().len(), 129);
        assert_eq!(Mbuf::get(u32::MAX, u32::MAX).err(), Some(NoBufs));
        let m = packet(&[1, 2]);
        let mut buf = [0; 2];
        assert!(m.copy_to(0, &mut buf) && !m.copy_to(1, &mut buf) && !m.copy_to(9, &mut []));
        assert!(m.copy_to(2, &mut []));
        // No header at all is no work, also for a shared packet.
        let twin = m.dup().unwrap();
        assert_eq!(bytes(&m.prepend(&[]).unwrap()), [1, 2]);
        drop(twin);
    });
}

#[test]
fn shared_bytes_are_read_only_and_stay() {
    in_kernel("shared", |_, _| {
        let mut m = packet(&[1, 2, 3, 4]);
        assert!(m.head_mut().is_some());
        let mut twin = m.dup().unwrap();
        assert!(m.head_mut().is_none() && twin.head_mut().is_none());
        let mut m = m.prepend(&[9]).unwrap();
        assert!(m.head_mut().is_some(), "new bytes are writable");
        m.append(&[5]).unwrap();
        twin.trim_front(1);
        assert_eq!(
            (bytes(&m), bytes(&twin)),
            (vec![9, 1, 2, 3, 4, 5], vec![2, 3, 4])
        );
        drop(m);
        assert!(twin.head_mut().is_some(), "alone again");
    });
}

#[test]
fn failures_free_or_leave_the_packet() {
    in_kernel("failures", |k, _| {
        k.fail_nth(Fault::Mbuf, 1);
        assert_eq!(Mbuf::get(10, 0).err(), Some(NoBufs));
        let mut m = packet(&[1; 100]);
        let twin = m.dup().unwrap();
        k.fail_nth(Fault::Mbuf, 1);
        assert_eq!(m.append(&[2; 5000]), Err(NoBufs));
        assert_eq!(m.len(), 100);
        k.fail_nth(Fault::Mbuf, 1);
        assert_eq!(m.dup().err(), Some(NoBufs));
        k.fail_nth(Fault::Mbuf, 1);
        assert_eq!(m.prepend(&[1, 2]).err(), Some(NoBufs));
        assert!(!k.fail_pending(Fault::Mbuf));
        assert_eq!(k.home().ledger.mbufs(), 1);
        drop(twin);
    });
}

#[test]
fn queues_keep_the_order_and_free_the_rest() {
    in_kernel("queue", |k, _| {
        let mut q = MbufQueue::new();
        assert!(q.pop().is_none() && q.is_empty());
        for n in 0..5 {
            q.push(packet(&[n]));
        }
        assert_eq!((q.len(), bytes(&q.pop().unwrap())), (5, vec![0]));
        // One that was in another queue goes into this one without its old neighbours.
        let mut other = MbufQueue::default();
        other.push(q.pop().unwrap());
        other.push(packet(&[7]));
        assert_eq!((q.len(), other.len()), (3, 2));
        let moved = other.pop().unwrap();
        q.push(moved);
        let rest: Vec<_> = std::iter::from_fn(|| q.pop()).map(|m| bytes(&m)).collect();
        assert_eq!(rest, [[2], [3], [4], [1]]);
        assert!(q.is_empty());
        assert_eq!((q.len(), other.len()), (0, 1));
        q.push(packet(&[1]));
        assert_eq!(k.home().ledger.mbufs(), 2);
        let elsewhere = std::thread::spawn(move || drop((q, other)));
        elsewhere.join().unwrap();
        assert_eq!(k.home().ledger.mbufs(), 0);
    });
}

#[derive(Clone, Debug)]
enum Op {
    Prepend(Vec<u8>),
    Append(Vec<u8>),
    TrimFront(u32),
    TrimBack(u32),
    Pullup(u32),
    Share,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..129).prop_map(Op::Prepend),
        prop::collection::vec(any::<u8>(), 0..3000).prop_map(Op::Append),
        (0u32..200).prop_map(Op::TrimFront),
        (0u32..200).prop_map(Op::TrimBack),
        (0u32..=128).prop_map(Op::Pullup),
        Just(Op::Share),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_packet_is_its_bytes(ops in prop::collection::vec(op(), 0..25)) {
        in_kernel("bytes", |_, _| {
            let (mut m, mut model) = (Mbuf::get(0, 0).unwrap(), Vec::new());
            let mut kept = Vec::new();
            for op in ops {
                match op {
                    Op::Prepend(header) => {
                        m = m.prepend(&header).unwrap();
                        model.splice(0..0, header);
                    }
                    Op::Append(tail) => {
                        m.append(&tail).unwrap();
                        model.extend(tail);
                    }
                    Op::TrimFront(n) => {
                        m.trim_front(n);
                        model.drain(..(n as usize).min(model.len()));
                    }
                    Op::TrimBack(n) => {
                        m.trim_back(n);
                        model.truncate(model.len().saturating_sub(n as usize));
                    }
                    Op::Pullup(n) if n as usize <= model.len() => {
                        m = m.pullup(n).unwrap();
                        assert_eq!(m.head()[..n as usize], model[..n as usize]);
                    }
                    Op::Pullup(_) => {}
                    Op::Share => kept.push((m.dup().unwrap(), model.clone())),
                }
                assert_eq!(bytes(&m), model);
            }
            for (m, model) in kept {
                assert_eq!(bytes(&m), model, "a twin's bytes have changed");
            }
        });
    }
}
