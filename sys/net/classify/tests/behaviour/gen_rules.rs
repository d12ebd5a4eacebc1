// SPDX-License-Identifier: BSD-2-Clause
//! Random rulesets, and packets that are likely to meet their edges.

use classify::*;

/// A small generator; the seed says it all.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n.max(1)
    }

    pub fn byte(&mut self) -> u8 {
        (self.next() >> 20) as u8
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// How wild rules are.
#[derive(Clone, Copy)]
pub struct Style {
    /// One in this many rules cares about a given field.
    pub cares: u64,
    /// Distinct values of a field.
    pub values: u64,
    /// One in this many conditions is negated.
    pub not: u64,
    /// Whether anchors, tables and interfaces occur.
    pub fancy: bool,
    /// Whether most ranges lie around a common middle, so that they overlap.
    pub nested: bool,
}

pub struct Ruleset {
    pub rules: Vec<Rule>,
    pub anchors: Vec<Anchor>,
}

/// Tables by a rule of thumb: number n has the addresses whose low bits are n.
pub struct Modulo;

impl Tables for Modulo {
    fn contains(&self, table: u16, _af: Af, addr: u128) -> bool {
        addr % 5 == u128::from(table)
    }
}

/// A range around `middle`; of one in three both ends are equally far.
fn around(r: &mut Rng, middle: u64) -> (u64, u64) {
    let low = r.below(middle + 1);
    let high = if r.one_in(3) {
        low
    } else {
        r.below(middle + 1)
    };
    (middle - low, middle + high)
}

fn addr(r: &mut Rng, s: &Style, af: Option<Af>) -> AddrMatch {
    if !r.one_in(s.cares) {
        return AddrMatch::ANY;
    }
    let base = match af {
        Some(Af::V6) => 0x2001_0db8_u128 << 96,
        _ => 0x0a00_0000,
    };
    let v = base + u128::from(r.below(s.values));
    if s.nested && !r.one_in(8) {
        let (lo, hi) = around(r, s.values);
        return AddrMatch {
            addr: Addr::Range(base + u128::from(lo), base + u128::from(hi)),
            not: r.one_in(s.not * 4),
        };
    }
    let addr = match r.below(8) {
        0 if s.fancy => Addr::Table(r.below(6) as u16),
        0..=2 => Addr::Range(v, v),
        3..=5 => Addr::prefix(af.unwrap_or(Af::V4), v, {
            let host = r.below(12) as u8;
            if af == Some(Af::V6) {
                128 - host
            } else {
                32 - host
            }
        }),
        6 => Addr::Range(v, v + u128::from(r.below(s.values))),
        _ => r.pick(&[
            Addr::Any,
            Addr::Range(0, u128::MAX),
            Addr::Range(v, v.saturating_sub(1)),
            Addr::Range(0, v),
            Addr::Range(v, u128::MAX),
            Addr::Range(v, u128::from(u32::MAX)),
        ]),
    };
    AddrMatch {
        addr,
        not: r.one_in(s.not),
    }
}

fn ports(r: &mut Rng, s: &Style) -> Ports {
    if !r.one_in(s.cares) {
        return Ports::ANY;
    }
    if s.nested && r.one_in(2) {
        let (lo, hi) = around(r, s.values.min(32_767));
        return Ports {
            lo: lo as u16,
            hi: hi as u16,
            not: r.one_in(s.not * 4),
        };
    }
    let lo = r.below(s.values.min(65_536)) as u16;
    let hi = match r.below(4) {
        0 | 1 => lo,
        2 => lo.saturating_add(r.below(s.values.min(65_535)) as u16),
        _ => r.pick(&[u16::MAX, 0, lo]),
    };
    Ports {
        lo,
        hi,
        not: r.one_in(s.not),
    }
}

pub fn conditions(r: &mut Rng, s: &Style) -> Match {
    let af = r.pick(&[None, Some(Af::V4), Some(Af::V4), Some(Af::V6)]);
    let mut m = Match {
        src: addr(r, s, af),
        dst: addr(r, s, af),
        sport: ports(r, s),
        dport: ports(r, s),
        af,
        ..Match::ANY
    };
    if r.one_in(s.cares) {
        m.proto = Some(r.pick(&[1, 6, 17, 58]));
    }
    if r.one_in(s.cares) {
        m.dir = Some(r.pick(&[Dir::In, Dir::Out]));
    }
    if r.one_in(s.cares) {
        let mask = r.pick(&[u32::MAX, u32::MAX, 7, 0]);
        m.mark = (r.below(4) as u32, mask);
    }
    if s.fancy {
        if r.one_in(s.cares) {
            m.ifaces = IfSet::one(r.below(12) as u8).with(r.below(256) as u8);
            if r.one_in(s.not) {
                m.ifaces = m.ifaces.not();
            }
        }
        if r.one_in(s.cares * 2) {
            m.tcp_flags = r.pick(&[(2, 0x12), (0, 4), (1, 0)]);
        }
        if r.one_in(s.cares * 2) {
            m.icmp = Some(Icmp {
                kind: r.below(3) as u8,
                code: r.pick(&[None, Some(0), Some(1)]),
            });
        }
        if r.one_in(s.cares * 2) {
            m.dscp = Some(r.below(3) as u8);
        }
        if r.one_in(s.cares * 2) {
            m.frags = r.below(8) as u8;
        }
        m.maybe = r.one_in(s.cares * 3);
    }
    m
}

fn fill(r: &mut Rng, s: &Style, n: usize, set: &mut Ruleset, anchor: Option<u16>, depth: u32) {
    let mut left = n;
    while left > 0 {
        if s.fancy && depth < 5 && left > 1 && r.one_in(6) {
            let body = 1 + r.below(left as u64 / 2 + 1) as usize;
            let number = set.anchors.len() as u16;
            let loose = Style {
                cares: s.cares * 4,
                ..*s
            };
            set.anchors.push(Anchor {
                when: if r.one_in(2) {
                    Match::ANY
                } else {
                    conditions(r, &loose)
                },
                quick: r.one_in(2),
                parent: anchor,
            });
            fill(r, s, body.min(left), set, Some(number), depth + 1);
            left -= body.min(left);
            continue;
        }
        let kind = r.pick(&[Kind::Last, Kind::Last, Kind::Quick, Kind::Note]);
        set.rules.push(Rule {
            when: conditions(r, s),
            kind,
            anchor,
        });
        left -= 1;
    }
}

/// `n` rules.
pub fn ruleset(r: &mut Rng, s: &Style, n: usize) -> Ruleset {
    let mut set = Ruleset {
        rules: Vec::new(),
        anchors: Vec::new(),
    };
    fill(r, s, n, &mut set, None, 0);
    set
}

fn near_addr(r: &mut Rng, m: &AddrMatch, af: Af) -> u128 {
    let any = match af {
        Af::V4 => 0x0a00_0000 + u128::from(r.below(64)),
        Af::V6 => (0x2001_0db8_u128 << 96) + u128::from(r.below(64)),
    };
    let a = match m.addr {
        Addr::Range(lo, hi) => {
            let middle = lo / 2 + hi / 2;
            let (below, above) = (lo.wrapping_sub(1), hi.wrapping_add(1));
            r.pick(&[lo, hi, below, above, middle, any])
        }
        _ => any,
    };
    if af == Af::V4 {
        a & u128::from(u32::MAX)
    } else {
        a
    }
}

fn near_port(r: &mut Rng, p: &Ports) -> u16 {
    let any = r.below(65_536) as u16;
    r.pick(&[p.lo, p.hi, p.lo.wrapping_sub(1), p.hi.wrapping_add(1), any])
}

/// A packet near one of the rules.
pub fn packet(r: &mut Rng, rules: &[Rule]) -> Fields {
    let m = if rules.is_empty() {
        Match::ANY
    } else {
        r.pick(rules).when
    };
    let af = match m.af {
        Some(af) if !r.one_in(20) => af,
        _ => r.pick(&[Af::V4, Af::V6]),
    };
    let other = if rules.is_empty() {
        Match::ANY
    } else {
        r.pick(rules).when
    };
    Fields {
        src: near_addr(r, &m.src, af),
        dst: if r.one_in(3) {
            near_addr(r, &other.dst, af)
        } else {
            near_addr(r, &m.dst, af)
        },
        mark: m.mark.0 | r.pick(&[0, 0, 8, 1]),
        sport: near_port(r, &m.sport),
        dport: near_port(r, &m.dport),
        af,
        dir: m.dir.unwrap_or_else(|| r.pick(&[Dir::In, Dir::Out])),
        iface: if r.one_in(8) {
            r.byte()
        } else {
            r.pick(&[0, 1, 2, 3, 7, 11, 12, 255])
        },
        proto: m.proto.unwrap_or_else(|| r.pick(&[1, 6, 17, 58, 47])),
        tcp_flags: r.pick(&[2, 0x12, 0x10, 4]),
        icmp_type: r.below(3) as u8,
        icmp_code: r.below(2) as u8,
        dscp: r.below(3) as u8,
        frag: r.pick(&[Frag::Whole, Frag::Whole, Frag::First, Frag::Later]),
    }
}
