// SPDX-License-Identifier: BSD-2-Clause
//! The conditions of an anchor and of a rule in it, as one.

use crate::ast::{Addr, Host, Match, On, Ports, is_group};
use crate::expand::family_of;
use crate::print;
use std::net::IpAddr;

/// What became of two conditions.
pub(crate) enum Both<T> {
    /// They are this one.
    One(T),
    /// Nothing meets both.
    Nothing,
    /// One record cannot say both.
    Unsaid(String),
}

use Both::{Nothing, One, Unsaid};

/// Everything that meets `outer` and `inner`.
pub(crate) fn merge(outer: &Match, inner: &Match) -> Both<Match> {
    macro_rules! part {
        ($e:expr) => {
            match $e {
                One(v) => v,
                Nothing => return Nothing,
                Unsaid(what) => return Unsaid(what),
            }
        };
    }
    let m = Match {
        dir: part!(equal(&outer.dir, &inner.dir)),
        on: part!(on(outer.on.as_ref(), inner.on.as_ref())),
        af: part!(equal(&outer.af, &inner.af)),
        proto: part!(equal(&outer.proto, &inner.proto)),
        src: part!(host(&outer.src, &inner.src)),
        sport: part!(ports(outer.sport, inner.sport)),
        dst: part!(host(&outer.dst, &inner.dst)),
        dport: part!(ports(outer.dport, inner.dport)),
        flags: inner.flags,
        icmp: inner.icmp,
        dscp: part!(equal(&outer.dscp, &inner.dscp)),
        fragment: outer.fragment || inner.fragment,
        tagged: part!(tagged(&outer.tagged, &inner.tagged)),
        probability: inner.probability,
    };
    let families = [m.af, family_of(&m.src), family_of(&m.dst)];
    let mut families = families.into_iter().flatten();
    let first = families.next();
    if families.any(|af| Some(af) != first) {
        return Nothing;
    }
    One(Match { af: first, ..m })
}

fn equal<T: Copy + PartialEq>(a: &Option<T>, b: &Option<T>) -> Both<Option<T>> {
    match (a, b) {
        (Some(x), Some(y)) if x != y => Nothing,
        (x, y) => One(x.or(*y)),
    }
}

fn tagged(a: &Option<(bool, String)>, b: &Option<(bool, String)>) -> Both<Option<(bool, String)>> {
    match (a, b) {
        (None, x) | (x, None) => One(x.clone()),
        (Some(x), Some(y)) if x == y => One(Some(x.clone())),
        (Some((false, x)), Some((true, y))) | (Some((true, y)), Some((false, x))) => {
            if x == y {
                Nothing
            } else {
                One(Some((false, x.clone())))
            }
        }
        (Some((false, _)), Some((false, _))) => Nothing,
        (Some((_, x)), Some((_, y))) => Unsaid(format!("! tagged \"{x}\" and ! tagged \"{y}\"")),
    }
}

/// Whether `group` has the interface or group `name` in it.
fn covers(group: &str, name: &str) -> bool {
    let rest = name.strip_prefix(group);
    group == name
        || is_group(group)
            && rest.is_some_and(|r| !r.is_empty() && r.bytes().all(|b| b.is_ascii_digit()))
}

fn on(a: Option<&On>, b: Option<&On>) -> Both<Option<On>> {
    let (Some(a), Some(b)) = (a, b) else {
        return One(a.or(b).cloned());
    };
    let whole = |x: &On| One(Some(x.clone()));
    match (a.neg, b.neg) {
        (false, false) if covers(&a.name, &b.name) => whole(b),
        (false, false) if covers(&b.name, &a.name) => whole(a),
        (false, false) => Nothing,
        (true, true) if covers(&a.name, &b.name) => whole(a),
        (true, true) if covers(&b.name, &a.name) => whole(b),
        (true, true) => Unsaid(format!("on ! {} and on ! {}", a.name, b.name)),
        (true, false) => less(b, a),
        (false, true) => less(a, b),
    }
}

/// `one` without `not`.
fn less(one: &On, not: &On) -> Both<Option<On>> {
    if covers(&not.name, &one.name) {
        return Nothing;
    }
    if covers(&one.name, &not.name) {
        return Unsaid(format!("on {} and on ! {}", one.name, not.name));
    }
    One(Some(one.clone()))
}

