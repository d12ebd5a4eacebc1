// SPDX-License-Identifier: BSD-2-Clause
//! Parsers: total; what they give is part of what came, and is read again as it was.

use liblog::Buf;
use liblog::Clocks;
use liblog::Msg;
use liblog::Pri;
use liblog::emit;
use liblog::parse::Flaws;
use liblog::parse::Form;
use liblog::parse::From;
use liblog::parse::is_sd;
use liblog::time::Zone;

/// 2024-12-31T23:00:00Z, and two days up.
const NOW: Clocks = Clocks {
    wall: 1_735_686_000_000_000_000,
    mono: 172_800_000_000_000,
};

/// One byte says where the packet came from and the zone; the packet.
pub fn parse(data: &[u8]) {
    let Some((&how, packet)) = data.split_first() else {
        return;
    };
    let from = From {
        pri: Pri::DEFAULT,
        host: b"gw.example.net",
        local: how & 1 != 0,
        kernel: how & 2 != 0,
    };
    let zone = match how >> 2 & 3 {
        0 => Zone::utc(),
        1 => Zone::fixed(-34_200),
        2 => Zone::fixed(50_400),
        _ => Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("rules"),
    };
    let p = liblog::parse::parse(packet, &from, &zone, NOW);
    let msg = p.msg;
    for field in [msg.host, msg.app, msg.procid, msg.msgid] {
        assert!(field.len() <= 255 && field.iter().all(u8::is_ascii_graphic));
    }
    for bytes in [msg.app, msg.procid, msg.msgid, msg.sd, msg.text] {
        assert!(bytes.is_empty() || bytes == b"kernel" || within(packet, bytes));
    }
    assert!(msg.sd.is_empty() || is_sd(msg.sd));
    assert!(!matches!(msg.text.last(), Some(b'\n' | 0)));
    assert_eq!(p.flaws.contains(Flaws::EMPTY), msg.text.is_empty());
    if p.form == Form::Bare && !from.kernel {
        assert_eq!(
            (msg.app, msg.procid, msg.msgid, msg.sent),
            (&b""[..], &b""[..], &b""[..], None)
        );
    }
    again(&msg, &zone);
    line(&msg, &zone);
}

/// Whether one slice lies in the other.
fn within(all: &[u8], part: &[u8]) -> bool {
    let (all, part) = (all.as_ptr_range(), part.as_ptr_range());
    all.start <= part.start && part.end <= all.end
}

/// Written as RFC 5424 it is the same message; fields that the RFC finds too long are cut.
fn again(msg: &Msg<'_>, zone: &Zone) {
    let mut out = Buf::new(msg.text.len() + msg.sd.len() + 1200);
    let stamp = msg.sent.unwrap_or(NOW.wall);
    assert!(emit::ietf(msg, stamp, zone, out.capacity(), &mut out));
    let from = From {
        pri: Pri::DEFAULT,
        host: b"",
        local: false,
        kernel: false,
    };
    let p = liblog::parse::parse(out.as_bytes(), &from, zone, NOW);
    let cut = |bytes: &'_ [u8], max: usize| {
        let kept = bytes.get(..max).unwrap_or(bytes);
        // A dash is how to say nothing.
        if kept == b"-" { vec![] } else { kept.to_vec() }
    };
    assert_eq!(p.form, Form::Ietf);
    assert_eq!(p.msg.pri, msg.pri);
    assert_eq!(p.msg.sent, Some(stamp.div_euclid(1000) * 1000));
    assert_eq!(p.msg.host, cut(msg.host, 255));
    assert_eq!(p.msg.app, cut(msg.app, 48));
    assert_eq!(p.msg.procid, cut(msg.procid, 128));
    assert_eq!(p.msg.msgid, cut(msg.msgid, 32));
    assert_eq!(p.msg.sd, msg.sd);
    assert_eq!(p.msg.text, msg.text);
    // Cut anywhere it is still within its limit.
    for max in [60, 100, out.len() - 1] {
        let mut part = Buf::new(max);
        emit::ietf(msg, stamp, zone, max, &mut part);
        emit::bsd(msg, stamp, zone, true, max / 2, &mut part);
        assert!(part.len() <= max);
    }
}

/// For files it is one line that shows everything.
fn line(msg: &Msg<'_>, zone: &Zone) {
    let mut out = Buf::new(msg.text.len() * 4 + 1200);
    assert!(emit::line(msg, NOW.wall, zone, &mut out));
    let shown = std::str::from_utf8(out.as_bytes()).expect("UTF-8");
    assert!(shown.chars().all(|c| !c.is_control() || c == '\t'));
}
