// SPDX-License-Identifier: BSD-2-Clause
//! syslog.conf(5): files as the BSDs ship them, rings, settings, and what is said of wrong ones.

use std::collections::BTreeMap;
use std::io;
use syslogd::conf::Conf;
use syslogd::conf::Files;
use syslogd::conf::Folder;
use syslogd::conf::Keep;
use syslogd::conf::Levels;
use syslogd::conf::Note;
use syslogd::conf::Options;
use syslogd::conf::OutputId;
use syslogd::conf::RingId;
use syslogd::conf::Target;
use syslogd::conf::Transport;
use syslogd::conf::What;
use syslogd::conf::load;

/// Files in memory.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inside = |path: &String| {
            path.strip_prefix(folder)?
                .strip_prefix('/')
                .map(str::to_owned)
        };
        let names: Vec<_> = self.0.keys().filter_map(inside).collect();
        if names.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(names)
    }
}

fn read(files: &[(&str, &str)]) -> Result<Conf, Vec<Note>> {
    let mut memory = Memory::default();
    for (name, text) in files {
        memory.0.insert((*name).into(), (*text).into());
    }
    load("/etc/syslog.conf", &memory, Options::default())
}

fn good(text: &str) -> Conf {
    let result = read(&[("/etc/syslog.conf", text)]);
    result.unwrap_or_else(|notes| panic!("{notes:#?}"))
}

fn bad(text: &str) -> Vec<String> {
    let notes = read(&[("/etc/syslog.conf", text)]).expect_err(text);
    notes.iter().map(ToString::to_string).collect()
}

fn path_of(conf: &Conf, rule: usize) -> &str {
    let Target::Output(OutputId(n)) = conf.rules[rule].to else {
        panic!("rule {rule} has a ring");
    };
    match &conf.outputs[usize::from(n)].what {
        What::File { path, .. } => path,
        other => panic!("rule {rule} has {other:?}"),
    }
}

/// The constructs of NetBSD's own file.
#[test]
fn as_netbsd_writes_it() {
    let conf = good(
        "#\t$ours$\n\n*.err;kern.*;auth.notice;authpriv.none;mail.crit\t/dev/console\n\
         *.info;auth,authpriv,cron,ftp,kern,lpr,mail.none\t/var/log/messages\n\
         kern.debug\t\t/var/log/messages\n\n*.emerg\t*\n*.notice\troot\n#uucp.info\t/x\n\
         *.* @[loghost]:6514(subject=\"loghost.example\")\n",
    );
    assert_eq!(conf.rules.len(), 6);
    assert_eq!(conf.outputs.len(), 5, "/var/log/messages is one output");
    assert_eq!(conf.rules[1].to, conf.rules[2].to);
    let levels = conf.rules[0].levels;
    let masks = [0, 4, 10, 2, 5].map(|facility| levels.get(facility));
    assert_eq!(masks, [0xff, 0x3f, 0, 0x07, 0x0f]);
    assert_eq!(path_of(&conf, 0), "/dev/console");
    assert_eq!(conf.blocks.len(), 1);
    assert!(conf.warnings.is_empty());
}

/// The constructs of FreeBSD's own file, and of what it includes.
#[test]
fn as_freebsd_writes_it() {
    let main = "# Spaces are fine.\n*.notice;authpriv.none;kern.debug /var/log/messages\n\
                security.*  /var/log/security\n!-devd\n*.=debug\t/var/log/debug.log\n\
                *.emerg\t*\n# !devd\n# *.>=notice /var/log/devd.log\n!*\n\
                include\t\t/etc/syslog.d\ninclude /usr/local/etc/syslog.d\ncron.* /var/log/cron\n";
    let conf = read(&[
        ("/etc/syslog.conf", main),
        ("/etc/syslog.d/ppp.conf", "!ppp\n*.*\t/var/log/ppp.log\n"),
        ("/etc/syslog.d/lpr.conf", "lpr.info /var/log/lpd-errs\n"),
        ("/etc/syslog.d/.hidden.conf", "nonsense"),
        ("/etc/syslog.d/README", "nonsense"),
    ])
    .unwrap();
    assert_eq!(conf.rules.len(), 7);
    let program = |rule: usize| {
        let block = &conf.blocks[usize::from(conf.rules[rule].block)];
        block.programs.as_ref().map(|p| (p.not, p.names.join(",")))
    };
    assert_eq!(program(1), None);
    assert_eq!(program(2), Some((true, "devd".into())));
    assert_eq!(program(3), Some((true, "devd".into())));
    assert_eq!(conf.rules[2].levels.get(3), 0x80);
    assert_eq!((path_of(&conf, 4), program(4)), ("/var/log/lpd-errs", None));
    assert_eq!(program(5), Some((false, "ppp".into())));
    assert_eq!(program(6), None, "an included file's tests end with it");
    assert_eq!(
        conf.rules[5].place.to_string(),
        "/etc/syslog.d/ppp.conf:2:1"
    );
    let again = [
        ("/etc/syslog.d/a.conf", "include /etc/x\n"),
        ("/etc/syslog.conf", main),
    ];
    let notes = read(&again).unwrap_err();
    assert_eq!(notes[0].what, "include in an included file");
}

