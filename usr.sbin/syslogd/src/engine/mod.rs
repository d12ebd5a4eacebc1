// SPDX-License-Identifier: BSD-2-Clause
//! What becomes of each message, without any I/O: [`Engine::handle`] takes an event and the clocks,
//! and tells a [`Sink`] what to store and write. Nothing here allocates after the start.
//!
//! A message is counted, throttled by its source, remapped, and shown to the rules that its
//! facility and severity leave; each ring and output gets it at most once, and at each of them
//! repeated messages become a line that counts them.

mod core;
mod event;
mod matcher;
mod own;
mod pass;
mod reload;
mod repeat;
mod select;
mod slots;
mod stats;
mod text;
mod throttle;

pub use core::Crash;
pub use core::recognise;
pub use event::Event;
pub use event::Input;
pub use event::Sink;
pub use pass::Engine;
pub use pass::Me;
pub use reload::Changes;
pub use stats::Sent;
pub use stats::Stats;
pub use throttle::Source;
pub use throttle::Table;
pub use throttle::Verdict;
