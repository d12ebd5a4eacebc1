// SPDX-License-Identifier: BSD-2-Clause
//! What the commands do to a device.

use crate::fake::Fake;
use crate::{forward, load, show, states, table, top, trace};
use iipf_abi::*;
use libiipf::Ruleset;
use std::time::Duration;

const RULES: &str = "table <bad> persist counters { 192.0.2.0/24 }\n\
                     table <fixed> const { 10.0.0.0/8, ! 10.1.0.0/16 }\n\
                     nat on wan0 inet from <fixed> -> (wan0)\n\
                     block in all label \"base\"\n\
                     anchor \"a\" on lan0 { pass from ! <bad> }\n";

fn ruleset(text: &str) -> Ruleset {
    let config = libiipf::parse_text(text, "t").expect("it parses");
    libiipf::compile(&config).expect("it compiles")
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn loaded(text: &str) -> Fake {
    let mut dev = Fake::default();
    let done = load::load(&mut dev, &ruleset(text), 0).expect("it loads");
    assert_eq!(done.generation, 1);
    dev
}

#[test]
fn what_was_loaded_is_what_is_read_back() {
    let mut dev = loaded(RULES);
    assert_eq!(load::diff(&mut dev, &ruleset(RULES)), Ok(String::new()));
    // Entries that programs added are no difference.
    table::run(&mut dev, &split("bad add 198.51.100.1"), false).expect("it adds");
    assert_eq!(load::diff(&mut dev, &ruleset(RULES)), Ok(String::new()));
    let other = RULES
        .replace("block in all", "block return in all")
        .replace("10.1.", "10.2.");
    let text = load::diff(&mut dev, &ruleset(&other)).expect("it compares");
    assert!(
        text.contains("-block drop in all label \"base\"\n"),
        "{text}"
    );
    assert!(
        text.contains("+block return in all label \"base\"\n"),
        "{text}"
    );
    assert!(text.contains("! 10.2.0.0/16"), "{text}");
}

#[test]
fn nothing_runs_that_was_not_loaded() {
    let mut dev = Fake::default();
    let text = load::diff(&mut dev, &ruleset("pass all\n")).expect("it compares");
    assert!(text.contains("+pass all flags S/SA keep state\n"), "{text}");
}

#[test]
fn many_rules_go_in_many_chunks() {
    let text: String = (0..2000)
        .map(|n| format!("pass proto tcp to port {}\n", n + 1))
        .collect();
    let mut dev = loaded(&text);
    assert_eq!(dev.running.as_ref().map(|r| r.rules.len()), Some(2000));
    assert_eq!(
        load::running(&mut dev).expect("it reads"),
        Some(ruleset(&text))
    );
}

#[test]
fn a_load_that_dies_changes_nothing() {
    let mut dev = loaded(RULES);
    let before = dev.running.clone();
    let calls = dev.calls;
    let other = ruleset("block all\n");
    // Begin, options, names, rules and commit: wherever the way breaks.
    for n in 1..=5 {
        dev.breaks = Some(dev.calls + n);
        let e = load::load(&mut dev, &other, 0).expect_err("the way broke");
        assert!(e.contains("closed it"), "{e}");
        assert_eq!(
            (dev.running.clone(), dev.generation),
            (before.clone(), 1),
            "{n}"
        );
    }
    assert!(dev.aborted > 0 && dev.calls > calls);
    dev.breaks = None;
    load::load(&mut dev, &other, 0).expect("and then it loads");
    assert_eq!(dev.generation, 2);
}

#[test]
fn a_refusal_names_the_rule() {
    let mut dev = Fake::default();
    let rules = ruleset("pass in on wan0 proto tcp to port 22\nblock all\n");
    let reply = LoadReply {
        error: IIPF_LE_COMPLEX,
        kind: IIPF_KIND_RULE,
        index: 1,
        ..LoadReply::default()
    };
    dev.refuse = Some((1, reply));
    let e = load::load(&mut dev, &rules, 0).expect_err("it is refused");
    assert_eq!(
        e,
        "t:2: block drop all: the rules are too many or too different for the classifier"
    );
    assert_eq!(dev.running, None);
}

#[test]
fn tables() {
    let mut dev = loaded(RULES);
    let mut run = |text: &str| table::run(&mut dev, &split(text), false);
    assert_eq!(run("bad show"), Ok("192.0.2.0/24\n".into()));
    assert_eq!(
        run("bad add 198.51.100.1 2001:db8::/32"),
        Ok("2 added, 0 deleted, 0 changed\n".into())
    );
    assert_eq!(
        run("bad test 198.51.100.1 198.51.100.2"),
        Ok("198.51.100.1 matches\n198.51.100.2 does not match\n".into())
    );
    assert_eq!(
        run("bad replace 198.51.100.1 198.51.100.3"),
        Ok("1 added, 2 deleted, 0 changed\n".into())
    );
    assert_eq!(
        run("bad delete 198.51.100.3"),
        Ok("0 added, 1 deleted, 0 changed\n".into())
    );
    assert!(run("none show").is_err_and(|e| e.contains("no such table")));
    assert!(run("bad add www.example.com").is_err_and(|e| e.contains("not looked up")));
    assert!(run("bad frobnicate").is_err_and(|e| e.contains("must be show")));
    assert!(run("bad add").is_err_and(|e| e.contains("which addresses")));
}

#[test]
fn large_tables_go_in_pieces() {
    let mut dev = loaded(RULES);
    let words: Vec<String> = ["bad".into(), "replace".into()]
        .into_iter()
        .chain((0..1000).map(|n| format!("10.9.{}.{}", n / 256, n % 256)))
        .collect();
    let said = table::run(&mut dev, &words, false);
    assert_eq!(said, Ok("1000 added, 1 deleted, 0 changed\n".into()));
    assert_eq!(table::entries(&mut dev, "bad").map(|e| e.len()), Ok(1000));
}

fn state(n: u8) -> StateInfo {
    let peer = |last, port| Peer {
        addr: {
            let mut a = [0; 16];
            a[..4].copy_from_slice(&[10, 0, 0, last]);
            a
        },
        port,
        ..Peer::default()
    };
    StateInfo {
        id: u64::from(n),
        src: peer(n, 1000),
        dst: peer(200, 443),
        nat_src: peer(99, 5000),
        nat_dst: peer(200, 443),
        bytes: [u64::from(n) * 1000, 0],
        age: 10,
        flags: IIPF_ST_NAT,
        af: 2,
        proto: 6,
        dir: 2,
        peer: [IIPF_PEER_ESTABLISHED; 2],
        ..StateInfo::default()
    }
}

#[test]
fn states_are_shown_saved_and_taken_back() {
    let mut dev = Fake {
        states: (1..=50).map(state).collect(),
        ..Fake::default()
    };
    let text = show::run(&mut dev, &split("states"), false, false).expect("it shows");
    assert_eq!(text.lines().count(), 50);
    assert_eq!(
        text.lines().next(),
        Some("tcp out 10.0.0.1:1000 (10.0.0.99:5000) -> 10.0.0.200:443 ESTABLISHED:ESTABLISHED")
    );
    let json = show::run(&mut dev, &split("states"), false, true).expect("it shows");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[49]["translated_source"], "10.0.0.99:5000");
    let (bytes, count) = states::save(&mut dev).expect("it saves");
    assert_eq!(count, 50);
    let mut fresh = Fake::default();
    let reply = states::restore(&mut fresh, &bytes).expect("it takes them");
    assert_eq!((reply.taken, &fresh.states), (50, &dev.states));
    for (wrong, said) in [
        (&bytes[..bytes.len() - 1], "ends within"),
        (&bytes[1..], "not a file"),
        (&bytes[..4], "not a file"),
        (&bytes[..10], "version 0"),
    ] {
        let e = states::restore(&mut fresh, wrong).expect_err("it is damaged");
        assert!(e.contains(said), "{e}");
    }
}

