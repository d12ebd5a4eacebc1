// SPDX-License-Identifier: BSD-2-Clause
//! Devices: what is listed is all that arrives, in its size.

use super::in_kernel;
use super::with_every_allocation_failing;
use host::errno::Errno as HostErrno;
use kern::KPI_IFC_IN;
use kern::KPI_IFC_OUT;
use kern::KPI_IFC_PRIV;
use kern::cdev::Cdev;
use kern::cdev::Cmd;
use kern::cdev::Device;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

const fn cmd(kc_cmd: u32, kc_size: u32, kc_flags: u32) -> Cmd {
    Cmd {
        kc_cmd,
        kc_size,
        kc_flags,
        kc_pad: 0,
    }
}

const BOTH: u32 = 1;
const IN: u32 = 2;
const OUT: u32 = 3;
const FAILS: u32 = 4;
const SLOW: u32 = 5;

struct Dev<const OTHER: bool> {
    calls: AtomicU32,
    inside: AtomicBool,
}

impl<const OTHER: bool> Device for Dev<OTHER> {
    const NAME: &'static str = if OTHER { "Bad/Name" } else { "test0" };
    const CMDS: &'static [Cmd] = &[
        cmd(BOTH, 8, KPI_IFC_IN | KPI_IFC_OUT),
        cmd(IN, 4, KPI_IFC_IN | KPI_IFC_PRIV),
        cmd(OUT, 4, KPI_IFC_OUT),
        cmd(FAILS, 4, KPI_IFC_IN | KPI_IFC_OUT),
        cmd(SLOW, 0, 0),
    ];

    fn ioctl(this: &KArc<Self>, _cx: &mut Thread, cmd: u32, data: &mut [u8]) -> Result {
        assert!(!this.inside.swap(true, Ordering::SeqCst), "one at a time");
        this.calls.fetch_add(1, Ordering::SeqCst);
        data.iter_mut().for_each(|b| *b = b.wrapping_add(1));
        if cmd == SLOW {
            std::thread::sleep(Duration::from_millis(20));
        }
        this.inside.store(false, Ordering::SeqCst);
        if cmd == FAILS {
            Err(Errno::ERANGE)
        } else {
            Ok(())
        }
    }
}

fn dev<const OTHER: bool>(cx: &mut Thread) -> Result<KArc<Dev<OTHER>>> {
    let (calls, inside) = (AtomicU32::new(0), AtomicBool::new(false));
    KArc::new(cx, Dev { calls, inside })
}

#[test]
fn bytes_go_in_and_out_as_listed() {
    in_kernel("cdev", |k, cx| {
        let d = dev::<false>(cx).unwrap();
        let cdev = Cdev::attach(cx, d.clone()).unwrap();
        assert_eq!(k.dev_names(), ["test0"]);
        assert_eq!(
            k.dev_commands("test0").unwrap()[1].kc_flags,
            KPI_IFC_IN | KPI_IFC_PRIV
        );
        let call = |cmd: u32, data: &mut [u8]| k.dev_ioctl("test0", cmd, data);
        let mut data = [5; 8];
        assert_eq!((call(BOTH, &mut data), data), (Ok(()), [6; 8]));
        let mut data = [5; 4];
        assert_eq!((call(IN, &mut data), data), (Ok(()), [5; 4]));
        // What does not go in is zero.
        assert_eq!((call(OUT, &mut data), data), (Ok(()), [1; 4]));
        assert_eq!(
            (call(FAILS, &mut data), data),
            (Err(HostErrno::ERANGE), [1; 4])
        );
        assert_eq!(call(BOTH, &mut data), Err(HostErrno::EINVAL));
        assert_eq!(call(99, &mut data), Err(HostErrno::ENOTTY));
        assert_eq!(k.dev_ioctl("test1", BOTH, &mut data), Err(HostErrno::ENXIO));
        assert_eq!(d.calls.load(Ordering::SeqCst), 4);
        assert_eq!(Cdev::attach(cx, d.clone()).err(), Some(Errno::EEXIST));
        let bad = dev::<true>(cx).unwrap();
        assert_eq!(Cdev::attach(cx, bad).err(), Some(Errno::EINVAL));
        cdev.detach(cx);
        assert_eq!(call(BOTH, &mut [0; 8]), Err(HostErrno::ENXIO));
        assert!(k.dev_names().is_empty());
    });
}

#[test]
fn calls_are_one_at_a_time_and_detach_waits() {
    in_kernel("cdev", |k, cx| {
        let d = dev::<false>(cx).unwrap();
        let cdev = Cdev::attach(cx, d.clone()).unwrap();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| k.dev_ioctl("test0", SLOW, &mut []));
            }
            while d.calls.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            cdev.detach(cx);
            assert!(!d.inside.load(Ordering::SeqCst), "a call still runs");
        });
    });
}

#[test]
fn every_allocation_may_fail() {
    with_every_allocation_failing("cdev", |cx| {
        let d = dev::<false>(cx)?;
        Cdev::attach(cx, d)?.detach(cx);
        Ok(())
    });
}
