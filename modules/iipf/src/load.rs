// SPDX-License-Identifier: BSD-2-Clause
//! A load under way: records as they come in, each sort whole before the next, checked against
//! what came before. Nothing of what runs is touched.

use iipf_abi as abi;
use kabi::FromBytes;
use kabi::Immutable;
use kabi::KnownLayout;
use kern::cx::MaySleep;
use kern::mem::KVec;

/// What is wrong, as [`abi::LoadReply`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// `IIPF_LE_*`
    pub error: u32,
    /// `IIPF_KIND_*`
    pub kind: u32,
    /// Which record, from 0.
    pub index: u32,
}

impl Wrong {
    pub fn new(error: u32, kind: u32, index: usize) -> Wrong {
        Wrong {
            error,
            kind,
            index: u32::try_from(index).unwrap_or(u32::MAX),
        }
    }
}

/// The most records of each sort, by `IIPF_KIND_*`.
const MOST: [u32; abi::IIPF_KINDS] = [
    131_072,
    abi::IIPF_IFACES_MAX as u32,
    1_024,
    4_194_304,
    1,
    1_024,
    65_535,
    65_535,
    65_535,
];

/// Records so far.
pub(crate) struct Load {
    pub ticket: u64,
    counts: [u32; abi::IIPF_KINDS],
    pub names: KVec<abi::NameRec>,
    pub ifaces: KVec<abi::IfaceRec>,
    pub tables: KVec<abi::TableRec>,
    pub addrs: KVec<abi::TableAddrRec>,
    pub options: KVec<abi::OptionsRec>,
    pub timeouts: KVec<abi::TimeoutsRec>,
    pub pools: KVec<abi::PoolRec>,
    pub anchors: KVec<abi::AnchorRec>,
    pub rules: KVec<abi::RuleRec>,
}

impl Load {
    /// Begins; None: another version, absurd counts, or not exactly one record of options.
    pub fn new(ticket: u64, req: &abi::BeginReq) -> Option<Load> {
        let fits = req.counts.iter().zip(&MOST).all(|(n, most)| n <= most);
        let options = req.counts.get(abi::IIPF_KIND_OPTIONS as usize) == Some(&1);
        if req.version != abi::IIPF_VERSION || !fits || !options {
            return None;
        }
        Some(Load {
            ticket,
            counts: req.counts,
            names: KVec::new(),
            ifaces: KVec::new(),
            tables: KVec::new(),
            addrs: KVec::new(),
            options: KVec::new(),
            timeouts: KVec::new(),
            pools: KVec::new(),
            anchors: KVec::new(),
            rules: KVec::new(),
        })
    }

    fn have(&self, kind: u32) -> usize {
        match kind {
            abi::IIPF_KIND_NAME => self.names.len(),
            abi::IIPF_KIND_IFACE => self.ifaces.len(),
            abi::IIPF_KIND_TABLE => self.tables.len(),
            abi::IIPF_KIND_TABLE_ADDR => self.addrs.len(),
            abi::IIPF_KIND_OPTIONS => self.options.len(),
            abi::IIPF_KIND_TIMEOUTS => self.timeouts.len(),
            abi::IIPF_KIND_POOL => self.pools.len(),
            abi::IIPF_KIND_ANCHOR => self.anchors.len(),
            abi::IIPF_KIND_RULE => self.rules.len(),
            _ => 0,
        }
    }

    fn want(&self, kind: u32) -> usize {
        self.counts.get(kind as usize).map_or(0, |&n| n as usize)
    }

    /// Whether all sorts before `kind` are whole.
    fn in_order(&self, kind: u32) -> bool {
        (0..kind).all(|k| self.have(k) == self.want(k))
    }

    /// Takes a chunk in.
    pub fn add<C: MaySleep>(&mut self, cx: &mut C, c: &abi::Chunk) -> Result<(), Wrong> {
        let kind = c.kind;
        let have = self.have(kind);
        let wrong = |error| Wrong::new(error, kind, have);
        if kind as usize >= abi::IIPF_KINDS || !self.in_order(kind) || c.first as usize != have {
            return Err(wrong(abi::IIPF_LE_KIND));
        }
        let room = self.want(kind).saturating_sub(have);
        if c.count as usize > room {
            return Err(wrong(abi::IIPF_LE_KIND));
        }
        if c.total != 0 || c.generation != 0 {
            return Err(wrong(abi::IIPF_LE_VALUE));
        }
        let (n, data) = (c.count as usize, &c.data[..]);
        let taken = match kind {
            abi::IIPF_KIND_NAME => take(cx, &mut self.names, n, data),
            abi::IIPF_KIND_IFACE => take(cx, &mut self.ifaces, n, data),
            abi::IIPF_KIND_TABLE => take(cx, &mut self.tables, n, data),
            abi::IIPF_KIND_TABLE_ADDR => take(cx, &mut self.addrs, n, data),
            abi::IIPF_KIND_OPTIONS => take(cx, &mut self.options, n, data),
            abi::IIPF_KIND_TIMEOUTS => take(cx, &mut self.timeouts, n, data),
            abi::IIPF_KIND_POOL => take(cx, &mut self.pools, n, data),
            abi::IIPF_KIND_ANCHOR => take(cx, &mut self.anchors, n, data),
            _ => take(cx, &mut self.rules, n, data),
        };
        taken.map_err(wrong)
    }

    /// Whether everything announced has come.
    pub fn complete(&self) -> Result<(), Wrong> {
        let kinds = 0..abi::IIPF_KINDS as u32;
        match kinds.into_iter().find(|&k| self.have(k) != self.want(k)) {
            Some(kind) => Err(Wrong::new(abi::IIPF_LE_MISSING, kind, self.have(kind))),
            None => Ok(()),
        }
    }
}

/// `n` records off the front of `data`; the error is an `IIPF_LE_*`.
fn take<C, T>(cx: &mut C, to: &mut KVec<T>, n: usize, data: &[u8]) -> Result<(), u32>
where
    C: MaySleep,
    T: FromBytes + Immutable + KnownLayout + Copy,
{
    let size = size_of::<T>();
    for i in 0..n {
        let from = i.saturating_mul(size);
        let bytes = data.get(from..from.saturating_add(size));
        let record = bytes.and_then(|b| T::read_from_bytes(b).ok());
        let record = record.ok_or(abi::IIPF_LE_VALUE)?;
        to.push(cx, record).map_err(|_| abi::IIPF_LE_MEMORY)?;
    }
    Ok(())
}
