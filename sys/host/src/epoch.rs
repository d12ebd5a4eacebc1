// SPDX-License-Identifier: BSD-2-Clause
//! Read sections, and waiting until those that are open have ended.
//!
//! *Contexts*: [`Domain::enter`] any; [`Domain::wait`] thread, not within a section.
//! *Locking*: none. There are two domains, so that an upcall may wait for readers: the modules'
//! read sections ([`READ`]), and the packet upcalls that run ([`UPCALLS`]).
//!
//! # Algorithm
//!
//! Each thread has a record with a sequence number for each domain: odd within a section, even
//! outside. The outermost enter and exit each add one. A waiter makes a barrier, then looks at
//! each record once; where the number is odd it waits until it has *changed*.
//!
//! # Why it is right
//!
//! Let a writer unpublish a value and then wait. A reader's section either
//! 1. stored its odd number before the writer's barrier: the writer finds that number, or a later
//!    one. If it is that one, it waits for the change, which the section's end makes with Release
//!    and the writer reads with Acquire: all that the section did happens before the writer goes
//!    on. If it is a later one, the section has ended, and the same holds, since the numbers of a
//!    record are written in order by its one owner, the even ones with Release; an odd one found
//!    there is waited for (more than needed), and the next even one covers both.
//! 2. or stored it after the barrier: then what it reads afterwards comes after the barrier too,
//!    and it finds the value unpublished.
//!
//! That a store (the number) is not passed by the loads after it (the section's) needs a full
//! fence in the reader; or, where the OS has membarrier(2), only a compiler's fence there, while
//! the writer has the OS put a fence into each running thread. Which one is settled before any
//! thread's first section. A thread that is just entering its record in the list is covered by
//! the same argument: it does that before it stores its number.
//!
//! A waiter never waits for sections begun after it looked, so steady traffic cannot starve it.
//! crossbeam-epoch, which was the first choice, has no such wait: it would take a deferred
//! closure, two global epoch advances and repeated flushing, and its pin costs a locked
//! instruction; `tests/epoch.rs` prints both.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
};
use std::time::Duration;

use crate::die::die;

const DOMAINS: usize = 2;

/// A sort of sections that are waited for together.
#[derive(Clone, Copy, Debug)]
pub struct Domain(usize);

/// What modules enter with `kpi_epoch_enter`.
pub const READ: Domain = Domain(0);
/// The packet path's upcalls into modules: detaching an interface waits for these.
pub const UPCALLS: Domain = Domain(1);

/// One thread's state; written by its owner only, but for the hand-over through `used`.
#[repr(align(128))]
pub struct Record {
    seq: [AtomicU64; DOMAINS],
    depth: [AtomicU32; DOMAINS],
    used: AtomicBool,
    next: AtomicPtr<Record>,
}

/// All records there ever were; they are reused and never freed.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static MINE: Cell<Option<&'static Record>> = const { Cell::new(None) };
    static OWNER: Owner = const { Owner(Cell::new(None)) };
}

/// Gives the thread's record to others when the thread ends.
struct Owner(Cell<Option<&'static Record>>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(record) = self.0.take() {
            MINE.set(None);
            if record
                .depth
                .iter()
                .any(|depth| depth.load(Ordering::Relaxed) != 0)
            {
                die("epoch: a thread ended within a read section");
            }
            record.used.store(false, Ordering::Release);
        }
    }
}

fn records() -> impl Iterator<Item = &'static Record> {
    let deref = |p: *mut Record| {
        // SAFETY: records are leaked boxes, or the pointer is null.
        unsafe { p.as_ref() }
    };
    let first = deref(RECORDS.load(Ordering::Acquire));
    std::iter::successors(first, move |r| deref(r.next.load(Ordering::Acquire)))
}

#[cold]
fn claim() -> &'static Record {
    barrier::settle();
    let free = records().find(|r| {
        let order = (Ordering::Acquire, Ordering::Relaxed);
        r.used
            .compare_exchange(false, true, order.0, order.1)
            .is_ok()
    });
    let record = free.unwrap_or_else(|| {
        let new: &'static Record = Box::leak(Box::new(Record {
            seq: [const { AtomicU64::new(0) }; DOMAINS],
            depth: [const { AtomicU32::new(0) }; DOMAINS],
            used: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let push = |head: *mut Record| {
            new.next.store(head, Ordering::Relaxed);
            Some(ptr::from_ref(new).cast_mut())
        };
        // Never Err: push always gives a new head.
        let _ = RECORDS.fetch_update(Ordering::AcqRel, Ordering::Acquire, push);
        new
    });
    MINE.set(Some(record));
    // Fails while the thread ends: then the record stays taken, which costs only its memory.
    let _ = OWNER.try_with(|owner| owner.0.set(Some(record)));
    record
}

