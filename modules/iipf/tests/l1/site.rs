// SPDX-License-Identifier: BSD-2-Clause
//! One kernel with the module, a LAN and a WAN side, and rules given as records.

use host::kernel::Config;
use host::kernel::Kernel;
use host::pfiltest::Dir;
use host::pfiltest::PfilOut;
use host::wire::WireNet;
use iipf_abi as abi;
use kabi::FromBytes;
use kabi::Immutable;
use kabi::IntoBytes;
use kabi::Ioctl;
use kabi::Name;
use kabi::zerocopy::FromZeros;
use std::net::IpAddr;

#[path = "packets.rs"]
mod packets;

pub use packets::*;

/// Of the LAN.
pub const HOST: &str = "192.168.1.10";
pub const HOST2: &str = "192.168.1.20";
/// Of the WAN.
pub const OUTSIDE: &str = "203.0.113.1";
pub const SERVER: &str = "198.51.100.1";
pub const SERVER2: &str = "198.51.100.2";

pub fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

/// A kernel with the module loaded.
pub struct Site {
    pub kernel: Kernel,
}

/// A ruleset by hand.
#[derive(Default)]
pub struct Rules {
    pub ifaces: Vec<abi::IfaceRec>,
    pub pools: Vec<abi::PoolRec>,
    pub rules: Vec<abi::RuleRec>,
    pub tables: Vec<abi::TableRec>,
    /// With their table's index from 1, in order of that.
    pub addrs: Vec<abi::TableAddrRec>,
    pub options: abi::OptionsRec,
}

impl Rules {
    pub fn iface(&mut self, name: &str) -> u32 {
        if let Some(at) = self
            .ifaces
            .iter()
            .position(|i| i.name.as_str() == Some(name))
        {
            return at as u32 + 1;
        }
        self.ifaces.push(abi::IfaceRec {
            name: Name::new(name).unwrap(),
            ..Default::default()
        });
        self.ifaces.len() as u32
    }

    pub fn table(&mut self, name: &str, flags: u32) {
        self.tables.push(abi::TableRec {
            name: Name::new(name).unwrap(),
            flags,
            count: 0,
        });
    }

    fn push(&mut self, mut r: abi::RuleRec) -> &mut abi::RuleRec {
        let n = self.rules.len() as u32;
        r.id = u64::from(n) + 1;
        r.order = n;
        r.prio = n;
        r.stop = u32::MAX;
        self.rules.push(r);
        self.rules.last_mut().unwrap()
    }

    /// `pass` or `block`, quick, in direction `dir` on `on`.
    pub fn filter(&mut self, action: u8, dir: u8, on: &str) -> &mut abi::RuleRec {
        let iface = if on.is_empty() { 0 } else { self.iface(on) };
        let mut r = abi::RuleRec {
            action,
            ..Default::default()
        };
        r.m.dir = dir;
        r.m.iface = iface;
        if action == abi::IIPF_ACT_PASS {
            r.state.mode = abi::IIPF_STATE_KEEP;
        }
        self.push(r)
    }

    /// `nat on wan from 192.168.1.0/24 to any -> (wan)`
    pub fn nat(&mut self, filtering: u8, flags: u32) -> &mut abi::RuleRec {
        let iface = self.iface("wan0");
        self.pools.push(abi::PoolRec {
            kind: abi::IIPF_POOLADDR_IF,
            af: 2,
            index: iface,
            ..Default::default()
        });
        let mut r = abi::RuleRec {
            action: abi::IIPF_ACT_NAT,
            ..Default::default()
        };
        r.m.dir = 2;
        r.m.iface = iface;
        r.m.src = net("192.168.1.0", "192.168.1.255");
        r.nat.pool = self.pools.len() as u32;
        r.nat.pool_count = 1;
        r.nat.filtering = filtering;
        r.nat.flags = flags;
        self.push(r)
    }

