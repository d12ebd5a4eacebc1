// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets as functions of any bytes. They panic where a rule is broken: whatever comes in
//! becomes a message, a ring gives only what was put in, a stream is the same however it is cut.

mod frame;
mod packed;
mod parse;
mod request;
mod ring;

pub use frame::frame;
pub use packed::packed;
pub use parse::parse;
pub use request::request;
pub use ring::ring;
