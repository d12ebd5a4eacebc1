// SPDX-License-Identifier: BSD-2-Clause
//! `remap [!program] [+host] [:property, comparison, "value"] [selector] -> [facility].[level]`.

use crate::conf::block;
use crate::conf::note::Fault;
use crate::conf::scan::Scan;
use crate::conf::select::selector;
use crate::conf::types::Block;
use crate::conf::types::Levels;
use crate::conf::types::Remap;
use liblog::Facility;
use liblog::Severity;

const FORM: &str = "remap !program facility.level -> facility.level";

/// Reads what stands behind `remap`; the place is left open.
///
/// # Errors
/// What is wrong in it.
pub(super) fn remap(scan: &mut Scan<'_>) -> Result<Remap, Vec<Fault>> {
    let mut tests = Block::default();
    let mut levels = None;
    let start = scan.at();
    loop {
        scan.blanks();
        if scan.eat_str("->") {
            break;
        }
        match scan.peek() {
            Some('!' | '+' | '-' | ':') => {
                block::change(scan, &mut tests).map_err(|fault| vec![fault])?;
            }
            Some(_) if levels.is_none() => levels = Some(selector(scan, false)?),
            _ => return Err(vec![scan.fault("expected ->", FORM)]),
        }
    }
    if tests.stop {
        return Err(vec![Fault::new(start, "!! is not possible here", FORM)]);
    }
    if levels.is_none() && tests == Block::default() {
        return Err(vec![Fault::new(start, "nothing says which messages", FORM)]);
    }
    scan.blanks();
    let (facility, severity) = target(scan).map_err(|fault| vec![fault])?;
    scan.finish().map_err(|fault| vec![fault])?;
    Ok(Remap {
        levels: levels.unwrap_or_else(Levels::all),
        block: tests,
        facility,
        severity,
        place: crate::conf::note::Place::default(),
    })
}

/// Either may be `*` or left out: it stays as it is.
fn target(scan: &mut Scan<'_>) -> Result<(Option<u8>, Option<u8>), Fault> {
    let start = scan.at();
    let name = scan.take(|c| !" \t.#".contains(c));
    let facility = match name {
        "" | "*" => None,
        _ => match Facility::named(name) {
            Some(facility) => Some(facility.number()),
            None => {
                let what = format!("unknown facility {name:?}");
                return Err(Fault::new(start, what, FORM));
            }
        },
    };
    if !scan.eat('.') {
        return Err(scan.fault("expected facility.level", "*.debug changes the level only"));
    }
    let at = scan.at();
    let name = scan.take(|c| !" \t#".contains(c));
    let severity = match name {
        "" | "*" => None,
        _ => match Severity::named(name) {
            Some(severity) => Some(severity.number()),
            None => return Err(Fault::new(at, format!("unknown level {name:?}"), FORM)),
        },
    };
    if facility.is_none() && severity.is_none() {
        return Err(Fault::new(start, "that changes nothing", FORM));
    }
    Ok((facility, severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        let read = |text| remap(&mut Scan::new(text)).unwrap();
        let one = read(" !dhcpd,dhclient daemon.err -> local1.info # why");
        assert_eq!((one.facility, one.severity), (Some(17), Some(6)));
        assert_eq!((one.levels.get(3), one.levels.get(2)), (0x0f, 0));
        assert_eq!(one.block.programs.unwrap().names, ["dhcpd", "dhclient"]);
        let two = read(" :msg, contains, \"x -> y\" -> .debug");
        assert_eq!((two.facility, two.severity), (None, Some(7)));
        assert_eq!(two.levels, Levels::all());
        assert_eq!(two.block.property.unwrap().value, "x -> y");
        let three = read(" -@ *.* -> local0.*");
        assert_eq!((three.facility, three.severity), (Some(16), None));
        assert!(three.block.hosts.unwrap().local);
    }

    #[test]
    fn what_is_refused() {
        for (text, at) in [
            ("", 0),
            (" -> .debug", 0),
            (" !a -> *.*", 7),
            (" !a .debug", 4),
            (" !a *.debug", 11),
            (" !a -> debug", 7),
            (" !a -> x.debug", 7),
            (" !a -> .x", 8),
            (" !a -> .debug x", 14),
            (" !!a -> .debug", 0),
            (" a.b c.d -> .debug", 1),
        ] {
            let faults = remap(&mut Scan::new(text)).unwrap_err();
            assert_eq!(faults[0].at, at, "{text}: {faults:?}");
        }
    }
}
