// SPDX-License-Identifier: BSD-2-Clause
//! Messages as the RFCs show them, and as they are met.

use liblog::Clocks;
use liblog::Pri;
use liblog::parse::Flaws;
use liblog::parse::Form;
use liblog::parse::From;
use liblog::parse::Parsed;
use liblog::parse::parse;
use liblog::time::SECOND;
use liblog::time::Zone;

const REMOTE: From<'_> = From {
    pri: Pri::DEFAULT,
    host: b"192.0.2.1",
    local: false,
    kernel: false,
};

const LOCAL: From<'_> = From {
    host: b"gw.example.net",
    local: true,
    ..REMOTE
};

fn utc(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// Read at noon of that day.
fn on<'a>(day: &str, packet: &'a [u8], from: &From<'a>) -> Parsed<'a> {
    let wall = utc(&format!("{day}T12:00:00Z"));
    parse(packet, from, &Zone::utc(), Clocks { wall, mono: 0 })
}

/// The strings of a message.
fn strings(p: &Parsed<'_>) -> [String; 6] {
    let m = &p.msg;
    [m.host, m.app, m.procid, m.msgid, m.sd, m.text].map(|s| String::from_utf8_lossy(s).into())
}

fn flaws(all: &[Flaws]) -> Flaws {
    let mut set = Flaws::none();
    all.iter().for_each(|&f| set.insert(f));
    set
}

#[test]
fn examples_of_rfc5424() {
    // 6.5, the first to the fourth.
    let p = on(
        "2003-10-11",
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \
        \xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8",
        &REMOTE,
    );
    assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::none()));
    assert_eq!(p.msg.pri.value(), 34);
    assert_eq!(p.msg.pri.facility.name(), "auth");
    assert_eq!(p.msg.sent, Some(utc("2003-10-11T22:14:15.003Z")));
    let text = "'su root' failed for lonvick on /dev/pts/8";
    assert_eq!(
        strings(&p),
        ["mymachine.example.com", "su", "", "ID47", "", text]
    );

    let p = on(
        "2003-08-24",
        b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - \
        %% It's time to make the do-nuts.",
        &REMOTE,
    );
    assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::none()));
    assert_eq!(p.msg.sent, Some(utc("2003-08-24T05:14:15.000003-07:00")));
    let text = "%% It's time to make the do-nuts.";
    assert_eq!(strings(&p), ["192.0.2.1", "myproc", "8710", "", "", text]);

    let sd = r#"[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]"#;
    let head = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 ";
    let packet = [head, sd, " \u{feff}An application event log entry..."].concat();
    let p = on("2003-10-11", packet.as_bytes(), &REMOTE);
    assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::none()));
    let text = "An application event log entry...";
    let host = "mymachine.example.com";
    assert_eq!(strings(&p), [host, "evntslog", "", "ID47", sd, text]);

    let sd = [sd, r#"[examplePriority@32473 class="high"]"#].concat();
    let packet = [head, &sd].concat();
    let p = on("2003-10-11", packet.as_bytes(), &REMOTE);
    assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::EMPTY));
    assert_eq!(strings(&p), [host, "evntslog", "", "ID47", &sd, ""]);
}

#[test]
fn examples_of_rfc3164() {
    // 5.4, with what the RFC says of each.
    let p = on(
        "2003-10-11",
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        &REMOTE,
    );
    assert_eq!((p.form, p.flaws), (Form::Bsd, Flaws::none()));
    assert_eq!(p.msg.pri.value(), 34);
    assert_eq!(p.msg.sent, Some(utc("2003-10-11T22:14:15Z")));
    let text = "'su root' failed for lonvick on /dev/pts/8";
    assert_eq!(strings(&p), ["mymachine", "su", "", "", "", text]);

    // No priority: user.notice, and all of it is text.
    let p = on("2003-10-11", b"Use the BFG!", &REMOTE);
    assert_eq!(p.form, Form::Bare);
    assert_eq!(p.flaws, flaws(&[Flaws::NO_PRI, Flaws::NO_TIME]));
    assert_eq!(p.msg.pri.value(), 13);
    assert_eq!(strings(&p), ["192.0.2.1", "", "", "", "", "Use the BFG!"]);
    // As a relay passes it on.
    let p = on(
        "2003-02-05",
        b"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        &REMOTE,
    );
    assert_eq!((p.form, p.flaws), (Form::Bsd, Flaws::none()));
    assert_eq!(strings(&p), ["10.0.0.99", "", "", "", "", "Use the BFG!"]);

    // The RFC's relay takes CST for the host. We know better.
    let text = "%% It's time to make the do-nuts.  %%  Ingredients: Mix=OK, Jelly=OK # \
        Devices: Mixer=OK, Jelly_Injector=OK, Frier=OK # Transport: Conveyer1=OK, \
        Conveyer2=OK # %%";
    let packet = ["<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: ", text].concat();
    let p = on("1987-08-24", packet.as_bytes(), &REMOTE);
    assert_eq!((p.form, p.flaws), (Form::Bsd, Flaws::none()));
    assert_eq!(p.msg.sent, Some(utc("1987-08-24T05:34:00Z")));
    assert_eq!(strings(&p), ["mymachine", "myproc", "10", "", "", text]);

    // The year comes first: no stamp, so all of it is text.
    let text = "1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: \
        That's All Folks!";
    let packet = ["<0>", text].concat();
    let p = on("1990-10-22", packet.as_bytes(), &REMOTE);
    assert_eq!((p.form, p.flaws), (Form::Bare, Flaws::NO_TIME));
    assert_eq!(p.msg.pri.value(), 0);
    assert_eq!(strings(&p), ["192.0.2.1", "", "", "", "", text]);
}

