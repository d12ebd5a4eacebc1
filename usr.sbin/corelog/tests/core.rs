// SPDX-License-Identifier: BSD-2-Clause
//! Cores of each system, put together here: what the notes say, and a back-trace by frame pointers.

use corelog::core::Core;
use corelog::core::Seeking;
use corelog::core::Stream;
use corelog::modules::Modules;
use corelog::report::Given;
use corelog::report::Report;
use corelog::report::frames;
use std::io::Cursor;
use testkit::Replay;

#[path = "../fuzz/src/lib.rs"]
mod targets;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[("core", targets::core, 20_000)],
    prefixes: 1,
    noise: 0x636f_7265,
    joins: true,
    changes: 6,
};

const STACK: u64 = 0x7fff_0000;
const CODE: u64 = 0x40_0000;

/// Bytes in which some numbers stand.
fn with(length: usize, words: &[(usize, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for &(at, word) in words {
        let short = word.to_le_bytes();
        let end = length.min(at + 8);
        bytes[at..end].copy_from_slice(&short[..end - at]);
    }
    bytes
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

fn note(name: &str, kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for n in [name.len() as u32 + 1, desc.len() as u32, kind] {
        out.extend(n.to_le_bytes());
    }
    for part in [format!("{name}\0").as_bytes(), desc] {
        out.extend(part);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// A core with notes, a stack of three frames and code that is no file's.
fn core(machine: u16, notes: &[Vec<u8>]) -> Vec<u8> {
    let notes = notes.concat();
    let mut stack = vec![0; 256];
    for (at, word) in [
        (0x10, STACK + 0x40),
        (0x18, CODE + 0x111),
        (0x40, STACK + 0x80),
        (0x48, CODE + 0x222),
    ] {
        put(&mut stack, at, &word.to_le_bytes());
    }
    let mut out = with(64, &[(32, 64), (52, 64 | 56 << 16 | 3 << 32)]);
    put(&mut out, 0, b"\x7fELF\x02\x01\x01");
    put(&mut out, 16, &[4, 0]);
    put(&mut out, 18, &machine.to_le_bytes());
    put(&mut out, 20, &[1]);
    let begin = 64 + 3 * 56;
    let (size, end) = (notes.len() as u64, begin + notes.len() as u64);
    for (kind, offset, address, file, memory) in [
        (4 | 4 << 32, begin, 0, size, 0),
        (1 | 5 << 32, end, CODE, 0, 0x1000),
        (1 | 6 << 32, end, STACK, 256, 256),
    ] {
        out.extend(with(
            56,
            &[
                (0, kind),
                (8, offset),
                (16, address),
                (32, file),
                (40, memory),
            ],
        ));
    }
    [out, notes, stack].concat()
}

/// The record's structured data, the same by file and by pipe.
fn told(core: &[u8]) -> String {
    let by_file = Core::read(Seeking(Cursor::new(core)), 4096).expect("a core");
    let by_pipe = Core::read(Stream::new(core), 4096).expect("a core");
    let modules = Modules::find(&by_file, false);
    let all = frames(&by_file, &modules, 8);
    assert_eq!(all, frames(&by_pipe, &modules, 8));
    Report::new(Given::default(), Some(by_file.facts), all)
        .write()
        .0
}

fn linux(machine: u16, regs: &[(usize, u64)]) -> Vec<u8> {
    let status = with(112 + 272, &[(12, 11), (32, 78)]);
    let mut status = status;
    for &(at, word) in regs {
        put(&mut status, 112 + at, &word.to_le_bytes());
    }
    let mut info = with(136, &[(16, 53), (24, 77)]);
    put(&mut info, 40, b"na]med\0");
    let signal = with(128, &[(0, 11), (8, 1), (16, 0xdead)]);
    let mut files = with(
        40,
        &[(0, 1), (8, 4096), (16, CODE), (24, CODE + 0x1000), (32, 2)],
    );
    files.extend(b"/usr/sbin/named (deleted)\0");
    let notes = [
        note("CORE", 1, &status),
        note("CORE", 3, &info),
        note("CORE", 0x5349_4749, &signal),
        note("CORE", 0x4649_4c45, &files),
        note("CORE", 1, &status),
    ];
    core(machine, &notes)
}

#[test]
fn of_linux() {
    let regs = [
        (16 * 8, CODE + 0x10),
        (19 * 8, STACK),
        (4 * 8, STACK + 0x10),
    ];
    let amd64 = linux(62, &regs);
    let sd = "[core name=\"na?med\" pid=\"77\" signal=\"11\" signame=\"SIGSEGV\" uid=\"53\" pc=\"0x400010\" \
              addr=\"0xdead\" sp=\"0x7fff0000\" object=\"named\" threads=\"2\" \
              backtrace=\"named+0x2010 named+0x2111 named+0x2222\"]";
    assert_eq!(told(&amd64), sd);
    let regs = [
        (32 * 8, CODE + 0x10),
        (31 * 8, STACK),
        (30 * 8, CODE + 0x99),
        (29 * 8, STACK + 0x10),
    ];
    let sd = told(&linux(183, &regs));
    assert!(sd.contains("named+0x2010 "), "{sd}");
    assert!(sd.contains("named+0x2222\"]"), "{sd}");
}

fn freebsd() -> Vec<u8> {
    let mut status = with(48 + 176, &[(32, 1_400_097), (36, 10)]);
    for (at, word) in [(136, CODE + 0x10), (160, STACK), (80, STACK + 0x10)] {
        put(&mut status, 48 + at, &word.to_le_bytes());
    }
    let mut info = with(120, &[(0, 1), (116, 9)]);
    put(&mut info, 16, b"dhclient\0");
    let mut entry = with(
        160,
        &[
            (0, 160),
            (8, CODE),
            (16, CODE + 0x1000),
            (24, 0x2000),
            (56, 5),
        ],
    );
    put(&mut entry, 136, b"/sbin/dhclient\0");
    let maps = [with(4, &[(0, 1160)]), entry].concat();
    // PL_FLAG_SI, then the siginfo: SIGBUS, a code, the address.
    let lwp = with(
        4 + 160,
        &[(4 + 8, 0x20), (4 + 48, 10), (4 + 56, 3), (4 + 72, 0xbad)],
    );
    let notes = [
        note("FreeBSD", 3, &info),
        note("FreeBSD", 1, &status),
        note("FreeBSD", 10, &maps),
        note("FreeBSD", 17, &lwp),
    ];
    core(62, &notes)
}

#[test]
fn of_freebsd() {
    assert_eq!(
        told(&freebsd()),
        "[core name=\"dhclient\" pid=\"9\" signal=\"10\" signame=\"SIGBUS\" pc=\"0x400010\" addr=\"0xbad\" \
         sp=\"0x7fff0000\" object=\"dhclient\" threads=\"1\" \
         backtrace=\"dhclient+0x2010 dhclient+0x2111 dhclient+0x2222\"]"
    );
}

fn netbsd() -> Vec<u8> {
    let mut info = with(
        160,
        &[
            (0, 1),
            (4, 160),
            (8, 6),
            (80, 12),
            (96, 1000),
            (120, 2),
            (156, 4),
        ],
    );
    put(&mut info, 124, b"sh\0");
    let regs = |pc| {
        with(
            26 * 8,
            &[(21 * 8, pc), (24 * 8, STACK), (12 * 8, STACK + 0x10)],
        )
    };
    let notes = [
        note("NetBSD-CORE", 1, &info),
        note("NetBSD-CORE@2", 33, &regs(1)),
        note("NetBSD-CORE@4", 35, &regs(2)),
        note("NetBSD-CORE@4", 33, &regs(CODE + 0x10)),
        note("NetBSD-CORE@5", 33, &regs(3)),
    ];
    core(62, &notes)
}

#[test]
fn of_netbsd() {
    assert_eq!(
        told(&netbsd()),
        "[core name=\"sh\" pid=\"12\" signal=\"6\" signame=\"SIGABRT\" uid=\"1000\" pc=\"0x400010\" \
         sp=\"0x7fff0000\" threads=\"2\" backtrace=\"0x400010 0x400111 0x400222\"]"
    );
}

#[test]
fn what_is_none() {
    let whole = linux(62, &[(16 * 8, CODE)]);
    for length in 0..whole.len() {
        let cut = &whole[..length];
        let core = Core::read(Stream::new(cut), 4096);
        assert_eq!(core.is_some(), length >= 64, "{length}");
    }
    for (at, byte) in [(0, 0), (4, 1), (5, 2), (18, 3), (54, 1)] {
        let mut bad = whole.clone();
        bad[at] = byte;
        assert!(
            Core::read(Stream::new(bad.as_slice()), 4096).is_none(),
            "{at}"
        );
    }
}

/// The inputs that the corpus begins with.
fn seeds(_: &str) -> Vec<(String, Vec<u8>)> {
    let regs = [
        (16 * 8, CODE + 0x10),
        (19 * 8, STACK),
        (4 * 8, STACK + 0x10),
    ];
    let arm = [
        (32 * 8, CODE + 0x10),
        (31 * 8, STACK),
        (29 * 8, STACK + 0x10),
    ];
    vec![
        ("linux".to_owned(), linux(62, &regs)),
        ("linux-cut".to_owned(), linux(62, &regs)[..900].to_vec()),
        ("linux-arm".to_owned(), linux(183, &arm)),
        ("freebsd".to_owned(), freebsd()),
        ("netbsd".to_owned(), netbsd()),
    ]
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
fn mutated_cores() {
    REPLAY.mutations_pass("core");
}