/// Those of OpenBSD's file and manual, and a comment that looks like a test.
#[test]
fn as_openbsd_writes_it() {
    let conf = good(
        "#!/bin/not-a-program\n#---- a line\n#+ prose with words\n!!spamd\n\
         daemon.info /var/log/spamd\ndaemon.debug /dev/null\n!*\n\
         kern.debug,user.info,syslog.info\t/var/log/messages\n\
         *.debug\t:32:debug\n*.notice,authpriv.*\t:64:important\n*.* @tls://loghost\n",
    );
    let spamd = &conf.blocks[usize::from(conf.rules[0].block)];
    assert!(spamd.stop && spamd.programs.is_some());
    assert_eq!(conf.rules[0].block, conf.rules[1].block);
    assert!(!conf.blocks[usize::from(conf.rules[2].block)].stop);
    assert_eq!(conf.rules[2].levels.get(0), 0xff);
    assert_eq!(conf.rings[0].size, 32 << 10);
    assert_eq!(conf.rings[1].name, "important");
    let What::Remote(remote) = &conf.outputs[3].what else {
        panic!("no remote host");
    };
    assert_eq!((remote.transport, remote.port), (Transport::Tls, 6514));
}

#[test]
fn blocks_change_only_with_the_tests() {
    let conf = good(
        "*.* /a\n!p\n+h\n:msg, contains, \"x#y\"\n*.* /b # c\nkern.* /c\\#d\n#!q\n*.* /e\n:*\n+*\n!*\n\
         *.* /f\nmark.* /g\nuser.* \\\n  /h\n",
    );
    let blocks: Vec<_> = conf.rules.iter().map(|r| r.block).collect();
    assert_eq!(blocks, [0, 1, 1, 2, 3, 3, 3]);
    assert_eq!(path_of(&conf, 2), "/c#d");
    let two = &conf.blocks[2];
    assert_eq!(two.programs.as_ref().unwrap().names, ["q"]);
    assert!(two.hosts.is_some() && two.property.is_some());
    assert_eq!(conf.blocks[3], conf.blocks[0]);
    assert_eq!(conf.rules[5].levels.get(Levels::MARK), 0xff);
    assert_eq!(conf.rules[3].place.line, 8);
}

#[test]
fn rings_and_their_budget() {
    let text = "set budget 192k\nkern.* ring:kernel\n*.err ring:errors:64k:keep=boot:group=log\n\
                auth.* ring:kernel:128k:mode=0600\nmail.* ring:errors:64k\n";
    let conf = good(text);
    assert_eq!(conf.rings.len(), 2);
    let (kernel, errors) = (&conf.rings[0], &conf.rings[1]);
    assert_eq!(
        (kernel.size, kernel.keep, kernel.mode),
        (128 << 10, Keep::None, Some(0o600))
    );
    assert_eq!((errors.size, errors.keep), (64 << 10, Keep::Boot));
    assert_eq!(errors.group.as_deref(), Some("log"));
    let targets: Vec<_> = conf.rules.iter().map(|r| r.to).collect();
    let [k, e] = [0, 1].map(|n| Target::Ring(RingId(n)));
    assert_eq!(targets, [k, e, k, e]);

    // One byte less is an error, at the line of the budget.
    let less = text.replace("192k", "196607");
    assert_eq!(
        bad(&less),
        [
            "/etc/syslog.conf:1:1: the rings have 196608 bytes together, the budget is 196607: \
          1 too many: the largest, kernel, has 131072"
        ]
    );
    assert_eq!(
        bad("*.* ring:a\nkern.* ring:b:64k\nmail.* ring:b:65k:keep=boot\nuser.* ring:b:keep=none"),
        [
            "/etc/syslog.conf:3:8: ring b has another size elsewhere: the first is in \
             /etc/syslog.conf:2:8",
            "/etc/syslog.conf:4:8: ring b has another keep elsewhere: the first is in \
             /etc/syslog.conf:2:8",
            "/etc/syslog.conf:1:5: ring a has no size: ring:a:64k in one of its lines",
        ]
    );
}

