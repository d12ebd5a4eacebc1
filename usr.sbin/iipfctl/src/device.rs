// SPDX-License-Identifier: BSD-2-Clause
//! The way to iipf: its device in some kernel.

use iipf_abi::IIPF_DEVICE;
use kabi::kstat::{Record, Records};
use kabi::{Ioctl, Pod};
use libkctl::{Errno, Error, Kernel};

/// What takes iipf's commands.
pub(crate) trait Device {
    /// One command.
    fn call<Rq: Pod, Rs: Pod>(&mut self, c: &Ioctl<Rq, Rs>, rq: &Rq) -> Result<Rs, Error>;
    /// Name, class, value and description of each counter.
    fn counters(&mut self) -> Result<Vec<Counter>, Error>;
}

/// One counter, as kstat(8) shows it.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub name: String,
    pub class: &'static str,
    pub value: u64,
    pub description: String,
}

impl Device for Kernel {
    fn call<Rq: Pod, Rs: Pod>(&mut self, c: &Ioctl<Rq, Rs>, rq: &Rq) -> Result<Rs, Error> {
        self.dev_ioctl(IIPF_DEVICE, c, rq)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, Error> {
        let bytes = self.kstat_read(IIPF_DEVICE)?;
        let mut all = Vec::new();
        for record in Records::new(&bytes) {
            let record = record.map_err(|e| Error::Protocol(format!("kstat: {e}")))?;
            if let Record::Counter {
                name,
                desc,
                class,
                value,
            } = record
            {
                all.push(Counter {
                    name: printable(name),
                    class: class.name(),
                    value,
                    description: printable(desc),
                });
            }
        }
        Ok(all)
    }
}

/// What a kernel says goes to a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// What a refusal means.
pub(crate) fn explain(doing: &str, e: Error) -> String {
    let Error::Errno { errno, text } = &e else {
        return e.to_string();
    };
    if !text.is_empty() {
        return format!("{doing}: {}", printable(text));
    }
    let why = match *errno {
        Errno::ENXIO | Errno::ENODEV => "iipf is not loaded here; load it as iipf(4) says",
        Errno::EPERM | Errno::EACCES => "only the superuser may do this",
        Errno::ENOTTY | Errno::EOPNOTSUPP => "this kernel's iipf does not do that",
        _ => return format!("{doing}: {errno}"),
    };
    format!("{doing}: {why} ({})", errno.name())
}
