// SPDX-License-Identifier: BSD-2-Clause
//! The order in which rules decide, from the order in which they stand.
//!
//! A rule's *rank* is its place in a list of which the first match decides: what is `quick` first,
//! in order, then the rest backwards. A `quick` anchor is one item of the list around it, with
//! such an order of its own within.

use kern::cx::MaySleep;
use kern::mem::KVec;

use crate::error::Refused;
use crate::rule::Anchor;
use crate::rule::Kind;
use crate::rule::Rule;

/// Anchors within anchors.
const MAX_DEPTH: usize = 64;
/// Rules, and anchors.
const MAX_RULES: usize = 65_535;
/// The main ruleset, where an anchor's number is expected.
const MAIN: u16 = u16::MAX;

/// The deciding rules by rank, and the notes in order.
pub struct Order {
    /// Numbers of `Last` and `Quick` rules by rank.
    pub deciding: KVec<u32>,
    /// Numbers of `Note` rules.
    pub notes: KVec<u32>,
    /// For each rule the number of the first one that is not looked at once it has decided.
    pub stops: KVec<u32>,
}

fn place(anchor: Option<u16>) -> u16 {
    anchor.unwrap_or(MAIN)
}

fn parent(anchors: &[Anchor], anchor: u16) -> u16 {
    place(anchors.get(usize::from(anchor)).and_then(|a| a.parent))
}

/// The anchors that are open at a rule.
struct Open {
    /// From the outermost to the innermost.
    path: [u16; MAX_DEPTH],
    depth: usize,
}

impl Open {
    fn innermost(&self) -> u16 {
        let last = self.depth.checked_sub(1);
        last.and_then(|d| self.path.get(d)).copied().unwrap_or(MAIN)
    }
}

/// Checks that the list of anchors is a forest, parents first, and not too deep.
fn check(rules: &[Rule], anchors: &[Anchor]) -> Result<(), Refused> {
    if rules.len() > MAX_RULES {
        return Err(Refused::Rules);
    }
    if anchors.len() > MAX_RULES {
        return Err(Refused::Anchors);
    }
    for (i, anchor) in anchors.iter().enumerate() {
        if anchor.parent.is_some_and(|p| usize::from(p) >= i) {
            return Err(Refused::Anchors);
        }
        let mut depth = 1;
        let mut up = place(anchor.parent);
        while up != MAIN {
            depth += 1;
            up = parent(anchors, up);
            if depth > MAX_DEPTH {
                return Err(Refused::Depth);
            }
        }
    }
    let known = |r: &Rule| r.anchor.is_none_or(|a| usize::from(a) < anchors.len());
    if rules.iter().all(known) {
        Ok(())
    } else {
        Err(Refused::Anchors)
    }
}

/// Where the rules of each anchor start and end, and those of anchors within it.
fn extents<C: MaySleep>(
    cx: &mut C,
    rules: &[Rule],
    anchors: &[Anchor],
) -> Result<KVec<(u32, u32)>, Refused> {
    let mut extents = KVec::from_fn(cx, anchors.len(), |_| (u32::MAX, 0))?;
    for (i, rule) in (0u32..).zip(rules) {
        let mut at = place(rule.anchor);
        while let Some(e) = extents.get_mut(usize::from(at)) {
            e.0 = e.0.min(i);
            // A gap: rules of somebody else stood between.
            if e.1 != 0 && e.1 != i {
                return Err(Refused::Scattered(i));
            }
            e.1 = i + 1;
            at = parent(anchors, at);
        }
    }
    Ok(extents)
}

/// The order of the rules.
///
/// Each list is filled from both ends: `front` is where its next `quick` item goes, `back` where
/// its next other one went. Both ends of a `quick` anchor's part are known when it is entered,
/// since its part has as many places as it has deciding rules.
pub fn order<C: MaySleep>(
    cx: &mut C,
    rules: &[Rule],
    anchors: &[Anchor],
) -> Result<Order, Refused> {
    check(rules, anchors)?;
    let extents = extents(cx, rules, anchors)?;
    let decides = |r: &&Rule| r.kind != Kind::Note;
    let deciding = rules.iter().filter(decides).count();
    let mut order = Order {
        deciding: KVec::from_fn(cx, deciding, |_| 0)?,
        notes: KVec::with_capacity(cx, rules.len() - deciding)?,
        stops: KVec::from_fn(cx, rules.len(), |_| u32::MAX)?,
    };
    // The list that each anchor's rules go to: `quick` anchors have their own.
    let mut lists = KVec::from_fn(cx, anchors.len(), |_| (0usize, 0usize))?;
    let mut main = (0, deciding);
    let mut open = Open {
        path: [MAIN; MAX_DEPTH],
        depth: 0,
    };
    for (i, rule) in (0u32..).zip(rules) {
        let number = i as usize;
        // Leave what ends here, enter what starts here.
        let to = place(rule.anchor);
        enter(&mut open, anchors, to);
        for &a in open.path.iter().take(open.depth) {
            let Some(&(from, end)) = extents.get(usize::from(a)) else {
                continue;
            };
            let quick = anchors.get(usize::from(a)).is_some_and(|a| a.quick);
            if from != i || !quick {
                continue;
            }
            let body = rules.get(number..end as usize).unwrap_or_default();
            let places = body.iter().filter(decides).count();
            let around = list_of(anchors, parent(anchors, a));
            let front = match around {
                MAIN => &mut main.0,
                a => &mut lists.get_mut(usize::from(a)).ok_or(Refused::Anchors)?.0,
            };
            let part = (*front, *front + places);
            *front += places;
            if let Some(list) = lists.get_mut(usize::from(a)) {
                *list = part;
            }
        }
        let list = list_of(anchors, to);
        let (front, back) = match list {
            MAIN => (&mut main.0, &mut main.1),
            a => {
                let l = lists.get_mut(usize::from(a)).ok_or(Refused::Anchors)?;
                (&mut l.0, &mut l.1)
            }
        };
        let rank = match rule.kind {
            Kind::Note => {
                order.notes.push(cx, i)?;
                continue;
            }
            Kind::Quick => {
                *front += 1;
                *front - 1
            }
            Kind::Last => {
                *back -= 1;
                *back
            }
        };
        if let Some(slot) = order.deciding.get_mut(rank) {
            *slot = i;
        }
        if let Some(stop) = order.stops.get_mut(number) {
            *stop = match (rule.kind, extents.get(usize::from(list))) {
                (Kind::Quick, _) => i,
                (_, Some(&(_, end))) => end,
                _ => u32::MAX,
            };
        }
    }
    Ok(order)
}

/// Makes `open` the path to anchor `to`.
fn enter(open: &mut Open, anchors: &[Anchor], to: u16) {
    if open.innermost() == to {
        return;
    }
    let mut depth = 0;
    let mut at = to;
    while at != MAIN && depth < MAX_DEPTH {
        depth += 1;
        at = parent(anchors, at);
    }
    open.depth = depth;
    at = to;
    for slot in open.path.iter_mut().take(depth).rev() {
        *slot = at;
        at = parent(anchors, at);
    }
}

/// The innermost `quick` anchor from `anchor` outwards: whose list its rules go to.
fn list_of(anchors: &[Anchor], mut anchor: u16) -> u16 {
    while let Some(a) = anchors.get(usize::from(anchor)) {
        if a.quick {
            break;
        }
        anchor = place(a.parent);
    }
    anchor
}
