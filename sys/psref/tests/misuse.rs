// SPDX-License-Identifier: BSD-2-Clause
//! Misuse stops the kernel: each case runs in a process of its own and must end in `kpi_panic`.
#![cfg(not(loom))]

use std::env;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::process::Command;

use kpi_sys::{kpi_psref, kpi_psref_target};
use psref as _;

#[unsafe(no_mangle)]
extern "C" fn kpi_cpu_index() -> u32 {
    u32::MAX
}

#[unsafe(no_mangle)]
extern "C" fn kpi_pause(_us: u32) {
    println!("paused");
    std::process::exit(3);
}

#[unsafe(no_mangle)]
extern "C" fn kpi_panic(msg: *const c_char, len: u32) -> ! {
    // SAFETY: psref passes the bytes of a str.
    let bytes = unsafe { std::slice::from_raw_parts(msg.cast::<u8>(), len as usize) };
    println!("{}", String::from_utf8_lossy(bytes));
    std::process::exit(2)
}

struct Objects {
    r: MaybeUninit<kpi_psref>,
    targets: [kpi_psref_target; 2],
}

impl Objects {
    fn new() -> Box<Self> {
        let targets = [kpi_psref_target { kt_opaque: [0; 2] }; 2];
        let mut o = Box::new(Self {
            r: MaybeUninit::zeroed(),
            targets,
        });
        for t in &mut o.targets {
            // SAFETY: room that nobody uses.
            unsafe { kpi_sys::kpi_psref_target_init(t) };
        }
        o
    }

    fn acquire(&mut self, i: usize) {
        // SAFETY: both outlive the process's interest in them.
        unsafe { kpi_sys::kpi_psref_acquire(self.r.as_mut_ptr(), &raw mut self.targets[i]) };
    }

    fn release(&mut self, i: usize) {
        // SAFETY: the misuse under test is caught before anything is touched.
        unsafe { kpi_sys::kpi_psref_release(self.r.as_mut_ptr(), &raw mut self.targets[i]) };
    }

    fn destroy(&mut self, i: usize) {
        // SAFETY: the misuse under test is caught before anything is touched.
        unsafe { kpi_sys::kpi_psref_target_destroy(&raw mut self.targets[i]) };
    }
}

/// Runs `case` in a child of its own and returns how that ended and what it printed.
fn judge(test: &str, case: fn(&mut Objects)) -> Option<(Option<i32>, String)> {
    if env::var_os("PSREF_CASE").is_some() {
        case(&mut Objects::new());
        println!("nothing happened");
        std::process::exit(0);
    }
    let me = env::current_exe().expect("the path of this test");
    let out = Command::new(me)
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env("PSREF_CASE", "1")
        .output()
        .expect("the child runs");
    Some((
        out.status.code(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
    ))
}

fn must_die(test: &str, says: &str, case: fn(&mut Objects)) {
    if let Some((code, text)) = judge(test, case) {
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn correct_use_is_quiet() {
    let (code, text) = judge("correct_use_is_quiet", |o| {
        o.acquire(0);
        o.destroy(1);
        o.release(0);
        o.destroy(0);
    })
    .expect("the parent");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing happened"), "{text}");
}

#[test]
fn destroy_with_a_reference_waits() {
    let (code, text) = judge("destroy_with_a_reference_waits", |o| {
        o.acquire(0);
        o.destroy(0);
    })
    .expect("the parent");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("paused"), "{text}");
}

#[test]
fn released_twice() {
    must_die(
        "released_twice",
        "reference dropped that is not held",
        |o| {
            o.acquire(0);
            o.release(0);
            o.release(0);
        },
    );
}

#[test]
fn released_as_another_target() {
    must_die(
        "released_as_another_target",
        "reference dropped that is not held",
        |o| {
            o.acquire(0);
            o.release(1);
        },
    );
}

#[test]
fn destroyed_twice() {
    must_die(
        "destroyed_twice",
        "target destroyed that is not alive",
        |o| {
            o.destroy(0);
            o.destroy(0);
        },
    );
}

#[cfg(debug_assertions)]
#[test]
fn acquired_after_destroy() {
    must_die(
        "acquired_after_destroy",
        "reference to a target that is not alive",
        |o| {
            o.destroy(0);
            o.acquire(0);
        },
    );
}