#[test]
fn all_errors_are_told_with_their_places() {
    let notes = bad(
        "*.loud /a\nkern.* b/c\n\n!\u{e9}\n:msg, is, \"x\"\nset budgets 8m\nset sync 5s\n\
         set sync 5s\nremap !a -> x.y\ntls_server = maybe\ninclude x\nboth.loud \\\n  d/e\nlonely\n",
    );
    let starts = [
        "1:3: unknown level \"loud\"",
        "2:8: \"b/c\" is no action",
        "4:2: \"\u{e9}\" is no name of a program",
        "5:7: unknown comparison \"is\"",
        "6:5: unknown setting \"budgets\"",
        "8:1: sync is set twice: also in /etc/syslog.conf:7:1",
        "9:13: unknown facility \"x\"",
        "10:14: tls_server can not be this: on or off",
        "11:9: \"x\" is no folder",
        "12:1: unknown facility \"both\"",
        "12:6: unknown level \"loud\"",
        "13:3: \"d/e\" is no action",
        "14:1: unknown facility \"lonely\"",
        "14:7: no level",
        "14:7: no action",
    ];
    assert_eq!(notes.len(), starts.len(), "{notes:#?}");
    for (note, start) in notes.iter().zip(starts) {
        let expected = format!("/etc/syslog.conf:{start}");
        assert!(note.starts_with(&expected), "{note} is not {expected}");
    }
    let missing = load("/nowhere", &Memory::default(), Options::default()).unwrap_err();
    assert!(
        missing[0]
            .to_string()
            .starts_with("/nowhere: can not be read")
    );
}

#[test]
fn warnings_refuse_nothing() {
    let conf = good("sign_sg = 0\n*.* @[::1]:514\n*.* /a ;rotate=1M:5\n");
    let warnings: Vec<_> = conf.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings[0].starts_with("/etc/syslog.conf:1:1: sign_sg has no effect"));
    assert!(warnings[1].starts_with("/etc/syslog.conf:2:6: an IPv6 address"));
    assert!(warnings[2].starts_with("/etc/syslog.conf:3:8: "));
}

#[test]
fn only_the_first_errors_of_many() {
    let text = "x\n".repeat(10_000);
    assert_eq!(bad(&text).len(), 100);
    let many = "*.* /a\n".repeat(4097);
    assert_eq!(bad(&many), ["/etc/syslog.conf:4097:1: too many rules"]);
}

/// It goes to the worker as text.
#[test]
fn a_configuration_survives_the_way_to_the_worker() {
    let conf = good(
        "set throttle 5/s\n!p\n:msg, icase_regex, \"a\\\\.b\"\n*.* ring:a:64k\n*.* @@h(queue=1m)\n\
         remap !p -> .debug\ntls_server=on\n*.* |cat\n*.* root\n*.* *\n*.* -/f\n",
    );
    let text = serde_json::to_string(&conf).unwrap();
    assert_eq!(serde_json::from_str::<Conf>(&text).unwrap(), conf);
}

/// What the systems ship: each file of a folder that the environment names.
#[test]
fn shipped_files_load() {
    let Ok(folder) = std::env::var("SYSLOG_CONFS") else {
        println!("skipped: shipped_files_load: SYSLOG_CONFS names no folder of syslog.conf files");
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let name = path.to_str().unwrap();
        match load(name, &Folder, Options::default()) {
            Ok(conf) => {
                println!("{name}: {} rules", conf.rules.len());
                conf.warnings.iter().for_each(|w| println!("{w}"));
                assert!(!conf.rules.is_empty(), "{name} has no rules");
            }
            Err(notes) => panic!("{name}: {notes:#?}"),
        }
        seen += 1;
    }
    assert!(seen > 0, "{folder} has no files");
}
