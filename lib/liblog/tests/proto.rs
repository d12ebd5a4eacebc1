// SPDX-License-Identifier: BSD-2-Clause
//! The words of the control socket, there and back.

use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::filter::FilterSpec;
use liblog::proto::Code;
use liblog::proto::EndWhy;
use liblog::proto::LINE_MIN;
use liblog::proto::Line;
use liblog::proto::Read;
use liblog::proto::RecordLine;
use liblog::proto::Reply;
use liblog::proto::Request;
use liblog::proto::RingInfo;
use liblog::proto::parse_line;
use liblog::proto::parse_request;
use liblog::proto::write_record;
use liblog::ring::Record;
use liblog::time::Zone;
use proptest::prelude::*;

fn record<'a>(text: &'a [u8], sd: &'a [u8]) -> Record<'a> {
    Record {
        seq: 7,
        at: Clocks {
            wall: 1_700_000_000_123_456_789,
            mono: 55,
        },
        msg: Msg {
            pri: Pri::from_value(38).unwrap(),
            sent: Some(-5),
            host: b"gw",
            app: b"sshd",
            procid: b"12",
            msgid: b"",
            sd,
            text,
        },
        cut: false,
    }
}

fn read(out: &Buf) -> RecordLine {
    assert_eq!(out.as_bytes().iter().filter(|&&b| b == b'\n').count(), 1);
    match parse_line(out.as_bytes()) {
        Ok(Line::Record(line)) => *line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_as_it_is() {
    let mut out = Buf::new(LINE_MIN);
    let text = b"a\"b\\c\n\x01\x7f\xff\xc3\xa9";
    assert!(write_record(&record(text, b""), &Zone::utc(), &mut out));
    let want = "{\"seq\":7,\"time\":\"2023-11-14T22:13:20.123456Z\",\"wall\":1700000000123456789,\
        \"mono\":55,\"sent\":-5,\"facility\":\"auth\",\"severity\":\"info\",\"host\":\"gw\",\
        \"app\":\"sshd\",\"procid\":\"12\",\
        \"text\":\"a\\\"b\\\\c\\n\\u0001\\u007f\u{fffd}é\",\"raw\":\"YSJiXGMKAX//w6k=\"}\n";
    assert_eq!(std::str::from_utf8(out.as_bytes()), Ok(want));
    assert_eq!(read(&out).text_bytes(), text);
}

#[test]
fn what_does_not_fit_waits_or_is_cut() {
    let mut out = Buf::new(LINE_MIN);
    let r = record(b"small", b"");
    let mut lines = 0;
    while write_record(&r, &Zone::utc(), &mut out) {
        lines += 1;
    }
    let all = out.as_bytes();
    assert!(lines > 20 && all.ends_with(b"}\n"));
    assert_eq!(all.iter().filter(|&&b| b == b'\n').count(), lines);

    // 64 KB of what takes six bytes each, in the smallest buffer.
    let text = vec![1; 65_536];
    let sd = vec![0xff; 65_535];
    let mut big = record(&text, &sd);
    let field = vec![1; 255];
    for place in [
        &mut big.msg.host,
        &mut big.msg.app,
        &mut big.msg.procid,
        &mut big.msg.msgid,
    ] {
        *place = &field;
    }
    out.clear();
    assert!(write_record(&big, &Zone::utc(), &mut out));
    let line = read(&out);
    assert_eq!((line.len, line.sd.len()), (Some(65_536), 0));
    assert_eq!(line.host.len(), 255);
    out.clear();
    out.byte(b'x');
    assert!(!write_record(&big, &Zone::utc(), &mut out));
    assert_eq!(out.as_bytes(), b"x");
    // And whole in one that is large enough.
    let mut out = Buf::new(700_000);
    assert!(write_record(&big, &Zone::utc(), &mut out));
    let line = read(&out);
    assert_eq!(
        (line.text_bytes(), line.sd_bytes(), line.len),
        (text, sd, None)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_there_and_back(
        numbers in (any::<u64>(), any::<i64>(), any::<u64>(), any::<Option<i64>>(), 0..192u16, any::<bool>()),
        text in prop_oneof![prop::collection::vec(any::<u8>(), 0..500), ".{0,200}".prop_map(String::into_bytes)],
        sd in prop::collection::vec(any::<u8>(), 0..40),
        name in "[!-~]{0,20}",
    ) {
        let (seq, wall, mono, sent, pri, cut) = numbers;
        let mut r = record(&text, &sd);
        (r.seq, r.at, r.cut) = (seq, Clocks { wall, mono }, cut);
        (r.msg.sent, r.msg.pri) = (sent, Pri::from_value(pri).unwrap());
        r.msg.msgid = name.as_bytes();
        let mut out = Buf::new(LINE_MIN);
        prop_assert!(write_record(&r, &Zone::fixed(3600), &mut out));
        let line = read(&out);
        prop_assert_eq!(line.text_bytes(), text.clone());
        prop_assert_eq!(line.sd_bytes(), sd.clone());
        prop_assert_eq!(line.raw.is_some(), std::str::from_utf8(&text).is_err());
        prop_assert_eq!(&line.text, &String::from_utf8_lossy(&text));
        prop_assert_eq!((line.seq, line.wall, line.mono, line.sent), (seq, wall, mono, sent));
        prop_assert_eq!((line.cut, line.len, line.msgid), (cut, None, name.clone()));
        prop_assert_eq!(line.facility, r.msg.pri.facility.name());
        prop_assert_eq!(line.severity, r.msg.pri.severity.name());
    }
}

#[test]
fn requests() {
    let read = Read {
        ring: "all".into(),
        boot: Some(5),
        from: Some(9),
        follow: true,
        ..Read::default()
    };
    let mut filtered = read.clone();
    filtered.limit = Some(3);
    filtered.last = Some(4);
    filtered.filter = FilterSpec {
        level: Some("err".into()),
        ..FilterSpec::default()
    };
    for (request, line) in [
        (
            Request::Read(Box::new(read)),
            r#"{"op":"read","ring":"all","boot":5,"from":9,"follow":true}"#,
        ),
        (
            Request::Read(Box::new(filtered)),
            r#"{"op":"read","ring":"all","boot":5,"from":9,"last":4,"follow":true,"limit":3,"filter":{"level":"err"}}"#,
        ),
        (Request::Rings, r#"{"op":"rings"}"#),
        (Request::Stats, r#"{"op":"stats"}"#),
        (
            Request::Resize {
                ring: "a".into(),
                size: 65_536,
            },
            r#"{"op":"resize","ring":"a","size":65536}"#,
        ),
        (
            Request::Clear { ring: "a".into() },
            r#"{"op":"clear","ring":"a"}"#,
        ),
        (Request::Throttle, r#"{"op":"throttle"}"#),
        (Request::Flush, r#"{"op":"flush"}"#),
        (Request::Ping, r#"{"op":"ping"}"#),
    ] {
        assert_eq!(parse_request(line.as_bytes()).as_ref(), Ok(&request));
        let written = serde_json::to_string(&request).unwrap();
        let [written, line] = [&written, line].map(|l| {
            let value: serde_json::Value = serde_json::from_str(l).unwrap();
            value
        });
        assert_eq!(written, line);
    }
    for bad in [
        "",
        "{}",
        r#"{"op":"read"}"#,
        r#"{"op":"read","ring":"a","frm":1}"#,
        r#"{"op":"resize","ring":"a","size":-1}"#,
        r#"{"op":"what"}"#,
        "[[[[",
    ] {
        assert!(parse_request(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn replies() {
    for reply in [
        Reply::Hello {
            hello: 1,
            ring: "a".into(),
            boot: 2,
            first: 3,
            next: 4,
        },
        Reply::Lost { lost: 5, next: 6 },
        Reply::End {
            end: EndWhy::Limit,
            next: 9,
        },
        Reply::error(Code::NoRing, "no ring \"x\""),
        Reply::Rings {
            rings: vec![RingInfo {
                name: "all".into(),
                size: 4096,
                ..RingInfo::default()
            }],
        },
        Reply::Stats {
            stats: serde_json::json!({"received": {"udp": 1}}),
        },
        Reply::Throttle {
            throttle: serde_json::json!([]),
        },
        Reply::Done {
            done: "resize".into(),
            lost: 2,
        },
    ] {
        let line = serde_json::to_vec(&reply).unwrap();
        match parse_line(&line) {
            Ok(Line::Reply(read)) => assert_eq!(read, reply),
            other => panic!("{other:?}"),
        }
    }
    let lost = serde_json::to_string(&Reply::Lost { lost: 5, next: 6 }).unwrap();
    assert_eq!(lost, r#"{"lost":5,"next":6}"#);
    let error = serde_json::to_string(&Reply::error(Code::NoRing, "x")).unwrap();
    assert_eq!(error, r#"{"error":"x","code":"no-ring"}"#);
    assert!(parse_line(b"{\"seq\":1}").is_err());
    assert!(parse_line(b"hello").is_err());
}
