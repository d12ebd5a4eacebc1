// SPDX-License-Identifier: BSD-2-Clause
//! The module on a host kernel: exact packets, exact counters.

mod alg;
mod alg_bad;
mod alg_server;
mod alg_stream;
mod control;
mod faults;
mod forwards;
mod moved;
mod nat;
mod site;
mod states;
mod synproxy;
mod tables;
mod trace;
mod tunnels;
