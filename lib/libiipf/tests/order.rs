// SPDX-License-Identifier: BSD-2-Clause
//! Flattened anchors decide as a walk through the text does: pf's own way of looking at rules.

#![forbid(unsafe_code)]

use iipf_abi::{IIPF_ACT_BLOCK, IIPF_ACT_PASS};
use libiipf::ast::{Action, Config, Item, Ports};
use libiipf::{compile, parse_text};
use proptest::prelude::*;

/// A random ruleset over destination ports 0 to 7 of TCP.
#[derive(Clone, Debug)]
enum Node {
    Rule {
        quick: bool,
        block: bool,
        port: u16,
        matches: bool,
    },
    Anchor {
        quick: bool,
        port: Option<u16>,
        inner: Vec<Node>,
    },
}

fn node() -> impl Strategy<Value = Node> {
    let rule = (
        any::<bool>(),
        any::<bool>(),
        0u16..8,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(quick, block, port, matches)| Node::Rule {
            quick,
            block,
            port,
            matches,
        });
    rule.prop_recursive(3, 24, 5, |inner| {
        let port = prop::option::of(0u16..8);
        (any::<bool>(), port, prop::collection::vec(inner, 1..5))
            .prop_map(|(quick, port, inner)| Node::Anchor { quick, port, inner })
    })
}

fn text(nodes: &[Node], out: &mut String) {
    for n in nodes {
        match n {
            Node::Rule {
                port,
                matches: true,
                ..
            } => {
                out.push_str(&format!("match proto tcp to any port {port}:7 tag 7\n"));
            }
            Node::Rule {
                quick, block, port, ..
            } => {
                let what = if *block { "block" } else { "pass" };
                let quick = if *quick { "quick " } else { "" };
                out.push_str(&format!("{what} {quick}proto tcp to any port {port}:7\n"));
            }
            Node::Anchor { quick, port, inner } => {
                let quick = if *quick { " quick" } else { "" };
                let port = port.map_or(String::new(), |p| format!(" proto tcp to any port {p}:7"));
                out.push_str(&format!("anchor \"a\"{quick}{port} {{\n"));
                text(inner, out);
                out.push_str("}\n");
            }
        }
    }
}

fn meets(ports: Ports, port: u16) -> bool {
    match ports {
        Ports::Any => true,
        Ports::In(lo, hi) => (lo..=hi).contains(&port),
        Ports::Out(lo, hi) => !(lo..=hi).contains(&port),
    }
}

/// Goes through the text: which line decides so far, which match lines applied, whether to stop.
fn walk(items: &[Item], port: u16, last: &mut Option<u32>, notes: &mut Vec<u32>) -> bool {
    for item in items {
        match item {
            Item::Rule(r) if meets(r.m.dport, port) => {
                if r.action == Action::Match {
                    notes.push(r.pos.line);
                } else {
                    *last = Some(r.pos.line);
                    if r.quick {
                        return true;
                    }
                }
            }
            Item::Rule(_) => {}
            Item::Anchor(a) if meets(a.m.dport, port) => {
                let before = last.take();
                let stop = walk(&a.items, port, last, notes);
                let inside = last.is_some();
                *last = last.or(before);
                if stop || (a.quick && inside) {
                    return true;
                }
            }
            Item::Anchor(_) => {}
        }
    }
    false
}

/// The same by the records alone.
fn by_records(config: &Config, port: u16) -> (Option<u32>, Vec<u32>) {
    let ruleset = compile(config).expect("it compiles");
    let meets =
        |r: &&iipf_abi::RuleRec| r.m.dport.op == 0 || (r.m.dport.lo..=r.m.dport.hi).contains(&port);
    let decides = |r: &&iipf_abi::RuleRec| r.action == IIPF_ACT_PASS || r.action == IIPF_ACT_BLOCK;
    let hits: Vec<_> = ruleset.rules.iter().filter(meets).collect();
    let winner = hits
        .iter()
        .copied()
        .filter(|r| decides(r))
        .min_by_key(|r| r.prio);
    let stop = winner.map_or(u32::MAX, |r| r.stop);
    let notes = hits
        .iter()
        .filter(|r| !decides(r) && r.order <= stop)
        .map(|r| r.line)
        .collect();
    (winner.map(|r| r.line), notes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_decide_as_the_text(nodes in prop::collection::vec(node(), 1..8)) {
        let mut rules = String::new();
        text(&nodes, &mut rules);
        let config = parse_text(&rules, "t").expect("it parses");
        for port in 0..8 {
            let (mut last, mut notes) = (None, Vec::new());
            walk(&config.items, port, &mut last, &mut notes);
            prop_assert_eq!(by_records(&config, port), (last, notes), "port {} of {}", port, &rules);
        }
    }
}
