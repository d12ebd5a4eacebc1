// SPDX-License-Identifier: BSD-2-Clause
//! What is wrong is refused at its place, with a sentence and a hint.

#![forbid(unsafe_code)]

use libiipf::{Files, compile, parse_file, parse_text};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A text, where it is wrong, and a part of what is said.
const FAULTS: &[(&str, (u32, u32), &str)] = &[
    ("pas all", (1, 1), "did you mean 'pass'?"),
    ("pass in quik all", (1, 9), "did you mean 'quick'?"),
    ("pass in in all", (1, 9), "'in' twice"),
    (
        "block in\n  from 10.0.0.1",
        (2, 3),
        "'from' where a rule should be",
    ),
    ("pass inet from ::1", (1, 1), "two families"),
    ("pass from 10.0.0.1 to ::1", (1, 1), "two families"),
    ("pass inet6 proto icmp", (1, 1), "two families"),
    ("pass from 10.0.0.300", (1, 11), "is not an address"),
    ("pass from 10.0.0.0/33", (1, 11), "must be 0 to 32"),
    (
        "pass from 10.0.0.9 - 10.0.0.1",
        (1, 11),
        "ends before it begins",
    ),
    (
        "pass from 10.0.0.9 - ::1",
        (1, 11),
        "two families in one range",
    ),
    (
        "pass from www.example.com",
        (1, 11),
        "names are not looked up",
    ),
    (
        "pass from { 10.0.0.1, ! 10.0.0.2 }",
        (1, 23),
        "together they match everything",
    ),
    ("pass from ! any", (1, 11), "matches nothing"),
    (
        "pass from (wan0:nework)",
        (1, 12),
        "did you mean 'network'?",
    ),
    ("pass proto tcq", (1, 12), "did you mean 'tcp'?"),
    ("pass to any port 80", (1, 18), "add proto tcp"),
    (
        "pass proto gre to any port 80",
        (1, 12),
        "port with proto gre, which has none",
    ),
    (
        "pass proto { tcp, icmp } to any port 80",
        (1, 19),
        "port with proto icmp",
    ),
    (
        "pass proto tcp to any port 70000",
        (1, 28),
        "must be 0 to 65535",
    ),
    (
        "pass proto tcp to any port htpp",
        (1, 28),
        "did you mean 'http'?",
    ),
    (
        "pass proto tcp to any port 90:80",
        (1, 28),
        "end before they begin",
    ),
    ("pass proto tcp to any port < 0", (1, 28), "matches no port"),
    (
        "pass proto tcp port 80",
        (1, 16),
        "write 'from port' or 'to port'",
    ),
    (
        "pass proto udp flags S/SA",
        (1, 16),
        "flags of a protocol that is not TCP",
    ),
    ("pass proto tcp flags SA/S", (1, 22), "matches nothing"),
    ("pass proto tcp flags X/Y", (1, 22), "the letters are"),
    ("pass icmp-type echoreq", (1, 16), "add proto icmp"),
    (
        "pass proto icmp6 icmp-type echoreq",
        (1, 28),
        "write proto icmp",
    ),
    (
        "pass proto icmp icmp-type echreq",
        (1, 27),
        "did you mean 'echoreq'?",
    ),
    ("pass proto udp synproxy state", (1, 1), "add proto tcp"),
    ("pass out proto tcp synproxy state", (1, 1), "what goes out"),
    ("block keep state", (1, 7), "only pass rules keep state"),
    ("match quick all", (1, 1), "decides nothing"),
    (
        "pass keep state (max-src-conn-rate 10)",
        (1, 36),
        "connections/seconds",
    ),
    (
        "pass keep state (overload <b>)",
        (1, 17),
        "without a limit to exceed",
    ),
    (
        "pass keep state (adaptive.start 10)",
        (1, 17),
        "go together",
    ),
    (
        "pass keep state (tcp.established 0)",
        (1, 34),
        "must be 1 to",
    ),
    ("pass tos 0x03", (1, 10), "ECN"),
    ("pass probability 120%", (1, 18), "at most 100 %"),
    ("pass label \"\"", (1, 12), "1 to 55 letters"),
    (
        "pass in on wan0 route-to (wan1 10.0.0.1)",
        (1, 17),
        "routing is the system's",
    ),
    (
        "pass in on wan0 rdr-to 10.0.0.1",
        (1, 17),
        "write nat, rdr or binat",
    ),
    (
        "pass in on wan/0",
        (1, 12),
        "cannot be the name of an interface",
    ),
    ("pass -> 10.0.0.1", (1, 6), "'->' in a pass rule"),
    ("nat on wan0 from 10.0.0.0/8", (1, 28), "'-> ADDRESS'"),
    (
        "nat on wan0 inet from any -> 2001:db8::1",
        (1, 30),
        "a translation stays in its family",
    ),
    ("nat on wan0 -> { 10.0.0.1, ::1 }", (1, 16), "both families"),
    (
        "nat in on wan0 -> 10.0.0.1",
        (1, 1),
        "nat is for what goes out",
    ),
    (
        "nat quick on wan0 -> 10.0.0.1",
        (1, 1),
        "the first translation rule",
    ),
    (
        "nat on wan0 -> 10.0.0.1 port-block 100",
        (1, 25),
        "not a power of two",
    ),
    (
        "nat on wan0 -> 10.0.0.1 port 1:10 port-block 32",
        (1, 35),
        "hold no block",
    ),
    ("nat on wan0 -> any", (1, 16), "translated to every address"),
    (
        "rdr on wan0 proto tcp to any port 80 -> 10.0.0.1 static-port",
        (1, 50),
        "belongs to nat rules",
    ),
    (
        "rdr on wan0 -> 10.0.0.1 port 80",
        (1, 16),
        "without proto tcp or udp",
    ),
    (
        "rdr proto tcp to any port 1:10 -> 10.0.0.1 port 1:9",
        (1, 35),
        "both must be as many",
    ),
    (
        "rdr proto tcp to any port 1:10 -> 10.0.0.1 port 65530:*",
        (1, 27),
        "end above 65535",
    ),
    (
        "rdr proto tcp to any -> 10.0.0.1 port 80:*",
        (1, 25),
        "without a range of ports",
    ),
    (
        "binat on wan0 from 10.0.0.0/24 to any -> 198.51.100.0/25",
        (1, 42),
        "one length",
    ),
    ("binat on wan0 -> 198.51.100.0/25", (1, 1), "from INSIDE"),
    (
        "nptv6 on wan0 fd00::/65 -> 2001:db8::/65",
        (1, 28),
        "/64 or shorter",
    ),
    (
        "nptv6 on wan0 from 10.0.0.0/8 to any -> 11.0.0.0/8",
        (1, 41),
        "use binat",
    ),
    ("set limmit states 5", (1, 5), "did you mean 'limit'?"),
    ("set limit { stats 5 }", (1, 13), "did you mean 'states'?"),
    ("set timeout tcp.open 5", (1, 13), "the name of a timeout"),
    ("pass keep state (frag 5)", (1, 18), "set timeout { frag"),
    (
        "pass keep state (udp.first 5, nat.mapping 9)",
        (1, 31),
        "one for all rules",
    ),
    ("set syncookies adaptive", (1, 5), "synproxy"),
    (
        "table <t> { 10.0.0.1, !10.0.0.1 }",
        (1, 1),
        "both with and without",
    ),
    (
        "table <t> { name.example }",
        (1, 13),
        "names are not looked up",
    ),
    (
        "table <t> persist\ntable <t> persist",
        (2, 1),
        "defined twice",
    ),
    (
        "table <t> const { ::1 }\npass inet from <t>",
        (2, 1),
        "can never match",
    ),
    (
        "table <bad> persist\npass from <bat>",
        (2, 1),
        "did you mean 'bad'?",
    ),
    (
        "table <t> const { ::1 }\npass proto tcp keep state (max-src-conn 1, overload <t>)",
        (2, 1),
        "is const",
    ),
    ("pass from $net", (1, 11), "macro 'net' is not defined"),
    ("a =\n", (1, 1), "has no value"),
    ("a = \"10.0.0.1", (1, 5), "does not end on its line"),
    ("pass ; block", (1, 6), "a rule ends with its line"),
    ("anchor \"x\" {\npass all\n", (1, 12), "without its '}'"),
    ("}\n", (1, 1), "without its '{'"),
    ("anchor \"x/*\"", (1, 8), "no wildcards"),
    (
        "anchor \"x\" { set debug loud\n}",
        (1, 14),
        "put it before all rules",
    ),
    (
        "anchor \"x\" keep state { pass all\n}",
        (1, 1),
        "more than what packets it is for",
    ),
    ("load anchor x", (1, 1), "load anchor NAME from"),
    ("pass from { }", (1, 11), "the list is empty"),
    ("pass from { 10.0.0.1", (1, 11), "'{' without its '}'"),
    ("altq on wan0", (1, 1), "queueing goes by the mark"),
];

