// SPDX-License-Identifier: BSD-2-Clause
//! Benchmarks live in `benches/`, programs to compare with in `src/bin/`.
#![forbid(unsafe_code)]