#[test]
fn rfc3164_as_it_is_met() {
    let gw = "192.0.2.1";
    for (packet, want) in [
        // Without a host, from the BSDs and BusyBox.
        (
            "<13>Nov 29 01:02:03 cron[77]: (root) CMD",
            [gw, "cron", "77", "(root) CMD"],
        ),
        ("<13>Nov 29 01:02:03 cron: x", [gw, "cron", "", "x"]),
        (
            "<13>Nov  9 01:02:03 h a/b.c-d: x",
            ["h", "a/b.c-d", "", "x"],
        ),
        ("<13>Nov 9 01:02:03 h a: x", ["h", "a", "", "x"]),
        (
            "<13>Nov 09 01:02:03 2001:db8::1 a: x",
            ["2001:db8::1", "a", "", "x"],
        ),
        ("<13>Nov 29 2024 01:02:03 h a: x", ["h", "a", "", "x"]),
        ("<13>Nov 29 01:02:03 2024 h a: x", ["h", "a", "", "x"]),
        ("<13>Nov 29 01:02:03.123 h a: x", ["h", "a", "", "x"]),
        // rsyslog's forward format.
        (
            "<13>2024-11-29T01:02:03.123456+01:00 h a[1]: x",
            ["h", "a", "1", "x"],
        ),
        ("<13>Nov 29 01:02:03 h a[]: x", ["h", "a", "", "x"]),
        (
            "<13>Nov 29 01:02:03 h a[b c]: x",
            ["h", "", "", "a[b c]: x"],
        ),
        ("<13>Nov 29 01:02:03 h a[1] x", ["h", "a", "1", "x"]),
        ("<13>Nov 29 01:02:03 h a[1]:x", ["h", "a", "1", "x"]),
        (
            "<13>Nov 29 01:02:03 h http://x/",
            ["h", "", "", "http://x/"],
        ),
        (
            "<13>Nov 29 01:02:03 h just words: here",
            ["h", "", "", "just words: here"],
        ),
        ("<13>Nov 29 01:02:03 h a:", ["h", "a", "", ""]),
        ("<13>Nov 29 01:02:03 h a:  x", ["h", "a", "", " x"]),
        ("<13>Nov 29 01:02:03 word", [gw, "", "", "word"]),
        ("<13>a[1]: x", [gw, "a", "1", "x"]),
        ("<13>", [gw, "", "", ""]),
        ("", [gw, "", "", ""]),
        (
            "<13>Nov 29 01:02:03 last message repeated 3 times",
            [gw, "", "", "last message repeated 3 times"],
        ),
        (
            "<13>Nov 29 01:02:03 Message forwarded from aix1: su: x",
            ["aix1", "su", "", "x"],
        ),
        // Cisco's.
        (
            "<189>45: *Nov 29 01:02:03.483 UTC: %SYS-5-CONFIG_I: Configured",
            [gw, "%SYS-5-CONFIG_I", "", "Configured"],
        ),
        (
            "<189>Nov 29 2024 01:02:03: %ASA-6-302013: Built",
            [gw, "%ASA-6-302013", "", "Built"],
        ),
        ("<189>45: no stamp", [gw, "45", "", "no stamp"]),
        // No such day: what is behind it is understood all the same.
        ("<13>Feb 30 01:02:03 h a: x", ["h", "a", "", "x"]),
        // What looks like a priority, and is none, is text.
        (
            "<192>Nov 29 01:02:03 h a: x",
            [gw, "", "", "<192>Nov 29 01:02:03 h a: x"],
        ),
        ("<>x", [gw, "", "", "<>x"]),
        ("<0013>x", [gw, "", "", "<0013>x"]),
        ("<00>x", [gw, "", "", "<00>x"]),
        ("<013>x", [gw, "", "", "<013>x"]),
        ("<13x", [gw, "", "", "<13x"]),
    ] {
        let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
        let [host, app, procid, msgid, sd, text] = strings(&p);
        assert_eq!([host.as_str(), &app, &procid, &text], want, "{packet}");
        assert_eq!((msgid.as_str(), sd.as_str()), ("", ""), "{packet}");
        let bad = packet.starts_with('<') && text.starts_with('<');
        assert_eq!(p.flaws.contains(Flaws::BAD_PRI), bad, "{packet}");
        assert_eq!(
            p.flaws.contains(Flaws::NO_PRI),
            packet.is_empty(),
            "{packet}"
        );
        assert_eq!(p.flaws.contains(Flaws::BAD_TIME), packet.contains("Feb 30"));
        assert_eq!(p.flaws.contains(Flaws::EMPTY), text.is_empty());
    }
}

