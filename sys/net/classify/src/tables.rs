// SPDX-License-Identifier: BSD-2-Clause
//! How rules reach the tables that they name.

use crate::fields::Af;

/// Address tables, by number.
pub trait Tables {
    /// Whether the table has the address. A table that is not there has none.
    fn contains(&self, table: u16, af: Af, addr: u128) -> bool;
}

/// No tables at all.
pub struct NoTables;

impl Tables for NoTables {
    fn contains(&self, _table: u16, _af: Af, _addr: u128) -> bool {
        false
    }
}