    /// `rdr on wan0 proto tcp from any to addr port port -> to`
    pub fn rdr(&mut self, addr: &str, port: u16, to: &str) -> &mut abi::RuleRec {
        let iface = self.iface("wan0");
        let to = net(to, to);
        self.pools.push(abi::PoolRec {
            kind: abi::IIPF_POOLADDR_RANGE,
            af: 2,
            lo: to.lo,
            hi: to.hi,
            ..Default::default()
        });
        let mut r = abi::RuleRec {
            action: abi::IIPF_ACT_RDR,
            ..Default::default()
        };
        r.m.dir = 1;
        r.m.iface = iface;
        r.m.flags = abi::IIPF_M_PROTO;
        r.m.proto = 6;
        r.m.dst = net(addr, addr);
        r.m.dport.op = abi::IIPF_PORT_IN;
        (r.m.dport.lo, r.m.dport.hi) = (port, port);
        r.nat.pool = self.pools.len() as u32;
        r.nat.pool_count = 1;
        self.push(r)
    }
}

pub fn net(lo: &str, hi: &str) -> abi::AddrRec {
    let bytes = |s: &str| {
        let mut b = [0; 16];
        match ip(s) {
            IpAddr::V4(a) => b[..4].copy_from_slice(&a.octets()),
            IpAddr::V6(a) => b = a.octets(),
        }
        b
    };
    abi::AddrRec {
        kind: abi::IIPF_ADDR_RANGE,
        af: if lo.contains(':') { 10 } else { 2 },
        lo: bytes(lo),
        hi: bytes(hi),
        ..Default::default()
    }
}

impl Site {
    pub fn new() -> Site {
        let kernel = Kernel::new(Config::test("iipf", &WireNet::new(1)));
        kernel.pfil_if("lan0", &[(ip("192.168.1.1"), 24)]).unwrap();
        kernel.pfil_if("wan0", &[(ip(OUTSIDE), 24)]).unwrap();
        kernel.load(iipf::MODULE.raw()).unwrap();
        Site { kernel }
    }

    /// A command that may be refused.
    pub fn try_call<Rq, Rs>(&self, c: &Ioctl<Rq, Rs>, rq: &Rq) -> Result<Rs, i32>
    where
        Rq: kabi::Pod + IntoBytes + Immutable,
        Rs: kabi::Pod + FromBytes,
    {
        let mut data = vec![0; c.size()];
        data[..size_of::<Rq>()].copy_from_slice(rq.as_bytes());
        self.kernel
            .dev_ioctl("iipf", c.cmd, &mut data)
            .map_err(|e| e.0)?;
        Ok(Rs::read_from_bytes(&data[..size_of::<Rs>()]).unwrap())
    }

    /// A command that is not.
    pub fn ask<Rq, Rs>(&self, c: &Ioctl<Rq, Rs>, rq: &Rq) -> Rs
    where
        Rq: kabi::Pod + IntoBytes + Immutable,
        Rs: kabi::Pod + FromBytes,
    {
        self.try_call(c, rq).unwrap()
    }

