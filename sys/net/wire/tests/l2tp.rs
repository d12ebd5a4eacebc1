// SPDX-License-Identifier: BSD-2-Clause
//! L2TPv3 headers against bytes written out by hand from RFC 3931, and against any bytes at all.

use proptest::prelude::*;
use wire::l2tp::{
    Cookie, CookieLen, Encap, Layout, MAX_HEADER, Message, Refused, SEQUENCE_MASK, SessionId,
    Sublayer, Template,
};
use wire::{Error, Short};

const COOKIE: [u8; 8] = [0xc0, 0x0c, 0x1e, 0x01, 0x23, 0x45, 0x67, 0x89];
const ID: u32 = 0x0a0b_0c0d;

fn id() -> SessionId {
    SessionId::new(ID).unwrap()
}

fn cookie(len: usize) -> Cookie {
    Cookie::from_bytes(&COOKIE[..len]).unwrap()
}

/// Every shape of header, with the bytes it must have (sequence number 0x010203 if there is room).
fn golden() -> Vec<(Layout, usize, Vec<u8>)> {
    let mut all = Vec::new();
    for encap in [Encap::Ip, Encap::Udp] {
        for len in [0, 4, 8] {
            for sublayer in [Sublayer::None, Sublayer::Default] {
                let mut b: Vec<u8> = Vec::new();
                if encap == Encap::Udp {
                    b.extend([0x00, 0x03, 0x00, 0x00]);
                }
                b.extend([0x0a, 0x0b, 0x0c, 0x0d]);
                b.extend(&COOKIE[..len]);
                if sublayer == Sublayer::Default {
                    b.extend([0x40, 0x01, 0x02, 0x03]);
                }
                all.push((Layout { encap, sublayer }, len, b));
            }
        }
    }
    assert_eq!(all.len(), 12);
    all
}

#[test]
fn emit_golden_bytes_and_every_room() {
    for (layout, len, want) in golden() {
        let cookie = cookie(len);
        assert_eq!(layout.header_len(cookie.len()), want.len());
        for room in 0..=MAX_HEADER + 4 {
            let mut out = vec![0xee; room];
            let done = layout.emit(id(), &cookie, Some(0xff01_0203), &mut out);
            if room < want.len() {
                assert_eq!(done, Err(Short), "{layout:?} {len} {room}");
            } else {
                assert_eq!(done, Ok(()));
                assert_eq!(out[..want.len()], want);
                assert!(
                    out[want.len()..].iter().all(|&b| b == 0xee),
                    "wrote beyond its header"
                );
            }
        }
    }
}

#[test]
fn template_is_emit_without_sequence() {
    for (layout, len, want) in golden() {
        let mut unsequenced = want;
        if layout.sublayer == Sublayer::Default {
            let n = unsequenced.len();
            unsequenced[n - 4..].fill(0);
        }
        let mut t = Template::new(layout, id(), &cookie(len));
        assert_eq!(t.as_bytes(), unsequenced);
        assert_eq!(t.header_len(), unsequenced.len());
        for room in 0..MAX_HEADER + 4 {
            let mut out = vec![0xee; room];
            if room < t.header_len() {
                assert_eq!(t.write(&mut out), Err(Short));
                assert!(out.iter().all(|&b| b == 0xee));
            } else {
                assert_eq!(t.write(&mut out), Ok(()));
                assert_eq!(out[..t.header_len()], unsequenced);
                assert!(out[t.header_len()..].iter().all(|&b| b == 0xee));
            }
        }
        assert_eq!(
            format!("{t:?}"),
            format!("Template({} bytes)", t.header_len())
        );
        t.clear();
        assert!(t.as_bytes().is_empty());
    }
}

#[test]
fn read_golden_bytes_and_every_truncation() {
    for (layout, len, mut bytes) in golden() {
        let header = bytes.len();
        bytes.extend([0x55; 3]);
        let cookie = cookie(len);
        let base = layout.encap.base_len();
        for n in 0..=bytes.len() {
            let parsed = Message::parse(&bytes[..n], layout.encap);
            if n < base {
                assert_eq!(parsed, Err(Error::Short), "{layout:?} {len} {n}");
                continue;
            }
            assert_eq!(
                parsed,
                Ok(Message::Data {
                    session: id(),
                    at: base
                })
            );
            let opened = layout.open(&cookie, &bytes[base..n]);
            if n < header {
                assert_eq!(opened, Err(Refused::Short), "{layout:?} {len} {n}");
                continue;
            }
            let opened = opened.unwrap();
            assert_eq!(base + opened.payload_at, header);
            let sequenced = layout.sublayer == Sublayer::Default;
            assert_eq!(opened.sequence, sequenced.then_some(0x01_0203));
        }
    }
}

#[test]
fn wrong_cookie_is_judged_before_the_sublayer() {
    for (layout, len, bytes) in golden() {
        if len == 0 {
            continue;
        }
        let base = layout.encap.base_len();
        for bit in 0..len * 8 {
            let mut wrong = bytes[base..].to_vec();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(layout.open(&cookie(len), &wrong), Err(Refused::Cookie));
            wrong.truncate(len);
            assert_eq!(layout.open(&cookie(len), &wrong), Err(Refused::Cookie));
        }
    }
}

#[test]
fn sublayer_without_the_s_bit_has_no_number() {
    let layout = Layout {
        encap: Encap::Ip,
        sublayer: Sublayer::Default,
    };
    for (first, want) in [
        (0x00, None),
        (0xbf, None),
        (0x40, Some(0x09_0807)),
        (0xff, Some(0x09_0807)),
    ] {
        let opened = layout.open(&Cookie::NONE, &[first, 9, 8, 7]).unwrap();
        assert_eq!((opened.payload_at, opened.sequence), (4, want));
    }
    let mut out = [0xee; 8];
    layout
        .emit(id(), &Cookie::NONE, Some(u32::MAX), &mut out)
        .unwrap();
    assert_eq!(out[4..], [0x40, 0xff, 0xff, 0xff]);
    assert_eq!(SEQUENCE_MASK, 0x00ff_ffff);
}

