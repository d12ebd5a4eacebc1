// SPDX-License-Identifier: BSD-2-Clause
//! The program itself, as it is installed: what is sent to it is in its rings, files and other
//! hosts, or counted as lost. Nothing here needs root; what would says that it is skipped.

mod crowd;
mod full;
mod inputs;
mod keep;
mod outputs;
mod readers;
mod reload;
mod rig;
mod tls;
