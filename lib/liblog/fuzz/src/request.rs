// SPDX-License-Identifier: BSD-2-Clause
//! The control socket: parsers of both sides are total, and what is written is read.

use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::filter::Filter;
use liblog::proto::Line;
use liblog::proto::Request;
use liblog::proto::parse_line;
use liblog::proto::parse_request;
use liblog::proto::write_record;
use liblog::ring::Record;
use liblog::time::Zone;

/// A line, which is also the text of a record.
pub fn request(data: &[u8]) {
    let record = Record {
        seq: data.len() as u64,
        at: Clocks::default(),
        msg: Msg {
            pri: Pri::DEFAULT,
            sent: None,
            host: b"",
            app: b"a",
            procid: b"",
            msgid: b"",
            sd: data.get(..data.len() / 2).unwrap_or_default(),
            text: data,
        },
        cut: false,
    };
    if let Ok(request) = parse_request(data) {
        let written = serde_json::to_vec(&request).expect("JSON");
        assert_eq!(parse_request(&written).as_ref(), Ok(&request));
        if let Request::Read(read) = request
            && let Ok(filter) = Filter::new(&read.filter)
        {
            let _ = filter.matches(&record);
        }
    }
    if let Ok(Line::Reply(reply)) = parse_line(data) {
        let written = serde_json::to_vec(&reply).expect("JSON");
        match parse_line(&written) {
            Ok(Line::Reply(again)) => assert_eq!(again, reply),
            other => panic!("{other:?}"),
        }
    }
    let mut out = Buf::new(8192);
    assert!(write_record(&record, &Zone::utc(), &mut out));
    let Ok(Line::Record(line)) = parse_line(out.as_bytes()) else {
        panic!("no record");
    };
    if line.len.is_none() {
        assert_eq!(
            (&line.text_bytes()[..], &line.sd_bytes()[..]),
            (data, record.msg.sd)
        );
    }
}
