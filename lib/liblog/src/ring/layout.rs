// SPDX-License-Identifier: BSD-2-Clause
//! The bytes of a ring. All numbers are little-endian.
//!
//! ```text
//!   0  what never changes: magic, version, key, size, sum
//!  64  the state, 16 words: two places, written in turn, each with its sum
//! 320  records, each at a multiple of 8
//! ```
//!
//! A crash at any moment leaves one good state, that before the last push or that after it. The
//! CRC of records starts from the ring's key, so no text that holds the bytes of a record is taken
//! for one.

use zerocopy::FromBytes;
use zerocopy::Immutable;
use zerocopy::IntoBytes;
use zerocopy::KnownLayout;
use zerocopy::Unaligned;
use zerocopy::little_endian::I64;
use zerocopy::little_endian::U16;
use zerocopy::little_endian::U32;
use zerocopy::little_endian::U64;

use super::types::Bad;
use super::types::MIN_SIZE;
use super::types::Record;
use crate::msg::Clocks;
use crate::msg::Msg;
use crate::pri::Pri;

/// Bytes before the records.
pub const HEADER: usize = 320;
/// The fixed part of a record.
pub const HEAD: usize = size_of::<Head>();

const MAGIC: u64 = u64::from_le_bytes(*b"RWlogrng");
const VERSION: u32 = 1;
const STATES: [usize; 2] = [64, 192];
const WORDS: usize = 16;

/// The record was cut.
const CUT: u8 = 1;
/// The message says when it was sent.
const SENT: u8 = 2;

/// What never changes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Fixed {
    magic: U64,
    version: U32,
    key: U32,
    size: U64,
    sum: U64,
}

/// The fixed part of a record; the CRC is of all behind it.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Head {
    crc: U32,
    text: U32,
    seq: U64,
    wall: I64,
    mono: U64,
    sent: I64,
    sd: U16,
    pri: u8,
    flags: u8,
    host: u8,
    app: u8,
    procid: u8,
    msgid: u8,
}

/// Where records are, and what was counted. Offsets are from the end of the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How often it was written.
    pub generation: u64,
    /// The ring's number.
    pub boot: u64,
    /// Where the oldest record is.
    pub head: u64,
    /// Where the next one goes.
    pub tail: u64,
    /// Where those before the wrap end; 0: there is no wrap.
    pub end: u64,
    /// How many records.
    pub count: u64,
    /// Their bytes.
    pub used: u64,
    /// The oldest one's number; without any, the next one's.
    pub first: u64,
    /// The newest one's number.
    pub last: u64,
    /// The next one's number.
    pub next: u64,
    /// Counters, as in `Stats`.
    pub pushed: u64,
    /// Dropped.
    pub dropped: u64,
    /// Cut.
    pub cut: u64,
    /// Cleared.
    pub cleared: u64,
    /// 1: finished.
    pub clean: u64,
}

impl State {
    const fn words(&self) -> [u64; WORDS - 1] {
        [
            self.generation,
            self.boot,
            self.head,
            self.tail,
            self.end,
            self.count,
            self.used,
            self.first,
            self.last,
            self.next,
            self.pushed,
            self.dropped,
            self.cut,
            self.cleared,
            self.clean,
        ]
    }

    /// Writes it into the place of its generation.
    pub fn store(&self, region: &mut [u8], key: u32) {
        let words = self.words();
        let at = STATES[(self.generation & 1) as usize];
        let Some(place) = region.get_mut(at..at + WORDS * 8) else {
            return;
        };
        let sum = mixed(key, &words);
        for (to, word) in place.chunks_exact_mut(8).zip(words.iter().chain(&[sum])) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    }

    fn load_from(region: &[u8], at: usize, key: u32) -> Option<State> {
        let mut words = [0; WORDS];
        let (bytes, _) = region.get(at..)?.as_chunks::<8>();
        for (word, bytes) in words.iter_mut().zip(bytes) {
            *word = u64::from_le_bytes(*bytes);
        }
        let [
            generation,
            boot,
            head,
            tail,
            end,
            count,
            used,
            first,
            last,
            next,
            rest @ ..,
        ] = words;
        let [pushed, dropped, cut, cleared, clean, sum] = rest;
        let state = State {
            generation,
            boot,
            head,
            tail,
            end,
            count,
            used,
            first,
            last,
            next,
            pushed,
            dropped,
            cut,
            cleared,
            clean,
        };
        (mixed(key, &state.words()) == sum).then_some(state)
    }

