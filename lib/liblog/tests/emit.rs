// SPDX-License-Identifier: BSD-2-Clause
//! Messages as they are written, whole and cut.

use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::emit::LINE_END;
use liblog::emit::bsd;
use liblog::emit::ietf;
use liblog::emit::line;
use liblog::parse::Flaws;
use liblog::parse::Form;
use liblog::parse::From;
use liblog::parse::parse;
use liblog::time::Zone;
use proptest::prelude::*;

/// 2003-10-01T22:14:15.003Z
const STAMP: i64 = 1_065_046_455_003_000_000;

fn msg(text: &[u8]) -> Msg<'_> {
    Msg {
        pri: Pri::from_value(34).unwrap(),
        sent: None,
        host: b"gw",
        app: b"su",
        procid: b"7",
        msgid: b"",
        sd: b"",
        text,
    }
}

fn written(max: usize, write: impl Fn(&mut Buf) -> bool) -> (String, bool) {
    let mut out = Buf::new(max);
    let whole = write(&mut out);
    (String::from_utf8(out.as_bytes().to_vec()).unwrap(), whole)
}

#[test]
fn as_they_are() {
    let zone = Zone::fixed(-5400);
    let m = msg(b"root failed");
    let out = |write: &dyn Fn(&mut Buf) -> bool| written(200, write).0;
    assert_eq!(
        out(&|b| bsd(&m, STAMP, &zone, true, 200, b)),
        "<34>Oct  1 20:44:15 gw su[7]: root failed"
    );
    assert_eq!(
        out(&|b| bsd(&m, STAMP, &zone, false, 200, b)),
        "Oct  1 20:44:15 gw su[7]: root failed"
    );
    assert_eq!(
        out(&|b| ietf(&m, STAMP, &zone, 200, b)),
        "<34>1 2003-10-01T20:44:15.003000-01:30 gw su 7 - - root failed"
    );
    let mut m = msg(b"\xef\xbb\xbfx");
    (m.host, m.app, m.procid, m.msgid) = (b"", b"", b"", b"id");
    m.sd = b"[a b=\"c\"]";
    assert_eq!(
        out(&|b| ietf(&m, STAMP, &Zone::utc(), 200, b)),
        "<34>1 2003-10-01T22:14:15.003000Z - - - id [a b=\"c\"] \u{feff}\u{feff}x"
    );
    assert_eq!(
        out(&|b| bsd(&m, STAMP, &Zone::utc(), true, 200, b)),
        "<34>Oct  1 22:14:15 - \u{feff}x"
    );
    // What is no structured data is not passed on as such; what has no text has no space.
    (m.sd, m.text) = (b"[a b]", b"");
    assert_eq!(
        written(200, |b| ietf(&m, STAMP, &Zone::utc(), 200, b)),
        ("<34>1 2003-10-01T22:14:15.003000Z - - - id -".into(), false)
    );
}

#[test]
fn lines_show_what_is_in_them() {
    let m = msg(b"a\tb\nc\x1b[2J\x7f \xff\xc3( \xc3\xa9\xe2\x82\xac \xc2\x9b1m\0%s\\");
    assert_eq!(
        written(200, |b| line(&m, STAMP, &Zone::utc(), b)).0,
        "Oct  1 22:14:15 gw su[7]: a\tb^Jc^[[2J^? \\377\\303( é€ \\302\\2331m^@%s\\"
    );
}

#[test]
fn what_is_too_long_has_a_mark() {
    let m = msg("0123456789é€".as_bytes());
    let z = Zone::utc();
    let of = |max| written(max, |b| bsd(&m, STAMP, &z, false, 200, b));
    assert_eq!(
        of(41),
        ("Oct  1 22:14:15 gw su[7]: 0123456789é€".into(), true)
    );
    assert_eq!(
        of(40),
        ("Oct  1 22:14:15 gw su[7]: 0123456789...".into(), false)
    );
    assert_eq!(
        of(38),
        ("Oct  1 22:14:15 gw su[7]: 012345678...".into(), false)
    );
    assert_eq!(of(29), ("Oct  1 22:14:15 gw su[7]: ...".into(), false));
    assert_eq!(of(10), ("Oct  1 22:".into(), false));
    // The limit counts from where writing began, whatever room there is.
    let mut out = Buf::new(200);
    out.push(b"40 ");
    assert!(!bsd(&m, STAMP, &z, false, 40, &mut out));
    assert_eq!(
        out.as_bytes(),
        b"40 Oct  1 22:14:15 gw su[7]: 0123456789..."
    );
    // A line leaves room for its end.
    assert_eq!(
        written(42, |b| line(&m, STAMP, &z, b) || b.push(b"\r\n")).0,
        "Oct  1 22:14:15 gw su[7]: 0123456789...\r\n"
    );
}