fn mine() -> &'static Record {
    MINE.get().unwrap_or_else(|| claim())
}

/// An open section of a domain; ends when dropped.
#[must_use]
pub struct Section {
    record: &'static Record,
    domain: Domain,
    /// A section belongs to its thread.
    _here: std::marker::PhantomData<*const ()>,
}

impl Drop for Section {
    fn drop(&mut self) {
        self.domain.leave(self.record);
    }
}

impl Domain {
    /// Begin a section; they nest.
    pub fn enter(self) -> Section {
        let (record, _) = self.begin();
        Section {
            record,
            domain: self,
            _here: std::marker::PhantomData,
        }
    }

    /// Begin a section, for C: the record to [`Domain::leave`], and how deep we are now.
    pub(crate) fn begin(self) -> (&'static Record, u32) {
        let record = mine();
        let depth = record.depth[self.0].load(Ordering::Relaxed) + 1;
        record.depth[self.0].store(depth, Ordering::Relaxed);
        if depth == 1 {
            let seq = &record.seq[self.0];
            seq.store(seq.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            barrier::reader();
        }
        (record, depth)
    }

    /// End the innermost section of this thread.
    pub(crate) fn leave(self, record: &Record) {
        let depth = record.depth[self.0].load(Ordering::Relaxed) - 1;
        record.depth[self.0].store(depth, Ordering::Relaxed);
        if depth == 0 {
            let seq = &record.seq[self.0];
            seq.store(seq.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
    }

    /// How many sections this thread is in.
    pub fn depth(self) -> u32 {
        MINE.get()
            .map_or(0, |record| record.depth[self.0].load(Ordering::Relaxed))
    }

    /// Return when each section that is open now has ended.
    pub fn wait(self) {
        if self.depth() != 0 {
            die("epoch: wait within a section of the same sort would never return");
        }
        barrier::settle();
        barrier::writer();
        for record in records() {
            let seq = &record.seq[self.0];
            let seen = seq.load(Ordering::Acquire);
            let mut tries = 0u32;
            while seen % 2 == 1 && seq.load(Ordering::Acquire) == seen {
                relax(tries);
                tries += 1;
            }
        }
    }
}

/// Wait a little: sections are short, so spin first, but a preempted reader needs our CPU.
fn relax(tries: u32) {
    match tries {
        0..64 => std::hint::spin_loop(),
        64..80 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(u64::from((tries - 79).min(50)) * 20)),
    }
}

/// The fences of readers and writers, see the module's text.
mod barrier {
    use super::{AtomicBool, Ordering, compiler_fence, fence};
    use std::sync::OnceLock;

    /// Whether the OS fences for readers; settled before a thread's first section.
    static BY_OS: AtomicBool = AtomicBool::new(false);

    pub fn settle() {
        static SETTLED: OnceLock<()> = OnceLock::new();
        SETTLED.get_or_init(|| BY_OS.store(os::register(), Ordering::SeqCst));
    }

    #[inline]
    pub fn reader() {
        if BY_OS.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    pub fn writer() {
        fence(Ordering::SeqCst);
        // A fork(2) may have lost the registration.
        if BY_OS.load(Ordering::Relaxed) && !os::fence_all() && !(os::register() && os::fence_all())
        {
            crate::die::die("epoch: membarrier failed after it was registered");
        }
        fence(Ordering::SeqCst);
    }

    #[cfg(target_os = "linux")]
    mod os {
        const QUERY: libc::c_int = 0;
        const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
        const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

        fn membarrier(cmd: libc::c_int) -> libc::c_long {
            // SAFETY: membarrier(2) takes a command, flags and a CPU, and touches no memory.
            unsafe { libc::syscall(libc::SYS_membarrier, cmd, 0, 0) }
        }

        pub fn register() -> bool {
            let can = membarrier(QUERY);
            can > 0
                && can & libc::c_long::from(PRIVATE_EXPEDITED) != 0
                && membarrier(REGISTER_PRIVATE_EXPEDITED) == 0
        }

        pub fn fence_all() -> bool {
            membarrier(PRIVATE_EXPEDITED) == 0
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod os {
        pub fn register() -> bool {
            false
        }

        pub fn fence_all() -> bool {
            false
        }
    }
}
