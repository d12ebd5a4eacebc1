// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets as functions of any bytes. They panic where a rule is broken: no file may do
//! that, each error has a place in it, and what is loaded works.

mod conf;

pub use conf::conf;
