// SPDX-License-Identifier: BSD-2-Clause
//! Packets against a model: whatever is done to a packet, its bytes are those of a `Vec<u8>`
//! treated likewise, however the packet is cut into segments and whoever shares them.

use host::kernel::{Config, Kernel};
use host::ledger::{Fault, Faults, Split};
use host::mbuf::Mbuf;
use host::wire::WireNet;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config as Cases;

fn kernel(faults: Faults) -> Kernel {
    let net = WireNet::new(1);
    Kernel::new(Config {
        faults,
        ..Config::test("mbuf", &net)
    })
}

fn in_kernel(f: impl FnOnce(&Kernel)) {
    let kernel = kernel(Faults::default());
    kernel.enter(|| f(&kernel));
    assert_eq!(kernel.shutdown(), Ok(()));
}

fn packet(bytes: &[u8]) -> Mbuf {
    Mbuf::from_bytes(bytes).expect("memory")
}

#[derive(Clone, Debug)]
enum Op {
    Pullup(usize),
    Prepend(Vec<u8>),
    TrimFront(usize),
    TrimBack(usize),
    Append(Vec<u8>),
    Copydata(usize, usize),
    WriteHead(u8),
    Dup,
    DropDup,
    Scatter,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..129usize).prop_map(Op::Pullup),
        vec(any::<u8>(), 0..129).prop_map(Op::Prepend),
        (0..300usize).prop_map(Op::TrimFront),
        (0..300usize).prop_map(Op::TrimBack),
        vec(any::<u8>(), 0..3000).prop_map(Op::Append),
        ((0..3000usize), (0..3000usize)).prop_map(|(off, len)| Op::Copydata(off, len)),
        any::<u8>().prop_map(Op::WriteHead),
        Just(Op::Dup),
        Just(Op::DropDup),
        Just(Op::Scatter),
    ]
}

fn split() -> impl Strategy<Value = Split> {
    prop_oneof![
        Just(Split::None),
        (0..200u32).prop_map(Split::At),
        Just(Split::Each)
    ]
}

proptest! {
    #![proptest_config(Cases { cases: 400, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn behaves_as_a_vec(
        bytes in vec(any::<u8>(), 0..600),
        split in split(),
        ops in vec(op(), 0..24),
    ) {
        let kernel = kernel(Faults { split, ..Faults::default() });
        kernel.enter(|| {
            let mut model = bytes.clone();
            let mut m = packet(&bytes).scatter(0).expect("memory");
            // Duplicates and what they must still hold, whatever becomes of the original.
            let mut dups: Vec<(Mbuf, Vec<u8>)> = Vec::new();
            for op in ops {
                match op {
                    Op::Pullup(n) => {
                        let n = n.min(model.len());
                        m = m.pullup(n).expect("memory");
                        prop_assert!(m.head().len() >= n);
                    }
                    Op::Prepend(front) => {
                        m = m.prepend(front.len()).expect("memory");
                        let head = m.head_mut();
                        if !front.is_empty() {
                            let head = head.expect("what was prepended is writable");
                            head[..front.len()].copy_from_slice(&front);
                        }
                        model.splice(0..0, front);
                    }
                    Op::TrimFront(n) => {
                        let n = n.min(model.len());
                        m.trim_front(n);
                        model.drain(..n);
                    }
                    Op::TrimBack(n) => {
                        let n = n.min(model.len());
                        m.trim_back(n);
                        model.truncate(model.len() - n);
                    }
                    Op::Append(tail) => {
                        prop_assert!(m.append(&tail));
                        model.extend(tail);
                    }
                    Op::Copydata(off, len) => {
                        let mut buf = vec![0; len];
                        let in_range = off + len <= model.len();
                        prop_assert_eq!(m.copydata(off, &mut buf), in_range);
                        if in_range {
                            prop_assert_eq!(&buf[..], &model[off..off + len]);
                        }
                    }
                    Op::WriteHead(value) => {
                        if let Some(head) = m.head_mut() {
                            head.fill(value);
                            let n = head.len();
                            model[..n].fill(value);
                        }
                    }
                    Op::Dup => dups.push((m.dup().expect("memory"), model.clone())),
                    Op::DropDup => drop(dups.pop()),
                    Op::Scatter => m = m.scatter(0).expect("memory"),
                }
                prop_assert_eq!(m.len(), model.len());
                prop_assert_eq!(m.to_vec(), &model[..]);
                for (dup, want) in &dups {
                    prop_assert_eq!(dup.to_vec(), &want[..]);
                }
            }
            Ok(())
        })?;
        prop_assert_eq!(kernel.shutdown(), Ok(()));
    }
}

#[test]
fn shared_bytes_are_read_only_until_the_other_is_freed() {
    in_kernel(|_| {
        let mut m = packet(b"hello");
        assert!(m.head_mut().is_some());
        let dup = m.dup().expect("memory");
        assert!(m.head_mut().is_none());
        assert_eq!(dup.head(), b"hello");
        assert_eq!(
            dup.head().as_ptr(),
            m.head().as_ptr(),
            "clusters are shared, not copied"
        );
        drop(dup);
        m.head_mut().expect("ours alone again")[0] = b'j';
        assert_eq!(m.to_vec(), b"jello");
    });
}

