// SPDX-License-Identifier: BSD-2-Clause
//! What must hold besides facility and severity: `!program`, `+host`, `:property`.

use crate::conf::dfa::Dfa;
use crate::conf::note::Fault;
use crate::conf::pattern::translate;
use crate::conf::scan::Scan;
use crate::conf::types::Block;
use crate::conf::types::Compare;
use crate::conf::types::Field;
use crate::conf::types::Names;
use crate::conf::types::Property;

/// Names in a list, and bytes of one.
const MOST_NAMES: usize = 256;
const LONGEST: usize = 255;

/// Changes `block` as a line says that begins with `!`, `+`, `-` or `:`. False: it does not.
///
/// # Errors
/// What is wrong in it.
pub(super) fn change(scan: &mut Scan<'_>, block: &mut Block) -> Result<bool, Fault> {
    match scan.peek() {
        Some('!') => {
            scan.eat('!');
            let stop = scan.eat('!');
            scan.blanks();
            let not = scan.eat('-');
            if !not {
                scan.eat('+');
            }
            block.programs = names(scan, not, "program")?;
            block.stop = stop && block.programs.is_some();
        }
        Some(sign @ ('+' | '-')) => {
            scan.eat(sign);
            let stop = sign == '+' && scan.eat('+');
            block.hosts = names(scan, sign == '-', "host")?;
            block.stop = stop && block.hosts.is_some();
        }
        Some(':') => {
            scan.eat(':');
            block.property = property(scan)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Names up to a blank behind which there is no comma. `*`, and nothing: any.
pub(super) fn names(scan: &mut Scan<'_>, not: bool, of: &str) -> Result<Option<Names>, Fault> {
    scan.blanks();
    let mut list = Names {
        not,
        names: Vec::new(),
        local: false,
    };
    let mut any = false;
    loop {
        let start = scan.at();
        let name = scan.take(|c| !" \t,#".contains(c));
        match name {
            "" if list.names.is_empty() && !list.local && !any => {
                if not {
                    return Err(Fault::new(start, format!("no name of a {of}"), ""));
                }
                return Ok(None);
            }
            "" => return Err(Fault::new(start, "no name behind the comma", "")),
            "*" => any = true,
            "@" if of == "host" => list.local = true,
            _ if name.len() > LONGEST => {
                return Err(Fault::new(start, "the name is too long", ""));
            }
            _ if !name.bytes().all(|b| b.is_ascii_graphic()) => {
                let what = format!("{name:?} is no name of a {of}");
                return Err(Fault::new(start, what, "names are ASCII"));
            }
            _ => list.names.push(name.to_owned()),
        }
        if list.names.len() > MOST_NAMES {
            return Err(Fault::new(start, "too many names", ""));
        }
        let mut ahead = scan.clone();
        ahead.blanks();
        if !ahead.eat(',') {
            break;
        }
        ahead.blanks();
        *scan = ahead;
    }
    if any && not {
        return Err(scan.fault("-* matches nothing", "* alone is any"));
    }
    Ok((!any).then_some(list))
}

/// `field, [!][icase_]compare, "value"`, or `*`.
pub(super) fn property(scan: &mut Scan<'_>) -> Result<Option<Property>, Fault> {
    scan.blanks();
    if scan.eat('*') {
        return Ok(None);
    }
    let start = scan.at();
    let name = scan.take(|c| !" \t,".contains(c));
    let field = match name.to_ascii_lowercase().as_str() {
        "msg" => Field::Msg,
        "programname" | "app-name" => Field::Program,
        "hostname" | "source" | "fromhost" => Field::Host,
        "msgid" => Field::MsgId,
        "structured-data" => Field::Sd,
        _ => {
            let hint = "msg, programname, hostname, source, msgid or structured-data";
            return Err(Fault::new(
                start,
                format!("unknown property {name:?}"),
                hint,
            ));
        }
    };
    comma(scan)?;
    let not = scan.eat('!');
    let start = scan.at();
    let name = scan.take(|c| !" \t,".contains(c)).to_ascii_lowercase();
    let (icase, how) = match name.strip_prefix("icase_") {
        Some(how) => (true, how),
        None => (false, name.as_str()),
    };
    let (compare, basic) = match how {
        "contains" => (Compare::Contains, false),
        "isequal" => (Compare::Equal, false),
        "startswith" => (Compare::Starts, false),
        "regex" => (Compare::Regex, true),
        "ereregex" => (Compare::Regex, false),
        _ => {
            let hint = "contains, isequal, startswith, regex or ereregex";
            return Err(Fault::new(
                start,
                format!("unknown comparison {name:?}"),
                hint,
            ));
        }
    };
    comma(scan)?;
    let start = scan.at();
    let mut value = scan.quoted()?;
    let wrong = |why: String| Fault::new(start, format!("the expression: {why}"), "");
    if compare == Compare::Regex {
        value = translate(&value, basic).map_err(wrong)?;
        Dfa::new(&value, icase).map_err(wrong)?;
    } else {
        Dfa::literal(&value, icase).map_err(wrong)?;
    }
    Ok(Some(Property {
        field,
        compare,
        not,
        icase,
        value,
    }))
}

fn comma(scan: &mut Scan<'_>) -> Result<(), Fault> {
    scan.blanks();
    if !scan.eat(',') {
        return Err(scan.fault("expected a comma", ":property, comparison, \"value\""));
    }
    scan.blanks();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Block {
        let mut block = Block::default();
        for line in lines {
            let mut scan = Scan::new(line);
            assert!(change(&mut scan, &mut block).unwrap(), "{line}");
            scan.finish().unwrap();
        }
        block
    }

    fn list(not: bool, names: &[&str], local: bool) -> Option<Names> {
        let names = names.iter().map(|&n| n.to_owned()).collect();
        Some(Names { not, names, local })
    }

    #[test]
    fn programs_and_hosts() {
        assert_eq!(after(&["!ppp"]).programs, list(false, &["ppp"], false));
        assert_eq!(after(&["!+a, b"]).programs, list(false, &["a", "b"], false));
        assert_eq!(
            after(&["! -a,b # c"]).programs,
            list(true, &["a", "b"], false)
        );
        assert_eq!(after(&["!a", "+h"]).programs, list(false, &["a"], false));
        assert_eq!(after(&["!a", "!*"]), Block::default());
        assert_eq!(after(&["!a", "!"]), Block::default());
        assert_eq!(after(&["-@,h.x"]).hosts, list(true, &["h.x"], true));
        assert_eq!(after(&["+@"]).hosts, list(false, &[], true));
        assert_eq!(after(&["-h", "+*"]), Block::default());
        let stop = after(&["!!spamd"]);
        assert!(stop.stop && stop.programs == list(false, &["spamd"], false));
        assert!(after(&["++h"]).stop);
        assert!(!after(&["!!spamd", "!*"]).stop);
        for bad in ["!-", "!-*", "!a,", "+a,,b", "!caf\u{e9}"] {
            let mut block = Block::default();
            assert!(change(&mut Scan::new(bad), &mut block).is_err(), "{bad}");
        }
        assert_eq!(
            change(&mut Scan::new("x"), &mut Block::default()),
            Ok(false)
        );
    }

    #[test]
    fn properties() {
        let line = ":hostname, !icase_ereregex, \"^a\\\\.b{2}$\"";
        let property = after(&[line]).property.unwrap();
        assert_eq!(
            property,
            Property {
                field: Field::Host,
                compare: Compare::Regex,
                not: true,
                icase: true,
                value: "^a\\x2eb{2}$".into(),
            }
        );
        let contains = after(&[":msg,contains,\".*Deny#.*\" # c"])
            .property
            .unwrap();
        assert_eq!(contains.value, ".*Deny#.*");
        assert_eq!(after(&[":msg, isequal, \"x\"", ":*"]), Block::default());
        for (bad, at) in [
            (":severity, contains, \"x\"", 1),
            (":msg contains, \"x\"", 5),
            (":msg, is, \"x\"", 6),
            (":msg, contains, x", 16),
            (":msg, regex, \"\\(\"", 13),
            (":msg, ereregex, \"(a|b)*a[ab]{40}\"", 16),
        ] {
            let mut block = Block::default();
            let fault = change(&mut Scan::new(bad), &mut block).unwrap_err();
            assert_eq!(fault.at, at, "{bad}");
        }
    }
}
