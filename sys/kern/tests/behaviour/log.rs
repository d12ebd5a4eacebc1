// SPDX-License-Identifier: BSD-2-Clause
//! The log and its limit, and callouts: all under the virtual clock.

use super::in_kernel;
use kern::callout::Callout;
use kern::callout::Handler;
use kern::cx::Softint;
use kern::errno::Errno;
use kern::log;
use kern::log::Level;
use kern::log::Limit;
use kern::log_limited;
use kern::mem::KArc;
use kern::testing;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

#[test]
fn a_line_is_one_line_and_is_cut() {
    in_kernel("log", |k, _| {
        log!(Level::Notice, "{}: {}", "l2tp0", 7);
        log!(Level::Err, "a\nb\tc\u{7f}d");
        log!(Level::Debug, "{:300}", "x");
        log!(Level::Info, "{}{}", "y".repeat(255), "zz");
        log!(Level::Warning, "");
        let lines = k.log_lines();
        assert_eq!(lines[0], (5, "l2tp0: 7".to_owned()));
        assert_eq!(lines[1], (3, "a?b?c?d".to_owned()));
        assert_eq!((lines[2].0, lines[2].1.len()), (7, 256));
        assert_eq!(lines[3], (6, "y".repeat(255) + "z"));
        assert_eq!(lines[4], (4, String::new()));
        // What is cut within a character is no reason to say nothing.
        log!(Level::Info, "{}é", "y".repeat(255));
        assert!(k.log_lines()[5].1.starts_with(&"y".repeat(255)));
    });
}

#[test]
fn the_limit_counts_what_it_withholds() {
    in_kernel("limit", |k, _| {
        let limit = Limit::new(3);
        for n in 0..10 {
            log_limited!(limit, Level::Warning, "line {}", n);
        }
        let texts = |k: &host::kernel::Kernel| -> Vec<String> {
            k.log_lines().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(k), ["line 0", "line 1", "line 2"]);
        k.advance(1_000_000_000);
        log_limited!(limit, Level::Warning, "line {}", 10);
        log_limited!(limit, Level::Warning, "line {}", 11);
        assert_eq!(texts(k)[3..], ["line 10 (7 withheld)", "line 11"]);
        // A long silence brings nothing up.
        k.advance(60_000_000_000);
        assert_eq!(limit.pass(), Some(0));
        assert_eq!(Limit::new(0).pass(), None);
    });
}

#[derive(Default)]
struct Timer {
    fired: Mutex<Vec<u64>>,
    again: AtomicU32,
    callout: Mutex<Option<Callout<Timer>>>,
}

impl Handler for Timer {
    fn expired(&self, _cx: &mut Softint) {
        self.fired.lock().unwrap().push(kern::misc::uptime_ns());
        if self.again.load(Ordering::Relaxed) > 0 {
            self.again.fetch_sub(1, Ordering::Relaxed);
            if let Some(callout) = &*self.callout.lock().unwrap() {
                callout.schedule(10);
            }
        }
    }
}

#[test]
fn callouts_fire_once_at_their_time() {
    in_kernel("callout", |k, cx| {
        let timer = KArc::new(cx, Timer::default()).unwrap();
        let start = kern::misc::uptime_ns();
        let callout = Callout::new(cx, timer.clone()).unwrap();
        callout.schedule(50);
        callout.schedule(100);
        k.advance(99_999_999);
        assert!(timer.fired.lock().unwrap().is_empty());
        k.advance(1_000_000_000);
        assert_eq!(*timer.fired.lock().unwrap(), [start + 100_000_000]);
        // It may schedule itself.
        timer.again.store(3, Ordering::Relaxed);
        callout.schedule(10);
        *timer.callout.lock().unwrap() = Some(callout);
        k.advance(1_000_000_000);
        assert_eq!(timer.fired.lock().unwrap().len(), 5);
        // Destroyed, it does not fire, and lets go of its owner.
        let callout = timer.callout.lock().unwrap().take().unwrap();
        callout.schedule(1);
        callout.destroy(cx);
        k.advance(1_000_000_000);
        assert_eq!(timer.fired.lock().unwrap().len(), 5);
        assert!(KArc::is_unique(&timer));
    });
}

#[test]
fn a_callout_that_cannot_be_made_keeps_nothing() {
    in_kernel("no callout", |k, cx| {
        let timer = KArc::new(cx, Timer::default()).unwrap();
        k.fail_nth(host::ledger::Fault::Memory, 1);
        let failed = Callout::new(cx, timer.clone());
        assert_eq!(failed.err(), Some(Errno::ENOMEM));
        assert!(KArc::is_unique(&timer));
        let _ = testing::softint();
    });
}