    /// The newer one of the two that is whole.
    pub fn load(region: &[u8], key: u32) -> Option<State> {
        let all = STATES.map(|at| State::load_from(region, at, key));
        all.into_iter()
            .flatten()
            .max_by_key(|state| state.generation)
    }
}

/// A sum that is cheap to make: it tells torn and damaged words, not hostile ones.
fn mixed(key: u32, words: &[u64]) -> u64 {
    words.iter().fold(u64::from(key) | 1 << 32, |sum, word| {
        let sum = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sum ^ sum >> 29
    })
}

impl Fixed {
    fn sum(&self) -> u64 {
        let version = u64::from(self.version.get());
        mixed(
            self.key.get(),
            &[self.magic.get(), version, self.size.get()],
        )
    }
}

/// Writes what never changes.
pub fn format(region: &mut [u8], key: u32) {
    let mut fixed = Fixed {
        magic: MAGIC.into(),
        version: VERSION.into(),
        key: key.into(),
        size: (region.len() as u64).into(),
        sum: 0.into(),
    };
    fixed.sum = fixed.sum().into();
    if let Some(place) = region.get_mut(..size_of::<Fixed>()) {
        place.copy_from_slice(fixed.as_bytes());
    }
    // No state of an older ring may look like one of this.
    if let Some(states) = region.get_mut(size_of::<Fixed>()..HEADER) {
        states.fill(0);
    }
}

/// Reads the key of a ring that fills the region.
///
/// # Errors
/// What it is instead.
pub fn key(region: &[u8]) -> Result<u32, Bad> {
    if region.len() < MIN_SIZE {
        return Err(Bad::TooSmall);
    }
    let (fixed, _) = Fixed::read_from_prefix(region).map_err(|_| Bad::NotARing)?;
    if fixed.magic.get() != MAGIC || fixed.sum.get() != fixed.sum() {
        return Err(Bad::NotARing);
    }
    if fixed.version.get() != VERSION {
        return Err(Bad::Version(fixed.version.get()));
    }
    if fixed.size.get() != region.len() as u64 {
        return Err(Bad::Size(fixed.size.get()));
    }
    Ok(fixed.key.get())
}

/// The bytes for records, a multiple of 8.
pub fn area(region: &[u8]) -> &[u8] {
    let end = region.len() & !7;
    region.get(HEADER..end).unwrap_or_default()
}

/// The same, to be written.
pub fn area_mut(region: &mut [u8]) -> &mut [u8] {
    let end = region.len() & !7;
    region.get_mut(HEADER..end).unwrap_or_default()
}

const fn padded(len: usize) -> usize {
    (len + 7) & !7
}

/// A message as it fits into a ring.
#[derive(Debug)]
pub struct Fit<'a> {
    msg: Msg<'a>,
    /// Something was left out.
    pub cut: bool,
    len: usize,
}

