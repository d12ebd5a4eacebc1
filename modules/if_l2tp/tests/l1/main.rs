// SPDX-License-Identifier: BSD-2-Clause
//! if_l2tp on host kernels: exact packets, exact counter deltas, and no other counter moved.

mod config;
mod drops;
mod golden;
mod kstat;
mod lifecycle;
mod site;
mod stress;
mod topology;
