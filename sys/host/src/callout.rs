// SPDX-License-Identifier: BSD-2-Clause
//! Timers of a kernel: run by a thread, or by whoever advances the virtual clock. Callouts and
//! tasks have a thread each, so that a task which sleeps holds up no callout; on the virtual clock
//! both run in the order in which they are due.
//!
//! *Contexts*: schedule any; create and destroy thread. *Locking*: one mutex a kernel, never held
//! while a handler runs.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::ThreadId;
use std::time::Duration;

use crate::die::die;
use crate::errno::Errno;
use crate::home::Home;
use crate::ledger::{Fault, Kind};
use crate::sync::{lock, wait};

/// When it is due, and a number that keeps those due at the same time in order.
type When = (u64, u64);

/// What a module wants called.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    /// The function; it is called in softint context, a task's in thread context.
    pub call: unsafe extern "C" fn(*mut c_void),
    /// Its argument.
    pub arg: *mut c_void,
}

// SAFETY: the contract of kpi_callout_create: the handler may run on any thread until it is
// destroyed; we only pass arg on.
unsafe impl Send for Handler {}

/// What a timer is, and so which thread runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// `kpi_callout_create`
    Callout,
    /// `kpi_task_create`
    Task,
}

const LANES: [Lane; 2] = [Lane::Callout, Lane::Task];

impl Lane {
    fn kind(self) -> Kind {
        match self {
            Lane::Callout => Kind::Callout,
            Lane::Task => Kind::Task,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Lane::Callout => "callout",
            Lane::Task => "task",
        }
    }
}

#[derive(Debug)]
struct Entry {
    handler: Handler,
    at: Option<When>,
    /// The thread that runs the handler now.
    running: Option<ThreadId>,
}

#[derive(Debug, Default)]
struct State {
    /// One for each lane.
    queue: [BTreeMap<When, u64>; LANES.len()],
    entries: HashMap<u64, Entry>,
    last: u64,
    has_thread: [bool; LANES.len()],
    stop: bool,
}

/// All callouts and tasks of a kernel.
#[derive(Debug)]
pub struct Timers {
    home: Arc<Home>,
    state: Mutex<State>,
    changed: Condvar,
    /// One thread at a time advances the virtual clock.
    advancing: Mutex<()>,
}

/// What `struct kpi_callout` and `struct kpi_task` are on the host.
#[derive(Debug)]
pub struct Callout {
    timers: Arc<Timers>,
    id: u64,
    lane: Lane,
}

impl Timers {
    /// No callouts yet.
    pub fn new(home: Arc<Home>) -> Arc<Timers> {
        Arc::new(Timers {
            home,
            state: Mutex::default(),
            changed: Condvar::new(),
            advancing: Mutex::new(()),
        })
    }

    /// A callout or task, not scheduled; fails only by injected fault.
    pub fn create(self: &Arc<Self>, lane: Lane, handler: Handler) -> Result<Callout, Errno> {
        if self.home.ledger.strike(Fault::Memory) {
            return Err(Errno::ENOMEM);
        }
        let mut state = lock(&self.state);
        state.last += 1;
        let id = state.last;
        state.entries.insert(
            id,
            Entry {
                handler,
                at: None,
                running: None,
            },
        );
        self.home.ledger.born(lane.kind());
        Ok(Callout {
            timers: Arc::clone(self),
            id,
            lane,
        })
    }

    /// When the next callout or task is due, in nanoseconds of the kernel's clock.
    pub fn next_due(&self) -> Option<u64> {
        first(&lock(&self.state), &LANES).map(|((due, _), _)| due)
    }

    /// Move the virtual clock on by `ns` and run what becomes due, in order, at its time. Not
    /// to be called from a handler.
    pub fn advance(&self, ns: u64) {
        let _one = lock(&self.advancing);
        let target = self.home.clock.now() + ns;
        let mut state = lock(&self.state);
        while let Some((when, id)) = due(&state, &LANES, target) {
            self.home.clock.set(when.0);
            state = self.fire(state, when, id);
        }
        drop(state);
        self.home.clock.set(target);
    }

