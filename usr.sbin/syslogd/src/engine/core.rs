// SPDX-License-Identifier: BSD-2-Clause
//! What kernels say when a process crashes.

pub use liblog::Crash;

/// Recognises a message of the kernels of FreeBSD, NetBSD (with kern.logsigexit) and Linux.
#[must_use]
pub fn recognise(text: &[u8]) -> Option<Crash<'_>> {
    let mut text = text;
    // Linux's time since the start, if the console's form of it was read.
    if text.first() == Some(&b'[') {
        let end = text.iter().take(24).position(|&b| b == b']')?;
        text = text.get(end + 1..)?.trim_ascii_start();
    }
    if text.starts_with(b"pid ") {
        return bsd(text);
    }
    linux(text)
}

/// Takes a prefix off.
fn eat<'a>(text: &mut &'a [u8], prefix: &[u8]) -> Option<()> {
    let rest: &'a [u8] = text.strip_prefix(prefix)?;
    *text = rest;
    Some(())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

fn decimal(text: &mut &[u8]) -> Option<u32> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = std::str::from_utf8(text.get(..digits)?)
        .ok()?
        .parse()
        .ok()?;
    *text = text.get(digits..)?;
    Some(number)
}

fn hex(text: &mut &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let digit_text = std::str::from_utf8(text.get(..digits)?).ok()?;
    let number = u64::from_str_radix(digit_text, 16).ok()?;
    *text = text.get(digits..)?;
    Some(number)
}

/// `pid N[.LID] (name), [jid J, ]uid U: exited on signal S[ (...)]`.
fn bsd(text: &[u8]) -> Option<Crash<'_>> {
    let mut t = text;
    let mut crash = Crash {
        bsd: true,
        ..Crash::default()
    };
    eat(&mut t, b"pid ")?;
    crash.pid = decimal(&mut t)?;
    if eat(&mut t, b".").is_some() {
        decimal(&mut t)?;
    }
    eat(&mut t, b" (")?;
    // The name may have anything in it, even what looks like its end: the last one is it.
    let end = memchr::memmem::rfind(t, b"): exited on signal ")
        .or_else(|| memchr::memmem::rfind(t, b": exited on signal "))?;
    let head = t.get(..end)?;
    let name_end = memchr::memmem::rfind(head, b"), ")?;
    crash.name = head.get(..name_end)?;
    let mut ids = head.get(name_end + 3..)?;
    if eat(&mut ids, b"jid ").is_some() {
        crash.jid = Some(decimal(&mut ids)?);
        eat(&mut ids, b", ")?;
    }
    eat(&mut ids, b"uid ")?;
    // NetBSD says -1 if it does not know.
    if eat(&mut ids, b"-1").is_none() {
        crash.uid = Some(decimal(&mut ids)?);
    }
    if !ids.is_empty() {
        return None;
    }
    t = t.get(end..)?;
    eat(&mut t, b": exited on signal ")?;
    crash.signal = decimal(&mut t)?;
    let rest = t.trim_ascii();
    crash.dumped = match rest {
        b"" => None,
        _ if rest.starts_with(b"(core dumped") => Some(true),
        _ if rest.starts_with(b"(no core") || rest.starts_with(b"(core not") => Some(false),
        _ => None,
    };
    plausible(crash)
}

/// `[traps: ]name[pid]: segfault at A ip I sp S error E[ in obj[B+L]]`, and
/// `traps: name[pid] WHAT ip:I sp:S error:E[ in obj[B+L]]`.
fn linux(text: &[u8]) -> Option<Crash<'_>> {
    let mut t = text;
    let trap = eat(&mut t, b"traps: ").is_some();
    let mut crash = Crash::default();
    let marks: [(&[u8], u32); 8] = [
        (b"]: segfault at ", 11),
        (b"] general protection fault ip:", 11),
        (b"] general protection ip:", 11),
        (b"] trap invalid opcode ip:", 4),
        (b"] trap divide error ip:", 8),
        (b"] trap int3 ip:", 5),
        (b"] trap stack segment ip:", 7),
        (b"] trap alignment check ip:", 7),
    ];
    let (at, mark, signal) = marks.iter().find_map(|&(m, s)| Some((find(t, m)?, m, s)))?;
    if !trap && signal != 11 {
        return None;
    }
    let head = t.get(..at)?;
    let open = memchr::memrchr(b'[', head)?;
    crash.name = head.get(..open)?;
    let mut pid = head.get(open + 1..)?;
    crash.pid = decimal(&mut pid)?;
    if !pid.is_empty() {
        return None;
    }
    crash.signal = signal;
    t = t.get(at + mark.len()..)?;
    if mark.ends_with(b" at ") {
        crash.addr = Some(hex(&mut t)?);
        eat(&mut t, b" ip ")?;
        crash.pc = Some(hex(&mut t)?);
        eat(&mut t, b" sp ")?;
        crash.sp = Some(hex(&mut t)?);
    } else {
        crash.pc = Some(hex(&mut t)?);
        eat(&mut t, b" sp:")?;
        crash.sp = Some(hex(&mut t)?);
    }
    if let Some(at) = find(t, b" in ") {
        object(t.get(at + 4..)?, &mut crash);
    }
    plausible(crash)
}