#[test]
fn times_of_rfc3164() {
    let mut seen = 0;
    for (today, zone, stamp, want) in [
        (
            "2024-11-29",
            "UTC0",
            "Nov 29 01:02:03",
            "2024-11-29T01:02:03Z",
        ),
        (
            "2024-11-29",
            "UTC0",
            "Nov 29 01:02:03.5",
            "2024-11-29T01:02:03.5Z",
        ),
        (
            "2024-11-29",
            "UTC0",
            "Nov 29 2023 01:02:03",
            "2023-11-29T01:02:03Z",
        ),
        (
            "2024-11-29",
            "UTC0",
            "Nov 29 01:02:03 2023",
            "2023-11-29T01:02:03Z",
        ),
        // Around new year, both ways.
        (
            "2025-01-01",
            "UTC0",
            "Dec 31 23:59:59",
            "2024-12-31T23:59:59Z",
        ),
        (
            "2024-12-31",
            "UTC0",
            "Jan  1 00:00:01",
            "2025-01-01T00:00:01Z",
        ),
        (
            "2024-12-31",
            "UTC0",
            "Jan 31 00:00:01",
            "2025-01-31T00:00:01Z",
        ),
        (
            "2024-12-31",
            "UTC0",
            "Feb  1 00:00:01",
            "2024-02-01T00:00:01Z",
        ),
        (
            "2025-03-01",
            "UTC0",
            "Feb 29 00:00:01",
            "2024-02-29T00:00:01Z",
        ),
        (
            "2024-03-01",
            "UTC0",
            "Feb 29 00:00:01",
            "2024-02-29T00:00:01Z",
        ),
        // Ten hours east it is next year already.
        (
            "2024-12-31",
            "EAST-14",
            "Jan  1 02:00:00",
            "2024-12-31T12:00:00Z",
        ),
        (
            "2025-01-01",
            "WEST12",
            "Dec 31 23:00:00",
            "2025-01-01T11:00:00Z",
        ),
        // Summer, winter, and the hour that is there twice and that which is not.
        (
            "2024-11-29",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Jul  1 12:00:00",
            "2024-07-01T10:00:00Z",
        ),
        (
            "2024-07-01",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Feb  1 12:00:00",
            "2024-02-01T11:00:00Z",
        ),
        (
            "2024-10-26",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Oct 27 02:30:00",
            "2024-10-27T00:30:00Z",
        ),
        (
            "2024-10-28",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Oct 27 02:30:00",
            "2024-10-27T01:30:00Z",
        ),
        (
            "2024-03-31",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Mar 31 02:30:00",
            "2024-03-31T00:30:00Z",
        ),
        (
            "2024-11-29",
            "UTC0",
            "2024-11-29T01:02:03.25-05:30",
            "2024-11-29T06:32:03.25Z",
        ),
    ] {
        let now = Clocks {
            wall: utc(&format!("{today}T12:00:00Z")),
            mono: 0,
        };
        let zone = Zone::posix(zone).unwrap();
        let packet = format!("<13>{stamp} h a: x");
        let p = parse(packet.as_bytes(), &REMOTE, &zone, now);
        assert_eq!(p.msg.sent, Some(utc(want)), "{today} {stamp}");
        assert_eq!(strings(&p)[0], "h");
        let skewed = (utc(want) - now.wall).abs() > 86_400 * SECOND;
        assert_eq!(p.flaws.contains(Flaws::SKEWED), skewed);
        seen += usize::from(skewed);
    }
    assert_eq!(seen, 9);
}