impl<'a> Fit<'a> {
    /// Cuts what is too large for `area` bytes: fields, structured data as a whole, then the text.
    pub fn new(msg: &Msg<'a>, area: usize) -> Self {
        let mut cut = false;
        let mut clip = |bytes: &'a [u8], max: usize| match bytes.get(..max) {
            Some(kept) if kept.len() < bytes.len() => {
                cut = true;
                kept
            }
            _ => bytes,
        };
        let mut msg = *msg;
        msg.host = clip(msg.host, 255);
        msg.app = clip(msg.app, 255);
        msg.procid = clip(msg.procid, 255);
        msg.msgid = clip(msg.msgid, 255);
        let fields = HEAD + msg.host.len() + msg.app.len() + msg.procid.len() + msg.msgid.len();
        let room = area.saturating_sub(fields);
        if msg.sd.len() > room.min(usize::from(u16::MAX)) {
            msg.sd = clip(msg.sd, 0);
        }
        let room = (room - msg.sd.len()).min(u32::MAX as usize);
        msg.text = clip(msg.text, room);
        Fit {
            len: fields + msg.sd.len() + msg.text.len(),
            msg,
            cut,
        }
    }

    /// How many bytes the record takes.
    pub const fn size(&self) -> usize {
        padded(self.len)
    }

    /// Writes the record at the start of `place`.
    pub fn write(&self, place: &mut [u8], key: u32, seq: u64, at: Clocks) {
        let msg = &self.msg;
        let sent = if msg.sent.is_some() { SENT } else { 0 };
        // None of these can be too large: they have been cut.
        let head = Head {
            crc: 0.into(),
            text: (msg.text.len() as u32).into(),
            seq: seq.into(),
            wall: at.wall.into(),
            mono: at.mono.into(),
            sent: msg.sent.unwrap_or_default().into(),
            sd: (msg.sd.len() as u16).into(),
            pri: msg.pri.value(),
            flags: sent | if self.cut { CUT } else { 0 },
            host: msg.host.len() as u8,
            app: msg.app.len() as u8,
            procid: msg.procid.len() as u8,
            msgid: msg.msgid.len() as u8,
        };
        let Some(place) = place.get_mut(..self.len) else {
            return;
        };
        let mut rest = &mut *place;
        for bytes in [
            head.as_bytes(),
            msg.host,
            msg.app,
            msg.procid,
            msg.msgid,
            msg.sd,
            msg.text,
        ] {
            let Some((to, after)) = rest.split_at_mut_checked(bytes.len()) else {
                return;
            };
            to.copy_from_slice(bytes);
            rest = after;
        }
        if let Some((crc, behind)) = place.split_first_chunk_mut::<4>() {
            *crc = sum(key, behind).to_le_bytes();
        }
    }
}

fn sum(key: u32, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(key);
    crc.update(bytes);
    crc.finalize()
}

/// Takes a string from the front.
fn string<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (string, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(string)
}

/// Reads the record at an offset, and says how many bytes it takes. Its CRC is not looked at.
pub fn record(area: &[u8], at: u64) -> Option<(Record<'_>, u64)> {
    let bytes = area.get(usize::try_from(at).ok()?..)?;
    let (head, mut rest) = Head::ref_from_prefix(bytes).ok()?;
    let room = rest.len();
    let msg = Msg {
        pri: Pri::from_value(u16::from(head.pri))?,
        sent: (head.flags & SENT != 0).then(|| head.sent.get()),
        host: string(&mut rest, head.host.into())?,
        app: string(&mut rest, head.app.into())?,
        procid: string(&mut rest, head.procid.into())?,
        msgid: string(&mut rest, head.msgid.into())?,
        sd: string(&mut rest, head.sd.get().into())?,
        text: string(&mut rest, usize::try_from(head.text.get()).ok()?)?,
    };
    let record = Record {
        seq: head.seq.get(),
        at: Clocks {
            wall: head.wall.get(),
            mono: head.mono.get(),
        },
        msg,
        cut: head.flags & CUT != 0,
    };
    Some((record, padded(HEAD + room - rest.len()) as u64))
}

/// The number and the size of the record at an offset.
pub fn extent(area: &[u8], at: u64) -> Option<(u64, u64)> {
    let bytes = area.get(usize::try_from(at).ok()?..)?;
    let (head, rest) = Head::ref_from_prefix(bytes).ok()?;
    let fields = usize::from(head.host) + usize::from(head.app) + usize::from(head.procid);
    let more = usize::from(head.msgid) + usize::from(head.sd.get());
    let strings = usize::try_from(head.text.get())
        .ok()?
        .checked_add(fields + more)?;
    let size = (strings <= rest.len()).then(|| padded(HEAD + strings))?;
    Some((head.seq.get(), size as u64))
}

/// The same, if its CRC is right.
pub fn checked_extent(area: &[u8], at: u64, key: u32) -> Option<(u64, u64)> {
    let (record, size) = record(area, at)?;
    let msg = &record.msg;
    let fields = msg.host.len() + msg.app.len() + msg.procid.len() + msg.msgid.len();
    let len = HEAD + fields + msg.sd.len() + msg.text.len();
    let start = usize::try_from(at).ok()?;
    let (crc, behind) = area
        .get(start..start.checked_add(len)?)?
        .split_first_chunk()?;
    (sum(key, behind) == u32::from_le_bytes(*crc)).then_some((record.seq, size))
}