#[test]
fn top_sorts_by_what_moves() {
    let mut dev = Fake {
        states: (1..=9).map(state).collect(),
        ..Fake::default()
    };
    let mut said = String::new();
    let mut show = |text: &str| {
        said.push_str(text);
        Ok(true)
    };
    let every = Duration::from_millis(1);
    top::run(
        &mut dev,
        StateFilter::default(),
        3,
        every,
        Some(1),
        false,
        &mut show,
    )
    .expect("runs");
    let flows: Vec<&str> = said.lines().skip(2).collect();
    assert_eq!(flows.len(), 3);
    assert!(flows[0].contains("10.0.0.9:1000"), "{said}");
}

#[test]
fn forwards() {
    let mut dev = Fake::default();
    let mut run = |text: &str| forward::run(&mut dev, &split(text), false);
    let made = run("add proto tcp on wan0 to port 8080:8089 -> 192.168.1.10 port 80 for 3600");
    let line =
        "1 tcp (wan0) port 8080:8089 -> 192.168.1.10 port 80:89 for 3600 s by iipfctl packets 0\n";
    assert_eq!(made, Ok(line.into()));
    assert_eq!(run("list"), Ok(line.into()));
    let again = run("add proto tcp on wan0 to port 8080 -> 192.168.1.11");
    assert!(again.is_err_and(|e| e.contains("taken")));
    for (text, said) in [
        (
            "add proto gre to port 1 -> 10.0.0.1",
            "proto tcp or proto udp",
        ),
        ("add proto tcp to port 1", "to whom"),
        ("add proto tcp -> 10.0.0.1", "which port"),
        (
            "add proto tcp from ::/0 to port 1 -> 10.0.0.1",
            "two families",
        ),
        (
            "add proto tcp to port 1:65535 -> 10.0.0.1 port 2",
            "above 65535",
        ),
        ("del", "which"),
        ("burn", "must be add"),
    ] {
        let e = run(text).expect_err("it is refused");
        assert!(e.contains(said), "{text}: {e}");
    }
}

#[test]
fn a_trace_names_the_rule_and_the_reason() {
    let mut dev = loaded("block in on wan0 proto tcp all\n");
    let words = split("in on wan0 proto tcp from 192.0.2.1 port 1025 to 192.0.2.2 port 22 flags S");
    let text = trace::described(&mut dev, &words, false).expect("it traces");
    assert_eq!(
        text,
        "in on wan0, 40 bytes: is dropped\n    \
         decided by t:1: block drop in on wan0 proto tcp all\n    dropped: blocked\n"
    );
    let json = trace::described(&mut dev, &words, true).expect("it traces");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["verdict"], &json["steps"][1]["name"]),
        (&"drop".into(), &"blocked".into())
    );
}

#[test]
fn rules_are_shown_with_their_anchor() {
    let mut dev = loaded(RULES);
    let text = show::run(&mut dev, &split("rules"), true, false).expect("it shows");
    assert!(
        text.contains("pass on lan0 from ! <bad> to any flags S/SA keep state\n"),
        "{text}"
    );
    assert!(text.contains("t:5 anchor a id 0x"), "{text}");
    assert!(!text.contains("nat on"), "{text}");
    let e = show::run(&mut dev, &split("colours"), false, false).expect_err("there are none");
    assert!(e.contains("must be rules"), "{e}");
}
