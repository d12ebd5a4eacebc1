// SPDX-License-Identifier: BSD-2-Clause
//! Counters: one cell per CPU and counter, summed when read.
//!
//! *Contexts*: any. *Locking*: none; a cell is written with a relaxed atomic add, which on its own
//! CPU's cache line costs about what a plain add does, and loses nothing when a softint interrupts.

use core::marker::PhantomData;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering;

pub use kabi::kstat::Class;
use kpi_sys as k;

use crate::cx::MaySleep;
use crate::errno::Result;
use crate::mem::KVec;

/// One counter as kstat(8) shows it.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// A short name in lower case.
    pub name: &'static str,
    /// One line for people.
    pub desc: &'static str,
    /// What it counts.
    pub class: Class,
}

/// An enum of counters, made by [`counters!`](crate::counters) or [`drops!`](crate::drops).
pub trait Counter: Copy + Send + Sync + 'static {
    /// All of them, in the enum's order.
    const INFO: &'static [Info];

    /// Where this one stands in `INFO`.
    fn index(self) -> usize;
}

/// Cells of one cache line.
const LINE: usize = 8;

/// One set of counters.
pub struct Counters<E> {
    cells: KVec<AtomicU64>,
    /// Cells a CPU, a whole number of cache lines.
    stride: usize,
    /// CPUs minus 1, for a power of two of them.
    mask: u32,
    _of: PhantomData<fn(E)>,
}

impl<E: Counter> Counters<E> {
    /// All zero; cells for every CPU, up to 64.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new<C: MaySleep>(cx: &mut C) -> Result<Self> {
        // SAFETY: no conditions.
        let cpus = unsafe { k::kpi_ncpu() }.clamp(1, 64).next_power_of_two();
        let stride = E::INFO.len().next_multiple_of(LINE);
        let cells = KVec::from_fn(cx, stride * cpus as usize, |_| AtomicU64::new(0))?;
        Ok(Counters {
            cells,
            stride,
            mask: cpus - 1,
            _of: PhantomData,
        })
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, which: E, n: u64) {
        // SAFETY: no conditions.
        let cpu = (unsafe { k::kpi_cpu_index() } & self.mask) as usize;
        if let Some(cell) = self.cells.get(cpu * self.stride + which.index()) {
            cell.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds 1.
    #[inline]
    pub fn inc(&self, which: E) {
        self.add(which, 1);
    }

    /// The sum over all CPUs; what is added meanwhile may or may not be in it.
    pub fn sum(&self, which: E) -> u64 {
        self.sum_at(which.index())
    }

    /// The sum of all counters.
    pub fn total(&self) -> u64 {
        (0..E::INFO.len()).fold(0, |sum, i| sum.wrapping_add(self.sum_at(i)))
    }

    pub(crate) fn sum_at(&self, index: usize) -> u64 {
        let cells = self.cells.iter().skip(index).step_by(self.stride.max(1));
        cells.fold(0, |sum, c| sum.wrapping_add(c.load(Ordering::Relaxed)))
    }
}

/// Declares an enum of counters: `Name = "name", "description";`.
#[macro_export]
macro_rules! counters {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($Var:ident = $name:literal, $desc:literal;)+
    }) => {
        $crate::__counter_enum! {
            Counter; $(#[$meta])* $vis enum $Enum { $($Var = $name, $desc;)+ }
        }
    };
}

/// Declares an enum of drop reasons: `Name(ERRNO) = "name", "description";`. One variant must be
/// `NoBufs`, for packets lost to want of memory.
#[macro_export]
macro_rules! drops {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($Var:ident($errno:ident) = $name:literal, $desc:literal;)+
    }) => {
        $crate::__counter_enum! {
            Drop; $(#[$meta])* $vis enum $Enum { $($Var = $name, $desc;)+ }
        }
        impl $crate::verdict::Reason for $Enum {
            fn errno(self) -> $crate::errno::Errno {
                match self { $($Enum::$Var => $crate::errno::Errno::$errno,)+ }
            }
        }
        impl From<$crate::mbuf::NoBufs> for $Enum {
            fn from(_: $crate::mbuf::NoBufs) -> Self {
                $Enum::NoBufs
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __counter_enum {
    ($class:ident; $(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($Var:ident = $name:literal, $desc:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $Enum { $(#[doc = $desc] $Var,)+ }
        impl $crate::stats::Counter for $Enum {
            const INFO: &'static [$crate::stats::Info] = &[$($crate::stats::Info {
                name: $name,
                desc: $desc,
                class: $crate::stats::Class::$class,
            },)+];
            #[inline]
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