#[test]
fn the_local_socket() {
    for (packet, want) in [
        (
            "<30>Nov 29 01:02:03 dhcpd[7]: x\n",
            ["gw.example.net", "dhcpd", "7", "x"],
        ),
        (
            "<30>Nov 29 01:02:03 word x\0",
            ["gw.example.net", "", "", "word x"],
        ),
        (
            "<30>dhcpd[7]: x\r\n\0\0\n",
            ["gw.example.net", "dhcpd", "7", "x"],
        ),
        // logger(1) that was told to write a host.
        ("<30>Nov 29 01:02:03 gw dhcpd: x", ["gw", "dhcpd", "", "x"]),
        (
            "<30>Nov 29 01:02:03 gw.example.net dhcpd: x",
            ["gw.example.net", "dhcpd", "", "x"],
        ),
        // NetBSD's libc.
        (
            "<30>1 2024-11-29T01:02:03.123456+01:00 gw.example.net dhcpd 7 - - x",
            ["gw.example.net", "dhcpd", "7", "x"],
        ),
        (
            "<30>1 - - dhcpd 7 - - x",
            ["gw.example.net", "dhcpd", "7", "x"],
        ),
    ] {
        let p = on("2024-11-29", packet.as_bytes(), &LOCAL);
        let [host, app, procid, _, _, text] = strings(&p);
        assert_eq!([host.as_str(), &app, &procid, &text], want, "{packet}");
        assert_eq!(p.msg.pri.value(), 30);
    }
    // A program is not the kernel. A remote host may be.
    assert_eq!(on("2024-11-29", b"<3>x", &LOCAL).msg.pri.value(), 11);
    assert_eq!(
        on("2024-11-29", b"<3>1 - - - - - - x", &LOCAL)
            .msg
            .pri
            .value(),
        11
    );
    assert_eq!(on("2024-11-29", b"<3>x", &REMOTE).msg.pri.value(), 3);
}

#[test]
fn kernel_messages() {
    let from = From {
        pri: Pri::from_value(5).unwrap(),
        kernel: true,
        ..LOCAL
    };
    let now = Clocks {
        wall: utc("2024-11-29T12:00:00Z"),
        mono: 100_000_000_000,
    };
    for (packet, pri, sent, text) in [
        ("<6>em0: link up\n", 6, None, "em0: link up"),
        ("em0: link up", 5, None, "em0: link up"),
        ("<6>Nov 29 not a stamp", 6, None, "Nov 29 not a stamp"),
        ("<x", 5, None, "<x"),
        ("6,1,40000000,-;eth0: up\n", 6, Some(60), "eth0: up"),
        (
            "30,339,5140900,c,caller=T1;a; b\\x0ac\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
            30,
            Some(95),
            "a; b\\x0ac",
        ),
        (
            "6,1,99999999999999999999,-;x",
            5,
            None,
            "6,1,99999999999999999999,-;x",
        ),
        ("6,1;x", 5, None, "6,1;x"),
        ("999,1,1,-;x", 5, None, "999,1,1,-;x"),
    ] {
        let p = parse(packet.as_bytes(), &from, &Zone::utc(), now);
        assert_eq!(
            (u16::from(p.msg.pri.value()), p.form),
            (pri, Form::Bare),
            "{packet}"
        );
        let ago = p
            .msg
            .sent
            .map(|sent| (now.wall - sent + SECOND - 1) / SECOND);
        assert_eq!(ago, sent, "{packet}");
        assert_eq!(strings(&p), ["gw.example.net", "kernel", "", "", "", text]);
        assert!(!p.flaws.contains(Flaws::NO_PRI));
    }
}