    /// All states that a filter means.
    pub fn states(&self, filter: abi::StateFilter) -> Vec<abi::StateInfo> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            let rq = abi::StateListReq { cursor, filter };
            let page = self.ask(&abi::IIPFLISTSTATES, &rq);
            all.extend(&page.states[..page.count as usize]);
            cursor = page.cursor;
            if cursor == 0 {
                return all;
            }
        }
    }

    /// All mappings.
    pub fn maps(&self) -> Vec<abi::MapInfo> {
        let (mut all, mut cursor) = (Vec::new(), 0);
        loop {
            let page = self.ask(&abi::IIPFLISTMAPS, &abi::Cursor { cursor });
            all.extend(&page.maps[..page.count as usize]);
            cursor = page.cursor;
            if cursor == 0 {
                return all;
            }
        }
    }

    /// So many seconds later.
    pub fn later(&self, secs: u64) {
        for _ in 0..secs {
            self.kernel.advance(1_000_000_000);
        }
    }

    /// Loads rules: what the kernel said.
    pub fn load(&self, rules: &Rules) -> abi::LoadReply {
        self.load_with(rules, 0)
    }

    /// The same, with flags for the commit.
    pub fn load_with(&self, rules: &Rules, flags: u32) -> abi::LoadReply {
        self.attempt(rules, flags).unwrap()
    }

    /// A load that may fail on its way: an errno, or a reply with an error.
    pub fn attempt(&self, rules: &Rules, flags: u32) -> Result<abi::LoadReply, i32> {
        let mut counts = [0; abi::IIPF_KINDS];
        counts[abi::IIPF_KIND_IFACE as usize] = rules.ifaces.len() as u32;
        counts[abi::IIPF_KIND_OPTIONS as usize] = 1;
        counts[abi::IIPF_KIND_POOL as usize] = rules.pools.len() as u32;
        counts[abi::IIPF_KIND_TABLE as usize] = rules.tables.len() as u32;
        counts[abi::IIPF_KIND_TABLE_ADDR as usize] = rules.addrs.len() as u32;
        counts[abi::IIPF_KIND_RULE as usize] = rules.rules.len() as u32;
        let begin = abi::BeginReq {
            version: abi::IIPF_VERSION,
            counts,
        };
        let ticket = self.try_call(&abi::IIPFBEGIN, &begin)?.ticket;
        let sorts = [
            self.add(ticket, abi::IIPF_KIND_IFACE, &rules.ifaces)?,
            self.add(ticket, abi::IIPF_KIND_TABLE, &rules.tables)?,
            self.add(ticket, abi::IIPF_KIND_TABLE_ADDR, &rules.addrs)?,
            self.add(ticket, abi::IIPF_KIND_OPTIONS, &[rules.options])?,
            self.add(ticket, abi::IIPF_KIND_POOL, &rules.pools)?,
            self.add(ticket, abi::IIPF_KIND_RULE, &rules.rules)?,
        ];
        if let Some(bad) = sorts.into_iter().find(|r| r.error != 0) {
            return Ok(bad);
        }
        let commit = abi::CommitReq {
            ticket,
            flags,
            ..Default::default()
        };
        self.try_call(&abi::IIPFCOMMIT, &commit)
    }

    fn add<T>(&self, ticket: u64, kind: u32, all: &[T]) -> Result<abi::LoadReply, i32>
    where
        T: IntoBytes + Immutable,
    {
        let each = abi::IIPF_CHUNK / size_of::<T>();
        for (n, some) in all.chunks(each).enumerate() {
            let mut chunk = abi::Chunk::new_zeroed();
            chunk.ticket = ticket;
            chunk.kind = kind;
            chunk.count = some.len() as u32;
            chunk.first = (n * each) as u32;
            let bytes = some.as_bytes();
            chunk.data[..bytes.len()].copy_from_slice(bytes);
            let reply = self.try_call(&abi::IIPFADD, &chunk)?;
            if reply.error != 0 {
                return Ok(reply);
            }
        }
        Ok(abi::LoadReply::default())
    }

    pub fn run(&self, on: &str, dir: Dir, packet: &[u8]) -> PfilOut {
        self.kernel.pfil_run(on, dir, packet, 0).unwrap()
    }

    /// Out by the WAN: what leaves.
    pub fn out(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.run("wan0", Dir::Out, packet).passed
    }

    /// In from the WAN: what the system gets.
    pub fn back(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.run("wan0", Dir::In, packet).passed
    }

    pub fn end(self) {
        self.kernel.shutdown().unwrap();
    }
}

impl Site {
    /// Its states.
    pub fn export(&self) -> abi::Export {
        let req = abi::ExportReq {
            version: abi::IIPF_EXPORT_VERSION,
            ..Default::default()
        };
        self.ask(&abi::IIPFEXPORT, &req)
    }

    /// Takes over those of another kernel with the same rules.
    pub fn import(&self, states: &mut abi::Export) -> abi::ImportReply {
        states.cursor = 0;
        self.ask(&abi::IIPFIMPORT, states)
    }

    /// All counters and gauges.
    pub fn snapshot(&self) -> testkit::Snapshot {
        let mut all = testkit::Snapshot::new();
        let read =
            |cursor: &mut u64, buf: &mut [u8]| self.kernel.kstat_read("iipf", cursor, buf).unwrap();
        for buffer in testkit::counters::read_all(4096, read) {
            all.add_records(&buffer);
        }
        all
    }
}
