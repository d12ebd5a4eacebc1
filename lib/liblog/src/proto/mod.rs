// SPDX-License-Identifier: BSD-2-Clause
//! The words of the control socket: lines of JSON in both directions. syslogctl(8) documents them.

mod json;
mod reply;
mod request;

pub use json::LINE_MIN;
pub use json::write_record;
pub use reply::BadLine;
pub use reply::Code;
pub use reply::EndWhy;
pub use reply::Line;
pub use reply::RecordLine;
pub use reply::Reply;
pub use reply::RingInfo;
pub use reply::parse_line;
pub use request::Read;
pub use request::Request;
pub use request::parse_request;

/// The version of this protocol, in [`Reply::Hello`].
pub const VERSION: u32 = 1;