/// Writes a message of at most so many bytes.
type Writer<'a> = &'a dyn Fn(usize, &mut Buf) -> bool;

/// Any message that a parser could have made.
fn strings() -> impl Strategy<Value = (String, String, String, String, String, Vec<u8>)> {
    let sd = prop_oneof![
        Just(String::new()),
        Just("[x@1]".to_owned()),
        Just("[x@1 a=\"\\\"\\]é\n\"][y z=\"\"]".to_owned()),
    ];
    let text = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        ".{0,30}".prop_map(String::into_bytes),
        Just(b"\xef\xbb\xbf\xef\xbb\xbf".to_vec()),
    ];
    let field = || "[!-~]{0,40}".prop_filter("no value", |s| s != "-");
    (field(), field(), field(), "[!-~&&[^-]]{0,32}", sd, text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ietf_is_read_as_it_was(
        (host, app, procid, msgid, sd, mut text) in strings(),
        micros in -9_000_000_000_000_000..9_000_000_000_000_000i64,
        pri in 0..192u16,
        offset in -50_000..50_000,
    ) {
        while matches!(text.last(), Some(b'\n' | b'\r' | 0)) {
            text.pop();
        }
        let m = Msg {
            pri: Pri::from_value(pri).unwrap(),
            sent: Some(micros * 1000),
            host: host.as_bytes(),
            app: app.as_bytes(),
            procid: procid.as_bytes(),
            msgid: msgid.as_bytes(),
            sd: sd.as_bytes(),
            text: &text,
        };
        let mut out = Buf::new(1000);
        prop_assert!(ietf(&m, micros * 1000, &Zone::fixed(offset), 1000, &mut out));
        let from = From { pri: Pri::DEFAULT, host: b"", local: false, kernel: false };
        let now = Clocks { wall: micros * 1000, mono: 0 };
        let p = parse(out.as_bytes(), &from, &Zone::utc(), now);
        prop_assert_eq!(p.form, Form::Ietf);
        prop_assert_eq!(p.flaws, if text.is_empty() { Flaws::EMPTY } else { Flaws::none() });
        prop_assert_eq!(p.msg, m);
    }

    /// Nothing goes over its limit; what is said to be whole is what a larger buffer gets.
    #[test]
    fn limits_hold(
        (host, app, procid, msgid, sd, text) in strings(),
        max in 0..200usize,
        capacity in 0..200usize,
        before in 0..20usize,
    ) {
        let m = Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: host.as_bytes(),
            app: app.as_bytes(),
            procid: procid.as_bytes(),
            msgid: msgid.as_bytes(),
            sd: sd.as_bytes(),
            text: &text,
        };
        let z = Zone::utc();
        let writers: [Writer<'_>; 4] = [
            &|max, b| bsd(&m, STAMP, &z, true, max, b),
            &|max, b| bsd(&m, STAMP, &z, false, max, b),
            &|max, b| ietf(&m, STAMP, &z, max, b),
            &|_, b| line(&m, STAMP, &z, b),
        ];
        for (n, write) in writers.into_iter().enumerate() {
            let mut all = Buf::new(2000);
            prop_assert!(write(2000, &mut all));
            let mut out = Buf::new(capacity);
            out.push(&[b'#'; 20][..before]);
            let start = out.len();
            let whole = write(max, &mut out);
            let room = if n == 3 {
                (capacity - start).saturating_sub(LINE_END)
            } else {
                max.min(capacity - start)
            };
            prop_assert_eq!(&out.as_bytes()[..start], &b"####################"[..start]);
            let got = &out.as_bytes()[start..];
            prop_assert!(got.len() <= room);
            prop_assert_eq!(whole, got == all.as_bytes());
            prop_assert_eq!(whole, all.len() <= room);
        }
        prop_assert!(!Buf::new(0).byte(1));
    }

    /// A line is one line of UTF-8 without controls.
    #[test]
    fn lines_are_lines(text in prop::collection::vec(any::<u8>(), 0..100), capacity in 30..200usize) {
        let mut out = Buf::new(capacity);
        line(&msg(&text), STAMP, &Zone::utc(), &mut out);
        let shown = std::str::from_utf8(out.as_bytes());
        prop_assert!(shown.is_ok_and(|s| s.chars().all(|c| !c.is_control() || c == '\t')));
    }
}