    /// Run the timer `id`, due at `when`, with the lock let go.
    fn fire<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        when: When,
        id: u64,
    ) -> MutexGuard<'a, State> {
        // It is in one of them.
        state.queue.iter_mut().for_each(|queue| {
            queue.remove(&when);
        });
        let Some(entry) = state.entries.get_mut(&id) else {
            return state;
        };
        entry.at = None;
        entry.running = Some(std::thread::current().id());
        let handler = entry.handler;
        drop(state);
        // SAFETY: the contract of kpi_callout_create: fn and arg are valid until it is destroyed,
        // and destroying waits until running is None.
        self.home.enter(|| unsafe { (handler.call)(handler.arg) });
        let mut state = lock(&self.state);
        if let Some(entry) = state.entries.get_mut(&id) {
            entry.running = None;
        }
        self.changed.notify_all();
        state
    }

    /// A thread behind a real clock.
    fn run(&self, lane: Lane) {
        let mut state = lock(&self.state);
        while !state.stop {
            let now = self.home.clock.now();
            if let Some((when, id)) = due(&state, &[lane], now) {
                state = self.fire(state, when, id);
                continue;
            }
            state = match first(&state, &[lane]) {
                None => wait(&self.changed, state),
                Some(((due, _), _)) => {
                    let pause = Duration::from_nanos(due.saturating_sub(now));
                    let waited = self.changed.wait_timeout(state, pause);
                    waited.unwrap_or_else(|e| e.into_inner()).0
                }
            };
        }
        state.has_thread[lane as usize] = false;
        self.changed.notify_all();
    }

    /// No handler starts any more; waits for one that runs, unless it is what calls us.
    pub fn stop(&self) {
        let mut state = lock(&self.state);
        state.stop = true;
        state.queue.iter_mut().for_each(BTreeMap::clear);
        self.changed.notify_all();
        let me = Some(std::thread::current().id());
        while state
            .entries
            .values()
            .any(|e| e.running.is_some() && e.running != me)
        {
            state = wait(&self.changed, state);
        }
    }
}

/// The first in any of these lanes.
fn first(state: &State, lanes: &[Lane]) -> Option<(When, u64)> {
    let firsts = lanes
        .iter()
        .filter_map(|lane| state.queue[*lane as usize].first_key_value());
    firsts.map(|(when, id)| (*when, *id)).min()
}

fn due(state: &State, lanes: &[Lane], now: u64) -> Option<(When, u64)> {
    first(state, lanes).filter(|(when, _)| when.0 <= now)
}

impl Callout {
    /// Fire once, `ms` milliseconds from now; replaces an earlier schedule.
    pub fn schedule(&self, ms: u32) {
        let timers = &self.timers;
        let mut guard = lock(&timers.state);
        let state = &mut *guard;
        if state.stop {
            return;
        }
        let when = (
            timers.home.clock.now() + u64::from(ms) * 1_000_000,
            state.last + 1,
        );
        state.last += 1;
        let Some(entry) = state.entries.get_mut(&self.id) else {
            return;
        };
        let lane = self.lane as usize;
        if let Some(before) = entry.at.replace(when) {
            state.queue[lane].remove(&before);
        }
        state.queue[lane].insert(when, self.id);
        if timers.home.clock.is_virtual() {
            return;
        }
        if state.has_thread[lane] {
            timers.changed.notify_all();
        } else {
            state.has_thread[lane] = true;
            let (run, lane) = (Arc::clone(timers), self.lane);
            let name = format!("{}/{}", timers.home.name, lane.name());
            if let Err(e) = std::thread::Builder::new()
                .name(name)
                .spawn(move || run.run(lane))
            {
                die(&format!("{}: cannot start its thread: {e}", lane.name()));
            }
        }
    }
}

