// SPDX-License-Identifier: BSD-2-Clause
//! Doors that lead nowhere, for benchmarks: what is sent or put up is freed at once, and frames
//! and packets are put in by hand, so that nothing but the module's own path is measured.
//!
//! *Contexts*: any. *Locking*: the lists of ports have a mutex, taken at attach and look-up only.

use std::sync::{Arc, Mutex};

use kpi_sys::kpi_endpoint;

use crate::port::{EncapPort, IfPort};
use crate::sync::lock;

/// The ports of a kernel with such doors.
#[derive(Clone, Debug, Default)]
pub struct Sink(Arc<Ports>);

#[derive(Debug, Default)]
struct Ports {
    ifs: Mutex<Vec<Arc<IfPort>>>,
    encaps: Mutex<Vec<Arc<EncapPort>>>,
}

impl Sink {
    pub(crate) fn open_if(&self, port: &Arc<IfPort>) {
        lock(&self.0.ifs).push(Arc::clone(port));
    }

    pub(crate) fn open_encap(&self, port: &Arc<EncapPort>) {
        lock(&self.0.encaps).push(Arc::clone(port));
    }

    pub(crate) fn close_encap(&self, endpoint: &kpi_endpoint) {
        lock(&self.0.encaps).retain(|port| port.endpoint.ke_port != endpoint.ke_port);
    }

    pub(crate) fn close_if(&self, id: u64) {
        lock(&self.0.ifs).retain(|port| port.id != id);
    }

    /// The interface of this name, to send frames on.
    pub fn ifport(&self, name: &str) -> Option<Arc<IfPort>> {
        lock(&self.0.ifs)
            .iter()
            .find(|port| port.name() == name)
            .cloned()
    }

    /// The endpoint opened last, to deliver packets to.
    pub fn encap(&self) -> Option<Arc<EncapPort>> {
        lock(&self.0.encaps).last().cloned()
    }
}