#[test]
fn prepend_stays_in_the_headroom() {
    in_kernel(|kernel| {
        let m = packet(&[7; 1500]);
        kernel.fail_nth(Fault::Mbuf, 1);
        let m = m
            .prepend(128)
            .expect("there is headroom, so nothing is allocated");
        assert_eq!(m.head().len(), 1628);
        // A shared packet must get a segment of its own, and that can fail.
        let dup = m.dup();
        assert!(dup.is_none(), "the failure ordered above was still to come");
        let dup = m.dup().expect("memory");
        kernel.fail_nth(Fault::Mbuf, 1);
        assert!(m.prepend(4).is_none());
        assert_eq!(
            kernel.home().ledger.mbufs(),
            1,
            "prepend freed what it could not extend"
        );
        drop(dup);
    });
}

#[test]
fn an_append_that_fails_changes_nothing() {
    in_kernel(|kernel| {
        let mut m = packet(&[1; 100]);
        kernel.fail_nth(Fault::Mbuf, 1);
        assert!(!m.append(&[2; 5000]));
        assert_eq!(m.to_vec(), [1; 100]);
        assert!(m.append(&[2; 5000]));
        assert_eq!(m.len(), 5100);
    });
}

#[test]
fn trim_leaves_an_empty_head_as_the_bsds_do() {
    in_kernel(|kernel| {
        kernel.set_split(Split::At(3));
        let mut m = packet(b"abcdef").scatter(0).expect("memory");
        m.trim_front(3);
        assert_eq!((m.head(), m.len()), (&b""[..], 3));
        let m = m.pullup(2).expect("memory");
        assert_eq!(m.head(), b"def");
    });
}

#[test]
fn scatter_keeps_what_must_be_contiguous() {
    in_kernel(|kernel| {
        for split in [Split::At(0), Split::At(2), Split::Each] {
            kernel.set_split(split);
            let m = packet(b"0123456789").scatter(5).expect("memory");
            assert_eq!(m.head(), b"01234", "{split:?}");
            assert_eq!(m.to_vec(), b"0123456789");
        }
        kernel.set_split(Split::At(700));
        assert_eq!(
            packet(b"short").scatter(9).expect("memory").head(),
            b"short"
        );
    });
}

#[test]
fn renew_forgets_flags_and_keeps_the_loop_tags() {
    in_kernel(|_| {
        let mut m = packet(b"x");
        m.set_flags(kpi_sys::KPI_MF_BCAST);
        assert!(m.check_nesting(1, 2));
        m.renew();
        assert_eq!(m.flags(), 0);
        assert!(!m.check_nesting(1, 2), "passed before");
        let mut dup = m.dup().expect("memory");
        assert!(dup.check_nesting(2, 2));
        assert!(!dup.check_nesting(3, 2), "too many");
        assert!(!packet(b"y").check_nesting(1, 0));
    });
}

#[test]
fn several_packets_over_one_cluster() {
    in_kernel(|_| {
        let mut cluster = host::cluster::Cluster::alloc(64).expect("memory");
        for (i, byte) in cluster
            .bytes_mut()
            .expect("sole")
            .iter_mut()
            .take(8)
            .enumerate()
        {
            byte.write(i as u8);
        }
        // SAFETY: the first eight bytes were just written.
        let a = unsafe { Mbuf::from_cluster(&cluster, 0, 4) }.expect("in range");
        // SAFETY: as above.
        let b = unsafe { Mbuf::from_cluster(&cluster, 4, 4) }.expect("in range");
        // SAFETY: refused, so nothing is read.
        assert!(unsafe { Mbuf::from_cluster(&cluster, 0, cluster.room() + 1) }.is_none());
        assert!(cluster.bytes_mut().is_none());
        drop(cluster);
        drop(a);
        let mut b = b;
        assert_eq!(b.head_mut().expect("the last one"), [4, 5, 6, 7]);
    });
}

#[test]
fn a_planted_leak_is_found() {
    let kernel = kernel(Faults::default());
    let leaked = kernel.enter(|| packet(b"x").into_raw());
    let ledger = kernel.home().ledger;
    let leaks = kernel.shutdown().expect_err("a packet is not freed");
    assert_eq!((leaks.get("mbufs"), leaks.0.len()), (1, 1));
    // SAFETY: from into_raw.
    drop(unsafe { Mbuf::from_raw(leaked) });
    assert_eq!(ledger.mbufs(), 0);
}

#[test]
fn packets_freed_by_another_thread_come_back() {
    let kernel = kernel(Faults::none());
    let (tx, rx) = std::sync::mpsc::channel::<Mbuf>();
    let reader = std::thread::spawn(move || rx.into_iter().map(|m| m.len()).sum::<usize>());
    kernel.enter(|| {
        for _ in 0..20_000 {
            tx.send(packet(&[3; 1400])).expect("the reader lives");
        }
    });
    drop(tx);
    assert_eq!(reader.join().expect("no panic"), 20_000 * 1400);
    assert_eq!(kernel.shutdown(), Ok(()));
}