#[test]
fn each_at_its_place() {
    let mut wrong = String::new();
    for (text, (line, column), part) in FAULTS {
        let Err(faults) = parse_text(text, "t") else {
            wrong += &format!("{text}: it is taken\n");
            continue;
        };
        let said = faults[0].to_string();
        if !said.contains(part) || !said.starts_with(&format!("t:{line}:{column}: ")) {
            wrong += &format!("{text}: {line}:{column} {part}\n    {said}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn one_mistake_does_not_hide_the_next() {
    let faults = parse_text("pas all\npass all\nblock form any\nset x\n", "t").unwrap_err();
    let lines: Vec<u32> = faults.iter().map(|f| f.pos.line).collect();
    assert_eq!(lines, [1, 3, 4]);
}

#[test]
fn what_anchors_cannot_say_is_refused_when_compiled() {
    let text = "table <t> persist\nanchor \"a\" from <t> {\npass from 10.0.0.0/8\n}\n";
    let config = parse_text(text, "t").unwrap();
    let faults = compile(&config).unwrap_err();
    assert_eq!(faults.len(), 1);
    let said = faults[0].to_string();
    assert!(
        said.starts_with("t:3:1: ") && said.contains("<t> and 10.0.0.0/8"),
        "{said}"
    );
}

#[test]
fn warnings() {
    for (text, part) in [
        ("a = \"1\"\npass all\n", "t:1:1: macro 'a' is never used"),
        (
            "table <x> { 10.0.0.1 }\npass all\n",
            "table <x> is never used",
        ),
        (
            "table <x> { ::1 }\npass inet from <x>\n",
            "until some are added",
        ),
        ("anchor \"x\"\n", "anchor \"x\" is empty"),
        ("set hostid 1\n", "is ignored"),
    ] {
        let config = parse_text(text, "t").unwrap();
        let all: Vec<String> = config.warnings.0.iter().map(ToString::to_string).collect();
        assert!(all.len() == 1 && all[0].contains(part), "{text}: {all:?}");
    }
}

struct Memory(BTreeMap<&'static str, &'static str>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        let found = path.to_str().and_then(|p| self.0.get(p));
        found
            .map(|s| (*s).to_owned())
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

#[test]
fn files_are_beside_the_one_that_names_them() {
    let files = Memory(BTreeMap::from([
        (
            "/e/main",
            "include \"sub/a\"\ntable <t> file \"sub/t\"\npass from <t> to $net\nanchor \"x\"\nload anchor x from \"sub/x\"\n",
        ),
        ("/e/sub/a", "net = \"10.0.0.0/8\"\n"),
        ("/e/sub/t", "# ours\n10.1.0.0/16 ! 10.1.1.1\n"),
        ("/e/sub/x", "block from 10.2.0.0/16\n"),
        ("/e/bad", "pass all\ninclude \"sub/bad\"\n"),
        ("/e/sub/bad", "\n\npass frm any\n"),
        ("/e/loop", "include \"loop\"\n"),
        ("/e/table", "table <t> file \"sub/badt\"\n"),
        ("/e/sub/badt", "10.0.0.1\n  10.0.0.0/40\n"),
        ("/e/none", "include \"nowhere\"\n"),
    ]));
    let read = |name: &str| parse_file(&files, Path::new(name), &[]);
    let config = read("/e/main").expect("it parses");
    assert_eq!(config.tables[0].entries.as_ref().map(Vec::len), Some(2));
    let shown = libiipf::print::config(&config);
    assert!(
        shown.contains("anchor \"x\" {\n\tblock drop inet from 10.2.0.0/16 to any\n}"),
        "{shown}"
    );
    let said = |name: &str| read(name).unwrap_err()[0].to_string();
    assert!(
        said("/e/bad").starts_with("/e/sub/bad:3:6: 'frm'"),
        "{}",
        said("/e/bad")
    );
    assert!(said("/e/loop").contains("include each other"));
    assert!(
        said("/e/table").starts_with("/e/sub/badt:2:3: "),
        "{}",
        said("/e/table")
    );
    assert!(
        said("/e/none").starts_with("/e/none:1:1: include \"/e/nowhere\": "),
        "{}",
        said("/e/none")
    );
    assert!(
        said("/nowhere").starts_with("/nowhere: "),
        "{}",
        said("/nowhere")
    );
}
