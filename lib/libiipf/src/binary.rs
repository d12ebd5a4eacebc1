// SPDX-License-Identifier: BSD-2-Clause
//! A ruleset as the kernel takes it.

use iipf_abi::{
    AnchorRec, Chunk, IIPF_CHUNK, IIPF_KIND_ANCHOR, IIPF_KIND_IFACE, IIPF_KIND_NAME,
    IIPF_KIND_OPTIONS, IIPF_KIND_POOL, IIPF_KIND_RULE, IIPF_KIND_TABLE, IIPF_KIND_TABLE_ADDR,
    IIPF_KIND_TIMEOUTS, IIPF_KINDS, IfaceRec, NameRec, OptionsRec, PoolRec, RuleRec, TableAddrRec,
    TableRec, TimeoutsRec,
};
use kabi::zerocopy::FromZeros;
use kabi::{IntoBytes, Pod, read_pod};

/// Records of each sort.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruleset {
    /// `IIPF_KIND_NAME`
    pub names: Vec<NameRec>,
    /// `IIPF_KIND_IFACE`
    pub ifaces: Vec<IfaceRec>,
    /// `IIPF_KIND_TABLE`
    pub tables: Vec<TableRec>,
    /// `IIPF_KIND_TABLE_ADDR`
    pub addrs: Vec<TableAddrRec>,
    /// `IIPF_KIND_OPTIONS`
    pub options: OptionsRec,
    /// `IIPF_KIND_TIMEOUTS`
    pub timeouts: Vec<TimeoutsRec>,
    /// `IIPF_KIND_POOL`
    pub pools: Vec<PoolRec>,
    /// `IIPF_KIND_ANCHOR`
    pub anchors: Vec<AnchorRec>,
    /// `IIPF_KIND_RULE`
    pub rules: Vec<RuleRec>,
}

fn cut<T: Pod>(kind: u32, all: &[T], out: &mut Vec<Chunk>) {
    let most = IIPF_CHUNK / size_of::<T>();
    let mut first = 0u32;
    for some in all.chunks(most) {
        let mut chunk = Chunk::new_zeroed();
        chunk.kind = kind;
        chunk.first = first;
        chunk.count = some.len() as u32;
        let bytes = some.as_bytes();
        chunk.data[..bytes.len()].copy_from_slice(bytes);
        out.push(chunk);
        first += some.len() as u32;
    }
}

fn put<T: Pod>(chunk: &Chunk, into: &mut Vec<T>) -> bool {
    let mut rest = &chunk.data[..];
    for _ in 0..chunk.count {
        let Some(record) = read_pod::<T>(rest) else {
            return false;
        };
        into.push(record);
        rest = &rest[size_of::<T>()..];
    }
    true
}

impl Ruleset {
    /// How many records of each sort there are.
    #[must_use]
    pub fn counts(&self) -> [u32; IIPF_KINDS] {
        [
            self.names.len(),
            self.ifaces.len(),
            self.tables.len(),
            self.addrs.len(),
            1,
            self.timeouts.len(),
            self.pools.len(),
            self.anchors.len(),
            self.rules.len(),
        ]
        .map(|n| n as u32)
    }

    /// As they are loaded, in order; tickets are 0.
    #[must_use]
    pub fn chunks(&self) -> Vec<Chunk> {
        let mut out = Vec::new();
        cut(IIPF_KIND_NAME, &self.names, &mut out);
        cut(IIPF_KIND_IFACE, &self.ifaces, &mut out);
        cut(IIPF_KIND_TABLE, &self.tables, &mut out);
        cut(IIPF_KIND_TABLE_ADDR, &self.addrs, &mut out);
        cut(IIPF_KIND_OPTIONS, &[self.options], &mut out);
        cut(IIPF_KIND_TIMEOUTS, &self.timeouts, &mut out);
        cut(IIPF_KIND_POOL, &self.pools, &mut out);
        cut(IIPF_KIND_ANCHOR, &self.anchors, &mut out);
        cut(IIPF_KIND_RULE, &self.rules, &mut out);
        out
    }

    /// Adds what was read back; false: it is none of our records.
    #[must_use]
    pub fn add(&mut self, chunk: &Chunk) -> bool {
        match chunk.kind {
            IIPF_KIND_NAME => put(chunk, &mut self.names),
            IIPF_KIND_IFACE => put(chunk, &mut self.ifaces),
            IIPF_KIND_TABLE => put(chunk, &mut self.tables),
            IIPF_KIND_TABLE_ADDR => put(chunk, &mut self.addrs),
            IIPF_KIND_OPTIONS => {
                let mut one = Vec::new();
                let good = put(chunk, &mut one);
                if let Some(options) = one.first() {
                    self.options = *options;
                }
                good
            }
            IIPF_KIND_TIMEOUTS => put(chunk, &mut self.timeouts),
            IIPF_KIND_POOL => put(chunk, &mut self.pools),
            IIPF_KIND_ANCHOR => put(chunk, &mut self.anchors),
            IIPF_KIND_RULE => put(chunk, &mut self.rules),
            _ => false,
        }
    }
}