#[test]
fn control_messages() {
    // Over IP: session id 0, then the control header.
    let ip = [0, 0, 0, 0, 0xc8, 0x03, 0, 12];
    assert_eq!(
        Message::parse(&ip, Encap::Ip),
        Ok(Message::Control { at: 4 })
    );
    // Over UDP: the control header at once.
    let udp = [0xc8, 0x03, 0, 12];
    assert_eq!(
        Message::parse(&udp, Encap::Udp),
        Ok(Message::Control { at: 0 })
    );
    assert_eq!(Message::parse(&udp[..3], Encap::Udp), Err(Error::Short));
    // L2TPv2, control and data, shares the port.
    assert_eq!(
        Message::parse(&[0xc8, 0x02, 0, 12], Encap::Udp),
        Err(Error::BadVersion)
    );
    let v2 = [0x00, 0x02, 0, 1, 0, 1, 0xff, 0x03];
    assert_eq!(Message::parse(&v2, Encap::Udp), Err(Error::BadVersion));
}

#[test]
fn udp_prefix_version_counts_and_the_rest_does_not() {
    for word in 0..=u16::MAX {
        let [h, l] = word.to_be_bytes();
        let got = Message::parse(&[h, l, 0xff, 0xff, 0, 0, 0, 1], Encap::Udp);
        let want = match (word & 0xf, word >> 15) {
            (3, 1) => Ok(Message::Control { at: 0 }),
            (3, _) => Ok(Message::Data {
                session: SessionId::new(1).unwrap(),
                at: 8,
            }),
            _ => Err(Error::BadVersion),
        };
        assert_eq!(got, want, "{word:#06x}");
    }
    assert_eq!(
        Message::parse(&[0, 3, 0, 0, 0, 0, 0, 0], Encap::Udp),
        Err(Error::BadSession)
    );
}

#[test]
fn session_ids() {
    assert_eq!(SessionId::new(0), None);
    assert_eq!(SessionId::new(u32::MAX).unwrap().get(), u32::MAX);
    assert_eq!(size_of::<Option<SessionId>>(), 4);
    assert_eq!(id().to_string(), "168496141");
}

fn layouts() -> impl Strategy<Value = Layout> {
    (any::<bool>(), any::<bool>()).prop_map(|(udp, sub)| Layout {
        encap: if udp { Encap::Udp } else { Encap::Ip },
        sublayer: if sub {
            Sublayer::Default
        } else {
            Sublayer::None
        },
    })
}

fn cookies() -> impl Strategy<Value = Cookie> {
    (0..3u32, any::<u64>()).prop_map(|(n, v)| {
        let len = CookieLen::new(n * 4).unwrap();
        let fit = v.checked_shr(64 - n * 32).unwrap_or(0);
        Cookie::from_value(len, fit).unwrap()
    })
}

proptest! {
    /// What one end writes the other end reads.
    #[test]
    fn round_trip(
        layout in layouts(),
        cookie in cookies(),
        n in 1..=u32::MAX,
        sequence in any::<Option<u32>>(),
        payload in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let session = SessionId::new(n).unwrap();
        let at = layout.header_len(cookie.len());
        let mut b = vec![0xee; at];
        layout.emit(session, &cookie, sequence, &mut b).unwrap();
        b.extend(&payload);
        let base = layout.encap.base_len();
        prop_assert_eq!(
            Message::parse(&b, layout.encap),
            Ok(Message::Data { session, at: base })
        );
        let opened = layout.open(&cookie, &b[base..]).unwrap();
        prop_assert_eq!(&b[base + opened.payload_at..], &payload[..]);
        let expected = match layout.sublayer {
            Sublayer::Default => sequence.map(|s| s & SEQUENCE_MASK),
            Sublayer::None => None,
        };
        prop_assert_eq!(opened.sequence, expected);
    }

    /// Any bytes give an answer, and offsets lie within them.
    #[test]
    fn any_bytes(
        layout in layouts(),
        cookie in cookies(),
        b in prop::collection::vec(any::<u8>(), 0..48),
    ) {
        match Message::parse(&b, layout.encap) {
            Ok(Message::Control { at }) => prop_assert!(at <= b.len()),
            Ok(Message::Data { session, at }) => {
                prop_assert_eq!(&b[at - 4..at], &session.get().to_be_bytes()[..]);
                match layout.open(&cookie, &b[at..]) {
                    Ok(o) => prop_assert!(at + o.payload_at <= b.len()),
                    Err(Refused::Short) => prop_assert!(b.len() - at < 12),
                    Err(Refused::Cookie) => prop_assert!(!cookie.is_empty()),
                }
            }
            Err(Error::Short) => prop_assert!(b.len() < layout.encap.base_len()),
            Err(e) => prop_assert!(matches!(e, Error::BadVersion | Error::BadSession)),
        }
    }

    /// The comparison agrees with the plain one.
    #[test]
    fn cookie_equality(a in any::<u64>(), b in any::<u64>(), same in any::<bool>()) {
        let b = if same { a } else { b };
        let eight = Cookie::from_value(CookieLen::Eight, a).unwrap();
        prop_assert_eq!(eight.matches(&b.to_be_bytes()), a == b);
        let (a, b) = (a as u32, b as u32);
        let four = Cookie::from_value(CookieLen::Four, u64::from(a)).unwrap();
        prop_assert_eq!(four.matches(&b.to_be_bytes()), a == b);
    }
}
