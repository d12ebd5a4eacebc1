// SPDX-License-Identifier: BSD-2-Clause
//! The grammar of ifconfig(8), line by line.

#![forbid(unsafe_code)]

use libifconfig::{Action, VERBS, parse};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// What is typed, and how it reads when it was understood.
const RIGHT: &[(&str, &[&str])] = &[
    ("l2tp0", &[]),
    ("l2tp create", &["create"]),
    ("l2tp0 plumb", &["create"]),
    ("l2tp0 destroy", &["destroy"]),
    (
        "l2tp0 tunnel 192.0.2.1 192.0.2.2",
        &["tunnel 192.0.2.1 192.0.2.2"],
    ),
    (
        "l2tp0 tunnel 2001:db8::1,1701 2001:db8::2,1702",
        &["tunnel 2001:db8::1,1701 2001:db8::2,1702"],
    ),
    ("l2tp0 deletetunnel", &["deletetunnel"]),
    ("l2tp0 session 1 4294967295", &["session 1 4294967295"]),
    ("l2tp0 session 0x10 0XfF", &["session 16 255"]),
    (
        "l2tp0 deletesession deletecookie",
        &["deletesession", "deletecookie"],
    ),
    (
        "l2tp0 cookie 4 0xffffffff 8 0xffffffffffffffff",
        &["cookie 4 ... 8 ..."],
    ),
    ("l2tp0 cookie 0 0 8 1", &["cookie 0 ... 8 ..."]),
    (
        "l2tp0 encap udp sublayer default",
        &["encap udp", "sublayer default"],
    ),
    (
        "l2tp0 encap ip sublayer none",
        &["encap ip", "sublayer none"],
    ),
    ("l2tp0 mtu 1400 up down", &["mtu 1400", "up", "down"]),
    ("l2tp0 name wan0", &["name wan0"]),
];

#[test]
fn right_lines_are_understood() {
    for (line, wanted) in RIGHT {
        let command = parse(&words(line)).expect(line);
        let got: Vec<_> = command.actions.iter().map(ToString::to_string).collect();
        assert_eq!(got, *wanted, "{line}");
    }
}

#[test]
fn every_verb_is_tried_above() {
    for verb in VERBS {
        // The other name of create stands for both.
        let tried = RIGHT
            .iter()
            .any(|(line, _)| words(line).contains(&verb.name));
        assert!(tried || verb.name == "unplumb", "{}", verb.name);
    }
}

const WRONG: &[(&str, &str)] = &[
    ("", "no interface named"),
    (
        "a_name_of_16_byte",
        "'a_name_of_16_byte': an interface's name has 1 to 15 characters",
    ),
    ("../etc up", "'../etc': an interface's name has letters"),
    (
        "l2tp0 flyaway",
        "l2tp0: flyaway: no such verb; there are create",
    ),
    ("l2tp0 session 1", "l2tp0: session: needs MY PEER"),
    (
        "l2tp0 session 0 1",
        "l2tp0: session 0: must be 1..4294967295",
    ),
    (
        "l2tp0 session 1 4294967296",
        "l2tp0: session 4294967296: must be 1..4294967295",
    ),
    ("l2tp0 session -1 1", "l2tp0: session -1: must be"),
    ("l2tp0 session +1 1", "l2tp0: session +1: must be"),
    ("l2tp0 session 0x 1", "l2tp0: session 0x: must be"),
    ("l2tp0 session 0x+1 1", "l2tp0: session 0x+1: must be"),
    (
        "l2tp0 tunnel 192.0.2.1",
        "l2tp0: tunnel: needs SRC[,PORT] DST[,PORT]",
    ),
    (
        "l2tp0 tunnel 192.0.2.1 ::1",
        "192.0.2.1 ::1: both addresses must be of one family",
    ),
    (
        "l2tp0 tunnel example.org ::1",
        "example.org: must be an IPv4 or IPv6 address in numbers",
    ),
    (
        "l2tp0 tunnel 0.0.0.0 192.0.2.1",
        "0.0.0.0: must be the address of one machine",
    ),
    (
        "l2tp0 tunnel 192.0.2.1 224.0.0.1",
        "224.0.0.1: must be the address of one machine",
    ),
    (
        "l2tp0 tunnel 192.0.2.1,0 192.0.2.2,1",
        "192.0.2.1,0: port must be 1..65535",
    ),
    (
        "l2tp0 tunnel 192.0.2.1,65536 192.0.2.2,1",
        "port must be 1..65535",
    ),
    (
        "l2tp0 tunnel 192.0.2.1,1 192.0.2.2",
        "give both ports, or neither",
    ),
    (
        "l2tp0 cookie 5 1 4 1",
        "l2tp0: cookie 5: a length must be 0, 4 or 8",
    ),
    (
        "l2tp0 cookie 4 0x123456789 4 1",
        "l2tp0: cookie 4: my cookie must fit 4 bytes",
    ),
    (
        "l2tp0 cookie 4 1 0 1",
        "l2tp0: cookie 0: the peer's cookie must fit 0 bytes",
    ),
    (
        "l2tp0 cookie 4 secret 4 1",
        "l2tp0: cookie 4: my cookie must be a number",
    ),
    ("l2tp0 encap gre", "l2tp0: encap gre: must be ip or udp"),
    (
        "l2tp0 sublayer atm",
        "l2tp0: sublayer atm: must be none or default",
    ),
    ("l2tp0 mtu 67", "l2tp0: mtu 67: must be 68..65535"),
    ("l2tp0 mtu big", "l2tp0: mtu big: must be 68..65535"),
    ("l2tp0 destroy up", "l2tp0: destroy: must be the last verb"),
    ("l2tp0 up create", "l2tp0: create: must be the first verb"),
    ("l2tp0 name a/b", "l2tp0: name a/b: an interface's name has"),
];

#[test]
fn wrong_lines_get_a_sentence() {
    for (line, said) in WRONG {
        let e = parse(&words(line)).expect_err(line);
        assert!(e.contains(said), "{line}: {e}");
    }
}

#[test]
fn cookies_are_in_no_message() {
    let line = "l2tp0 cookie 4 0xdeadbeef 8 0xfeedface";
    let command = parse(&words(line)).expect("right");
    let shown = format!("{:?} {}", command, command.actions[0]);
    for secret in ["dead", "feed", "3735928559", "4277009102"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let e = parse(&words("l2tp0 cookie 4 0xdeadbeef00 4 1")).expect_err("too long");
    assert!(!e.contains("dead"), "{e}");
    assert!(matches!(
        command.actions[0],
        Action::Cookie {
            my: 0xdead_beef,
            ..
        }
    ));
}
