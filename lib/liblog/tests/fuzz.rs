// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of
//! them that are the same each time.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use testkit::Replay;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[
        ("parse", targets::parse, 40_000),
        ("ring", targets::ring, 4_000),
        ("packed", targets::packed, 300),
        ("frame", targets::frame, 20_000),
        ("request", targets::request, 10_000),
    ],
    prefixes: 1,
    noise: 0x6c6f_6773,
    joins: true,
    changes: 4,
};

const PACKETS: [(&str, u8, &[u8]); 14] = [
    ("ietf", 0, b"<34>1 2003-10-11T22:14:15.003Z m.example.com su - ID47 - \xef\xbb\xbf'su root' failed"),
    ("ietf-zone", 8, b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's"),
    ("ietf-sd", 4, b"<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [ex@32473 iut=\"3\" s=\"a\\\"\\]\\\\\"][p@1 class=\"high\"] An event"),
    ("ietf-nil", 1, b"<13>1 - - - - - -"),
    ("ietf-bad", 0, b"<13>1 2024-02-30T25:00:00Z h a p m [a b=c] \xff\0x\n"),
    ("bsd", 0, b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick"),
    ("bsd-year", 12, b"<13>Mar 31 02:30:00 2024 h cron[77]: (root) CMD\r\n"),
    ("bsd-zone", 0, b"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %%"),
    ("bsd-iso", 0, b"<13>2024-11-29T01:02:03.123456+01:00 h a[1]: x"),
    ("bsd-local", 1, b"<30>Nov 29 01:02:03 gw dhcpd[9]: x\0"),
    ("bsd-forwarded", 0, b"<13>Jan  1 01:02:03 Message forwarded from aix1: su: x"),
    ("cisco", 0, b"<189>45: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured"),
    ("kernel", 3, b"<6>em0: link state changed to UP\n"),
    ("kmsg", 3, b"30,339,5140900,-,caller=T1;acpi: x\\x0ay\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n"),
];

const STREAMS: [(&str, &[u8]); 6] = [
    ("lines", b"\x40\x05<13>one\n<13>two\r\n\n<13>three"),
    ("counted", b"\x40\x038 <13>one\n9 <13>two\n\n"),
    (
        "mixed",
        b"\x40\x118 <13>one\n<13>two\n8 <13>tre\0<13>four\0",
    ),
    ("long-line", b"\x07\x02<13>a long line\n<13>\n"),
    ("long-counted", b"\x07\x0720 <13>a long line123457 <13>abc"),
    ("no-count", b"\x20\x041234567890 x\n0 x\n12x\n99 partial"),
];

const LINES: [(&str, &str); 8] = [
    (
        "read",
        r#"{"op":"read","ring":"all","boot":5,"from":9,"last":4,"follow":true,"limit":3}"#,
    ),
    (
        "filter",
        r#"{"op":"read","ring":"a","filter":{"facilities":["kern"],"level":"<=err","programs":["x"],"hosts":["h"],"regex":"a+(b|\\xff)$","since":1,"until":2}}"#,
    ),
    ("resize", r#"{"op":"resize","ring":"a","size":65536}"#),
    ("ping", r#"{"op":"ping"}"#),
    ("lost", r#"{"lost":5,"next":6}"#),
    ("end", r#"{"end":"all","next":6}"#),
    ("error", r#"{"error":"x","code":"no-ring"}"#),
    (
        "record",
        "{\"seq\":7,\"time\":\"2023-11-14T22:13:20.123456Z\",\"wall\":17,\"mono\":55,\"facility\":\"auth\",\"severity\":\"info\",\"text\":\"a\u{e9}\\u0001\"}",
    ),
];

/// The inputs that the corpora begin with.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let named = |(name, data): (&str, Vec<u8>)| (name.to_owned(), data);
    let many = |deed: u8, n: usize| vec![deed; n];
    match target {
        "parse" => PACKETS
            .map(|(name, how, packet)| named((name, [&[how], packet].concat())))
            .to_vec(),
        "frame" => STREAMS
            .map(|(name, stream)| named((name, stream.to_vec())))
            .to_vec(),
        "request" => LINES
            .map(|(name, line)| named((name, line.as_bytes().to_vec())))
            .to_vec(),
        "packed" => [
            // Records 4 to 5, as they are and compressed to a literal; numbers that are none.
            (
                "stored",
                [vec![1, 3, 0, 200, 0, 120], many(0, 120)].concat(),
            ),
            (
                "literal",
                [vec![1, 3, 0, 14, 1, 15, 0xe0], many(7, 14)].concat(),
            ),
            (
                "backwards",
                vec![9, 0, 0, 0, 0, 1, 5, 0, 255, 255, 255, 1, 2, 3, 4],
            ),
            (
                "overlong",
                [vec![1, 9, 255, 255, 1, 8], many(0xff, 8)].concat(),
            ),
            (
                "two",
                [many(1, 5), many(0, 7), vec![0, 9, 0, 1, 1, 1, 1]].concat(),
            ),
        ]
        .map(named)
        .to_vec(),
        _ => [
            ("push", [many(0, 1), many(20, 60)].concat()),
            (
                "read",
                [
                    many(9, 1),
                    many(100, 12),
                    many(0xf8, 3),
                    many(90, 9),
                    many(0xf9, 2),
                ]
                .concat(),
            ),
            (
                "clear",
                [
                    many(0, 1),
                    many(7, 40),
                    many(131, 1),
                    many(50, 20),
                    many(132, 3),
                ]
                .concat(),
            ),
            (
                "move",
                [
                    many(200, 1),
                    many(127, 30),
                    vec![132, 0, 0, 132, 9, 9],
                    many(60, 9),
                ]
                .concat(),
            ),
            (
                "recover",
                [
                    many(3, 1),
                    many(77, 33),
                    many(133, 1),
                    many(12, 90),
                    many(133, 2),
                ]
                .concat(),
            ),
            (
                "damage",
                [
                    many(3, 1),
                    many(77, 33),
                    vec![134, 2, 2, 0, 200],
                    many(9, 9),
                    vec![143, 0, 80, 1, 1, 9, 9, 9, 9],
                ]
                .concat(),
            ),
            (
                "large",
                [
                    many(3, 1),
                    many(77, 3),
                    vec![255, 255, 255],
                    many(9, 9),
                    vec![255, 9, 9],
                ]
                .concat(),
            ),
        ]
        .map(named)
        .to_vec(),
    }
}

#[test]
fn corpora_have_their_seeds() {
    REPLAY.seeds_are_committed(seeds);
}

#[test]
fn committed_inputs_pass() {
    REPLAY.committed_inputs_pass();
}

#[test]
fn mutated_packets() {
    REPLAY.mutations_pass("parse");
}

#[test]
fn mutated_deeds() {
    REPLAY.mutations_pass("ring");
}

#[test]
fn mutated_blocks() {
    REPLAY.mutations_pass("packed");
}

#[test]
fn mutated_streams() {
    REPLAY.mutations_pass("frame");
}

#[test]
fn mutated_lines() {
    REPLAY.mutations_pass("request");
}