/// `name[base+length]` or `name[offset,base+length]`.
fn object<'a>(text: &'a [u8], crash: &mut Crash<'a>) {
    let Some(open) = text.iter().position(|&b| b == b'[') else {
        return;
    };
    crash.object = text.get(..open).filter(|name| !name.is_empty());
    let mut t = text.get(open + 1..).unwrap_or_default();
    let mut first = hex(&mut t);
    if eat(&mut t, b",").is_some() {
        first = hex(&mut t);
    }
    if let (Some(base), Some(())) = (first, eat(&mut t, b"+")) {
        crash.base = hex(&mut t).map(|len| (base, len));
    }
}

fn plausible(crash: Crash<'_>) -> Option<Crash<'_>> {
    let fine =
        !crash.name.is_empty() && crash.name.len() <= 64 && (1..=128).contains(&crash.signal);
    fine.then_some(crash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> Option<(String, String)> {
        let crash = recognise(text.as_bytes())?;
        let (mut sd, mut line) = (String::new(), String::new());
        crash.write_sd(&mut sd).unwrap();
        crash.write_text(&mut line).unwrap();
        Some((sd, line))
    }

    fn check(text: &str, sd: &str, line: &str) {
        assert_eq!(both(text), Some((sd.into(), line.into())), "{text}");
    }

    #[test]
    fn the_bsds() {
        check(
            "pid 1234 (named), jid 3, uid 53: exited on signal 11 (core dumped)",
            "[core name=\"named\" pid=\"1234\" signal=\"11\" signame=\"SIGSEGV\" uid=\"53\" jid=\"3\" \
             dumped=\"yes\"]",
            "named[1234] crashed: signal 11 (SIGSEGV), core dumped",
        );
        check(
            "pid 7 (a), b: (c), uid 0: exited on signal 10 (no core dump - too large)",
            "[core name=\"a), b: (c\" pid=\"7\" signal=\"10\" signame=\"SIGBUS\" uid=\"0\" \
             dumped=\"no\"]",
            "a), b: (c[7] crashed: signal 10 (SIGBUS), no core",
        );
        check(
            "pid 99.1 (dhcpcd), uid -1: exited on signal 6 (core not dumped, err = 28)",
            "[core name=\"dhcpcd\" pid=\"99\" signal=\"6\" signame=\"SIGABRT\" dumped=\"no\"]",
            "dhcpcd[99] crashed: signal 6 (SIGABRT), no core",
        );
        check(
            "pid 99 (x), uid 1: exited on signal 31",
            "[core name=\"x\" pid=\"99\" signal=\"31\" uid=\"1\"]",
            "x[99] crashed: signal 31",
        );
    }

    #[test]
    fn linux() {
        check(
            "[ 12.345678] foo bar[77]: segfault at 10 ip 00005581f3a01139 sp 00007ffd0 error 4 in \
             foo[5581f3a01000+1000] likely on CPU 1 (core 1, socket 0)",
            "[core name=\"foo bar\" pid=\"77\" signal=\"11\" signame=\"SIGSEGV\" \
             pc=\"0x5581f3a01139\" addr=\"0x10\" sp=\"0x7ffd0\" object=\"foo\" \
             base=\"0x5581f3a01000\" length=\"0x1000\" offset=\"0x139\"]",
            "foo bar[77] crashed: signal 11 (SIGSEGV) at 0x5581f3a01139 in foo",
        );
        check(
            "traps: x[7] trap invalid opcode ip:401000 sp:7ff0 error:0 in x[1000,400000+2000]",
            "[core name=\"x\" pid=\"7\" signal=\"4\" signame=\"SIGILL\" pc=\"0x401000\" \
             sp=\"0x7ff0\" object=\"x\" base=\"0x400000\" length=\"0x2000\" offset=\"0x1000\"]",
            "x[7] crashed: signal 4 (SIGILL) at 0x401000 in x",
        );
        let (_, line) = both("traps: y[8] general protection fault ip:4 sp:5 error:0").unwrap();
        assert_eq!(line, "y[8] crashed: signal 11 (SIGSEGV) at 0x4");
    }

    #[test]
    fn what_is_not_one() {
        for text in [
            "",
            "pid 1",
            "pid 1 (a), uid 0: exited",
            "pid 1 (a), uid x: exited on signal 1",
            "pid 1 (a), uid 0 : exited on signal 1",
            "pid 1 (), uid 0: exited on signal 1",
            "pid 1 (a), uid 0: exited on signal 0",
            "pid 99999999999 (a), uid 0: exited on signal 1",
            "x[1]: segfault at zz ip 1 sp 1",
            "x[a]: segfault at 1 ip 1 sp 1",
            "x: segfault at 1 ip 1 sp 1",
            "x[1] trap int3 ip:1 sp:1",
            "[no end",
            "link state changed to UP",
        ] {
            assert_eq!(both(text), None, "{text}");
        }
    }
}
