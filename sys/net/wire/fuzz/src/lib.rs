// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets as functions of any bytes. They panic where a rule is broken: no parser may,
//! and what is rewritten keeps its checksums.

mod alg;
mod rewrite;

pub use alg::alg;
pub use rewrite::rewrite;