#[test]
fn rfc5424_is_read_strictly() {
    let head = "<13>1 2024-11-29T01:02:03Z h a p m ";
    for (rest, sd, text) in [
        ("-", "", ""),
        ("- ", "", ""),
        ("-  x ", "", " x "),
        ("[a] x", "[a]", "x"),
        ("[a][b c=\"\"] x", "[a][b c=\"\"]", "x"),
        (r#"[a b="\"\\\]\x"] x"#, r#"[a b="\"\\\]\x"]"#, "x"),
        ("[a b=\"c\" d=\"\n é\"] x", "[a b=\"c\" d=\"\n é\"]", "x"),
        ("[a] [b] x", "[a]", "[b] x"),
    ] {
        let packet = [head, rest].concat();
        let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
        assert_eq!(p.form, Form::Ietf);
        let empty = if text.is_empty() {
            Flaws::EMPTY
        } else {
            Flaws::none()
        };
        assert_eq!(p.flaws, empty, "{packet}");
        assert_eq!(strings(&p), ["h", "a", "p", "m", sd, text]);
    }
    // Malformed structured data is part of the text.
    for rest in [
        "-x",
        "x",
        " x",
        "[a]x",
        "[] x",
        "[a b] x",
        "[a b=c] x",
        "[a b=\"c] x",
        "[a b=\"c]\"] x",
        "[a b=\"c\"",
        "[a  b=\"c\"] x",
        "[a ] x",
        "[a\"b] x",
        "[abcdefghijklmnopqrstuvwxyz1234567] x",
        "[a b=\"c\\\"] x",
    ] {
        let packet = [head, rest].concat();
        let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
        assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::BAD_SD), "{packet}");
        assert_eq!(strings(&p), ["h", "a", "p", "m", "", rest]);
    }
    // A stamp that says nothing.
    for stamp in [
        "2024-02-30T01:02:03Z",
        "2024-11-29T24:02:03Z",
        "2024-11-29T01:02:60Z",
        "2024-11-29T01:02:03",
        "2024-11-29t01:02:03Z",
        "2024-11-29T01:02:03.Z",
        "2024-11-29T01:02:03.1234567890Z",
        "2024-11-29T01:02:03+25:00",
        "2024-11-29T01:02:03ZZ",
        "1500-01-01T00:00:00Z",
        "now",
    ] {
        let packet = format!("<13>1 {stamp} h a - - - x");
        let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
        assert_eq!((p.form, p.flaws), (Form::Ietf, Flaws::BAD_TIME), "{packet}");
        assert_eq!((p.msg.sent, p.msg.text), (None, &b"x"[..]));
    }
    // No header at all: everything behind the priority is text.
    for rest in [
        "1 ",
        "1 - h a p m",
        "1 - h  p m - x",
        "1 - h\u{e9} a p m - x",
        "1 x",
    ] {
        let packet = ["<13>", rest].concat();
        let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
        assert_eq!(
            (p.form, p.flaws),
            (Form::Bare, Flaws::BAD_HEADER),
            "{packet}"
        );
        assert_eq!(p.msg.text, rest.as_bytes());
    }
    // Another version is not this grammar.
    let p = on("2024-11-29", b"<13>2 - h a p m - x", &REMOTE);
    assert_eq!((p.form, p.msg.text), (Form::Bare, &b"2 - h a p m - x"[..]));
    // Long fields are kept, up to what a record can hold.
    let long = "a".repeat(49);
    let packet = format!("<13>1 2024-11-29T01:02:03.1234567Z h {long} - - - x");
    let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
    assert_eq!((p.flaws, p.msg.app), (Flaws::LONG, long.as_bytes()));
    assert_eq!(p.msg.sent, Some(utc("2024-11-29T01:02:03.123456Z")));
    let packet = format!("<13>1 - h {} - - - x", "a".repeat(256));
    let p = on("2024-11-29", packet.as_bytes(), &REMOTE);
    assert_eq!((p.form, p.flaws), (Form::Bare, Flaws::BAD_HEADER));
}

#[test]
fn bytes_stay_bytes() {
    let text = b"%s%n \xff\xfe\0\x01\x1b[2J \xed\xa0\x80 end";
    let p = [b"<13>1 - h a p m - ", &text[..]].concat();
    assert_eq!(on("2024-11-29", &p, &REMOTE).msg.text, text);
    let p = [b"<13>Nov 29 01:02:03 h a[p]: ", &text[..]].concat();
    assert_eq!(on("2024-11-29", &p, &REMOTE).msg.text, text);
    let p = [b"<13>Nov 29 01:02:03 h \xff: ", &text[..]].concat();
    let p = on("2024-11-29", &p, &REMOTE);
    assert_eq!((p.msg.app, &p.msg.text[..3]), (&b""[..], &b"\xff: "[..]));
    let big = [b"<13>1 - h a p m - ", &[b'x'; 65_536][..]].concat();
    assert_eq!(on("2024-11-29", &big, &REMOTE).msg.text.len(), 65_536);
}

#[test]
fn flaws_have_names() {
    let set = flaws(&[Flaws::BAD_SD, Flaws::CUT, Flaws::NO_PRI]);
    let names: Vec<_> = set.iter().map(|n| Flaws::NAMES[n]).collect();
    assert_eq!(names, ["no-pri", "bad-sd", "cut"]);
}
