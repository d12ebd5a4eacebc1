// SPDX-License-Identifier: BSD-2-Clause
//! The text of an `abi.golden` file: what a test regenerates and compares, so that no number, size
//! or offset changes unseen.

use crate::{Ioctl, Pod};
use core::fmt;

/// One field of a struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Bytes it takes.
    pub size: usize,
}

/// One struct, as [`layout!`](crate::layout) makes it.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name.
    pub name: &'static str,
    /// Bytes it takes.
    pub size: usize,
    /// All its fields, in order.
    pub fields: &'static [Field],
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// The number on NetBSD and on host kernels.
    pub cmd: u32,
    /// The number on FreeBSD.
    pub freebsd: u32,
    /// Bytes that go in.
    pub request: usize,
    /// Bytes that come out.
    pub reply: usize,
}

impl Command {
    /// How `ioctl` is listed under `name`.
    #[must_use]
    pub const fn new<Rq: Pod, Rs: Pod>(name: &'static str, ioctl: Ioctl<Rq, Rs>) -> Command {
        Command {
            name,
            cmd: ioctl.cmd,
            freebsd: ioctl.freebsd,
            request: size_of::<Rq>(),
            reply: size_of::<Rs>(),
        }
    }
}

/// A whole ABI; its `Display` is the golden text.
#[derive(Clone, Copy, Debug)]
pub struct Abi {
    /// Whose it is.
    pub name: &'static str,
    /// Its commands.
    pub commands: &'static [Command],
    /// Its structs.
    pub structs: &'static [Layout],
    /// Numbers that have a meaning: states, kinds, limits.
    pub numbers: &'static [(&'static str, u64)],
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "abi {}", self.name)?;
        for c in self.commands {
            writeln!(
                f,
                "command {} {:#010x} freebsd {:#010x} in {} out {}",
                c.name, c.cmd, c.freebsd, c.request, c.reply
            )?;
        }
        for s in self.structs {
            writeln!(f, "struct {} {}", s.name, s.size)?;
            for d in s.fields {
                writeln!(f, "    {:4} {:4} {}", d.offset, d.size, d.name)?;
            }
        }
        for (name, value) in self.numbers {
            writeln!(f, "number {name} {value}")?;
        }
        Ok(())
    }
}

/// The size of the field that `_get` gives out; for [`layout!`](crate::layout).
#[doc(hidden)]
#[must_use]
pub const fn field_size<T, F>(_get: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// The [`Layout`](crate::golden::Layout) of a struct; a field left out, or one too many, does not compile.
///
/// ```
/// #[repr(C)]
/// struct Pair {
///     a: u32,
///     b: u64,
/// }
/// const PAIR: kabi::golden::Layout = kabi::layout!(Pair { a, b });
/// assert_eq!((PAIR.size, PAIR.fields[1].offset), (16, 8));
/// ```
///
/// ```compile_fail
/// #[repr(C)]
/// struct Pair {
///     a: u32,
///     b: u64,
/// }
/// const PAIR: kabi::golden::Layout = kabi::layout!(Pair { a });
/// ```
#[macro_export]
macro_rules! layout {
    ($name:ident { $($field:ident),* $(,)? }) => {{
        #[allow(dead_code)]
        fn every_field($name { $($field: _),* }: &$name) {}
        $crate::golden::Layout {
            name: stringify!($name),
            size: ::core::mem::size_of::<$name>(),
            fields: &[$($crate::golden::Field {
                name: stringify!($field),
                offset: ::core::mem::offset_of!($name, $field),
                size: $crate::golden::field_size(|s: &$name| &s.$field),
            }),*],
        }
    }};
}

/// The number and name of each command, for [`Abi::commands`](crate::golden::Abi::commands).
#[macro_export]
macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        &[$($crate::golden::Command::new(stringify!($name), $name)),*]
    };
}