impl Drop for Callout {
    /// Stop it, and wait for a handler that runs.
    fn drop(&mut self) {
        let mut state = lock(&self.timers.state);
        let lane = self.lane as usize;
        while let Some(entry) = state.entries.get_mut(&self.id) {
            let (at, running) = (entry.at.take(), entry.running);
            if let Some(when) = at {
                state.queue[lane].remove(&when);
                continue;
            }
            match running {
                // The handler may schedule itself again meanwhile, hence the loop.
                Some(thread) if thread == std::thread::current().id() => {
                    drop(state);
                    die(&format!(
                        "{}: destroyed by its own handler",
                        self.lane.name()
                    ));
                }
                Some(_) => state = wait(&self.timers.changed, state),
                None => {
                    state.entries.remove(&self.id);
                }
            }
        }
        self.timers.home.ledger.died(self.lane.kind());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockKind;
    use crate::home;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    struct Note {
        home: Arc<Home>,
        fired: Mutex<Vec<(u32, u64)>>,
    }

    struct Arg<'a>(&'a Note, u32);

    unsafe extern "C" fn note(arg: *mut c_void) {
        // SAFETY: the tests pass an Arg that outlives the callout.
        let arg = unsafe { &*arg.cast::<Arg<'_>>() };
        assert!(arg.0.home.is_current());
        lock(&arg.0.fired).push((arg.1, arg.0.home.clock.now()));
    }

    fn handler(arg: &Arg<'_>) -> Handler {
        Handler {
            call: note,
            arg: std::ptr::from_ref(arg).cast_mut().cast(),
        }
    }

    #[test]
    fn the_virtual_clock_runs_them_in_order_at_their_time() {
        let home = home::for_test(ClockKind::Virtual);
        let timers = Timers::new(Arc::clone(&home));
        let notes = Note {
            home: Arc::clone(&home),
            fired: Mutex::default(),
        };
        let args = [Arg(&notes, 0), Arg(&notes, 1), Arg(&notes, 2)];
        let callouts: Vec<_> = args
            .iter()
            .map(|arg| {
                timers
                    .create(Lane::Callout, handler(arg))
                    .expect("no fault")
            })
            .collect();
        let start = home.clock.now();
        callouts[0].schedule(20);
        callouts[1].schedule(10);
        callouts[2].schedule(10);
        timers.advance(9_999_999);
        assert!(lock(&notes.fired).is_empty());
        assert_eq!(timers.next_due(), Some(start + 10_000_000));
        timers.advance(1);
        callouts[0].schedule(5); // replaces the one at 20 ms
        timers.advance(100_000_000);
        let at = |ms: u64| start + ms * 1_000_000;
        assert_eq!(*lock(&notes.fired), [(1, at(10)), (2, at(10)), (0, at(15))]);
        assert_eq!(home.clock.now(), at(110));
        assert_eq!(home.ledger.count(Kind::Callout), 3);
        drop(callouts);
        assert!(home.ledger.leaks().is_empty());
    }

    #[test]
    fn a_destroyed_one_does_not_fire_and_create_can_fail() {
        let home = home::for_test(ClockKind::Virtual);
        let timers = Timers::new(Arc::clone(&home));
        let notes = Note {
            home: Arc::clone(&home),
            fired: Mutex::default(),
        };
        let arg = Arg(&notes, 0);
        let callout = timers
            .create(Lane::Callout, handler(&arg))
            .expect("no fault");
        callout.schedule(1);
        drop(callout);
        timers.advance(5_000_000);
        assert!(lock(&notes.fired).is_empty());
        home.ledger.fail(Fault::Memory, 1);
        assert_eq!(
            timers.create(Lane::Callout, handler(&arg)).err(),
            Some(Errno::ENOMEM)
        );
    }

    static ENTERED: AtomicBool = AtomicBool::new(false);
    static FINISHED: AtomicU32 = AtomicU32::new(0);

    unsafe extern "C" fn slow(_: *mut c_void) {
        ENTERED.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        FINISHED.fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn destroy_waits_for_a_running_handler_of_the_real_clock() {
        let timers = Timers::new(home::for_test(ClockKind::Real));
        let slow = Handler {
            call: slow,
            arg: std::ptr::null_mut(),
        };
        let callout = timers.create(Lane::Callout, slow).expect("no fault");
        callout.schedule(1);
        while !ENTERED.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        drop(callout);
        assert_eq!(FINISHED.load(Ordering::SeqCst), 1);
        timers.stop();
    }
}
