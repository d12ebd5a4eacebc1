// SPDX-License-Identifier: BSD-2-Clause
//! The modules that are linked in: one line each.

use kpi_sys::kpi_module;

/// Name and descriptor of every module.
pub fn modules() -> [(&'static str, &'static kpi_module); 2] {
    [
        // By name
        ("if_l2tp", if_l2tp::MODULE.raw()),
        ("iipf", iipf::MODULE.raw()),
    ]
}

/// Their names.
pub fn names() -> Vec<&'static str> {
    modules().iter().map(|m| m.0).collect()
}