fn host(a: &Host, b: &Host) -> Both<Host> {
    if *a == Host::ANY || a == b {
        return One(b.clone());
    }
    if *b == Host::ANY {
        return One(a.clone());
    }
    if a.addr == b.addr {
        // One is the other's negation.
        return Nothing;
    }
    let unsaid = || Unsaid(format!("{} and {}", print::host(a), print::host(b)));
    let (Addr::Range(a0, a1), Addr::Range(b0, b1)) = (&a.addr, &b.addr) else {
        return unsaid();
    };
    let same_family = a0.is_ipv4() == b0.is_ipv4();
    let apart = !same_family || a1 < b0 || b1 < a0;
    match (a.neg, b.neg) {
        (false, false) if apart => Nothing,
        (false, false) => One(range(*a0.max(b0), *a1.min(b1))),
        (false, true) if apart => One(a.clone()),
        (true, false) if apart => One(b.clone()),
        (false, true) if within((a0, a1), (b0, b1)) => Nothing,
        (true, false) if within((b0, b1), (a0, a1)) => Nothing,
        _ => unsaid(),
    }
}

fn within(inner: (&IpAddr, &IpAddr), outer: (&IpAddr, &IpAddr)) -> bool {
    inner.0 >= outer.0 && inner.1 <= outer.1
}

fn range(lo: IpAddr, hi: IpAddr) -> Host {
    Host {
        neg: false,
        addr: Addr::Range(lo, hi),
    }
}

fn ports(a: Ports, b: Ports) -> Both<Ports> {
    match (a, b) {
        (Ports::Any, x) | (x, Ports::Any) => One(x),
        (Ports::In(a0, a1), Ports::In(b0, b1)) => {
            let (lo, hi) = (a0.max(b0), a1.min(b1));
            if lo <= hi {
                One(Ports::In(lo, hi))
            } else {
                Nothing
            }
        }
        (x, y) if x == y => One(x),
        (Ports::In(lo, hi), Ports::Out(x, y)) | (Ports::Out(x, y), Ports::In(lo, hi)) => {
            match (lo >= x, hi <= y) {
                (true, true) => Nothing,
                (true, false) => One(Ports::In(lo.max(y.saturating_add(1)), hi)),
                (false, true) => One(Ports::In(lo, hi.min(x.saturating_sub(1)))),
                (false, false) => Unsaid(format!("ports {lo}:{hi} but {x}:{y}")),
            }
        }
        (Ports::Out(..), Ports::Out(..)) => Unsaid(format!(
            "port {} and port {}",
            print::ports(a),
            print::ports(b)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Item;

    fn of(rule: &str) -> Match {
        let config = crate::parse_text(&format!("block {rule}\n"), "t").unwrap();
        match &config.items[0] {
            Item::Rule(r) => r.m.clone(),
            Item::Anchor(_) => panic!("a rule"),
        }
    }

    fn both(a: &str, b: &str) -> String {
        let (m, n) = (of(a), of(b));
        let show = |m: Both<Match>| match m {
            One(m) => format!("{} {} {}", print::host(&m.src), print::ports(m.dport), {
                m.on.map_or(String::new(), |on| {
                    format!("{}{}", if on.neg { "!" } else { "" }, on.name)
                })
            })
            .trim()
            .to_owned(),
            Nothing => "nothing".into(),
            Unsaid(what) => format!("unsaid: {what}"),
        };
        let (x, y) = (show(merge(&m, &n)), show(merge(&n, &m)));
        if !x.starts_with("unsaid") {
            assert_eq!(x, y, "{a}, {b}");
        }
        x
    }

    #[test]
    fn ranges_are_cut() {
        assert_eq!(both("from 10.0.0.0/8", "from 10.1.0.0/16"), "10.1.0.0/16");
        assert_eq!(both("from 10.0.0.0/8", "from 11.1.0.0/16"), "nothing");
        assert_eq!(both("from 10.0.0.0/8", "from 2001:db8::/32"), "nothing");
        assert_eq!(both("from 10.1.0.0/16", "from ! 10.0.0.0/8"), "nothing");
        assert_eq!(both("from 12.1.0.0/16", "from ! 10.0.0.0/8"), "12.1.0.0/16");
        assert!(both("from 10.0.0.0/8", "from ! 10.1.0.0/16").starts_with("unsaid"));
        assert!(both("from (wan0)", "from 10.1.0.0/16").starts_with("unsaid"));
    }

    #[test]
    fn ports_are_cut() {
        let tcp = |p: &str| format!("proto tcp to any port {p}");
        assert_eq!(both(&tcp("1:100"), &tcp("50:200")), "any 50:100");
        assert_eq!(both(&tcp("1:100"), &tcp("!= 100")), "any 1:99");
        assert_eq!(both(&tcp("1:100"), &tcp("1 <> 100")), "nothing");
        assert!(both(&tcp("1:100"), &tcp("!= 50")).starts_with("unsaid"));
    }

    #[test]
    fn interfaces_and_their_groups() {
        assert_eq!(both("on wan", "on wan0"), "any  wan0");
        assert_eq!(both("on wan0", "on lan0"), "nothing");
        assert_eq!(both("on wan0", "on ! wan0"), "nothing");
        assert_eq!(both("on wan0", "on ! lan"), "any  wan0");
        assert!(both("on wan", "on ! wan0").starts_with("unsaid"));
    }
}
