// SPDX-License-Identifier: BSD-2-Clause
//! The engine on a virtual clock: what goes where, and that exactly the counters that a test names
//! have moved.

mod bench;

use bench::Bench;
use bench::SECOND;
use liblog::Pri;
use liblog::Severity;
use liblog::parse::Flaws;
use syslogd::engine::Event;
use syslogd::engine::Input;

#[test]
fn a_message_goes_to_each_target_once() {
    let mut b =
        Bench::new("*.* /a\nkern.* ring:k:64k\nkern.err /a\n*.err /b\nmail.none;mark.* /c\n");
    b.send(Input::Local, "kern.err", "h", "app", "text");
    assert_eq!(
        b.took(),
        ["/a: h app text", "k: h app text", "/b: h app text"]
    );
    b.moved(|s| {
        s.received[0] = 1;
        s.rules = vec![1, 1, 1, 1, 0];
        (
            s.outputs[0].written,
            s.outputs[1].written,
            s.rings[0].written,
        ) = (1, 1, 1);
    });
    b.send(Input::Udp, "user.debug", "h", "app", "two");
    assert_eq!(b.took(), ["/a: h app two"]);
    b.moved(|s| {
        s.received[2] = 1;
        s.rules[0] = 1;
        s.outputs[0].written = 1;
    });
}

#[test]
fn flaws_and_what_nothing_takes_are_counted() {
    let mut b = Bench::new("kern.* /a\n");
    let mut flaws = Flaws::NO_PRI;
    flaws.insert(Flaws::BAD_TIME);
    let msg = bench::msg("user.info", "h", "app", "x");
    b.event(Event::Message {
        input: Input::Tls,
        msg,
        flaws,
    });
    assert!(b.took().is_empty());
    b.moved(|s| {
        s.received[4] = 1;
        (s.flaws[0], s.flaws[3]) = (1, 1);
        s.unselected = 1;
    });
}

#[test]
fn programs_hosts_and_properties() {
    let mut b = Bench::new(
        "!ppp,pppd\n*.* /prog\n!-ppp\n*.* /notppp\n!pp*\n*.* /glob\n!*\n+@\n*.* /here\n-gw,gw2\n\
         *.* /nothosts\n+*\n:msg, icase_contains, \"Deny\"\n*.* /deny\n\
         :hostname, isequal, \"here.example\"\n*.* /name\n:msg, !ereregex, \"^a.*z$\"\n*.* /re\n",
    );
    let files = |b: &mut Bench, host, app, text| {
        b.send(Input::Local, "user.info", host, app, text);
        let took = b.took();
        let names = took.iter().map(|t| t[..t.find(':').unwrap()].to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        files(&mut b, "", "ppp", "x"),
        "/prog /glob /here /nothosts /name /re"
    );
    assert_eq!(files(&mut b, "gw", "sh", "a DENY z"), "/notppp /deny");
    assert_eq!(
        files(&mut b, "GW.x.org", "pppd", "x"),
        "/prog /notppp /glob /re"
    );
    assert_eq!(
        files(&mut b, "here", "a", "x"),
        "/notppp /here /nothosts /re"
    );
    assert_eq!(files(&mut b, "other", "", "az"), "/notppp /nothosts");
}

#[test]
fn kernel_messages_have_the_program_that_they_begin_with() {
    let mut b = Bench::new("!ipfw\n*.* /ipfw\n!-ipfw\n*.* /rest\n");
    b.send(Input::Kernel, "kern.info", "", "kernel", "ipfw: 100 Deny");
    assert_eq!(b.took(), ["/ipfw:  kernel ipfw: 100 Deny"]);
    b.send(Input::Kernel, "kern.info", "", "kernel", "em0 ipfw: x");
    assert_eq!(b.took(), ["/rest:  kernel em0 ipfw: x"]);
    b.send(Input::Local, "user.info", "", "sh", "ipfw: x");
    assert_eq!(b.took(), ["/rest:  sh ipfw: x"]);
}

#[test]
fn a_stopping_block_hides_from_those_behind() {
    let mut b =
        Bench::new("*.* /all\n!!spamd\ndaemon.info /spamd\nmail.* /m\n*.* /s\n!*\n*.* /rest\n");
    b.send(Input::Local, "daemon.info", "", "spamd", "x");
    assert_eq!(
        b.took(),
        ["/all:  spamd x", "/spamd:  spamd x", "/s:  spamd x"]
    );
    b.send(Input::Local, "daemon.info", "", "sshd", "x");
    assert_eq!(b.took(), ["/all:  sshd x", "/rest:  sshd x"]);
}

#[test]
fn remaps_come_before_the_rules() {
    let mut b = Bench::new(
        "remap !noisy *.* -> local7.debug\nremap :msg, contains, \"harmless\" -> .info\n\
         remap !noisy -> .emerg\nlocal7.* /seven\n*.err /err\n",
    );
    b.send(Input::Local, "user.err", "", "noisy", "harmless");
    assert_eq!(b.took(), ["/seven:  noisy harmless"]);
    b.moved(|s| {
        s.received[0] = 1;
        s.remapped = 1;
        s.remaps = vec![1, 0, 0];
        s.rules = vec![1, 0];
        s.outputs[0].written = 1;
    });
    b.send(Input::Local, "user.err", "", "other", "harmless");
    b.moved(|s| {
        s.received[0] = 1;
        s.remapped = 1;
        s.remaps = vec![0, 1, 0];
        s.unselected = 1;
    });
    b.send(Input::Local, "user.err", "", "other", "bad");
    assert_eq!(b.took(), ["/err:  other bad"]);
}

/// BSD's intervals: 30, 120 and each 600 s; a different message ends it.
#[test]
fn repeated_messages_are_counted_at_each_target() {
    let mut b = Bench::new("set mark off\n*.* /a\n*.err ring:e:64k\n");
    b.send(Input::Local, "user.info", "h", "app", "x");
    b.took();
    b.moved_any();
    for _ in 0..3 {
        b.send(Input::Local, "user.info", "h", "app", "x");
    }
    assert!(b.took().is_empty());
    b.moved(|s| {
        s.received[0] = 3;
        s.rules[0] = 3;
        s.outputs[0].repeated = 3;
    });
    assert_eq!(b.deadline(), Some(30 * SECOND));
    b.advance(30 * SECOND - 1);
    b.event(Event::Tick);
    assert!(b.took().is_empty());
    b.advance(1);
    b.event(Event::Tick);
    assert_eq!(b.took(), ["/a: h app last message repeated 3 times"]);
    b.moved(|s| (s.outputs[0].written, s.outputs[0].told) = (1, 1));
    assert_eq!(b.deadline(), None);

    // The next intervals; the clock counts from what was written last.
    for wait in [120, 600, 600] {
        b.send(Input::Local, "user.info", "h", "app", "x");
        assert_eq!(b.deadline(), Some(b.now().mono + wait * SECOND));
        b.advance(wait * SECOND);
        b.event(Event::Tick);
        assert_eq!(b.took(), ["/a: h app last message repeated 1 times"]);
    }
    // A message that comes late enough tells it itself.
    b.advance(601 * SECOND);
    b.send(Input::Local, "user.info", "h", "app", "x");
    assert_eq!(b.took(), ["/a: h app last message repeated 1 times"]);
    // Another one: first the count, then it; and the intervals begin anew.
    b.send(Input::Local, "user.info", "h", "app", "x");
    b.send(Input::Local, "user.err", "h", "app", "x");
    let two = [
        "/a: h app last message repeated 1 times",
        "/a: h app x",
        "e: h app x",
    ];
    assert_eq!(b.took(), two);
    b.send(Input::Local, "user.err", "h", "app", "x");
    assert_eq!(b.deadline(), Some(b.now().mono + 30 * SECOND));
    b.event(Event::Flush);
    let both = [
        "/a: h app last message repeated 1 times",
        "e: h app last message repeated 1 times",
    ];
    assert_eq!(b.took(), both);
}

#[test]
fn repeats_can_be_off_and_long_messages_are_never_repeated() {
    let mut b = Bench::new("set repeats off\n*.* /a\n");
    b.send(Input::Local, "user.info", "h", "app", "x");
    b.send(Input::Local, "user.info", "h", "app", "x");
    assert_eq!(b.took().len(), 2);
    let mut b = Bench::new("*.* /a\n");
    let long = "x".repeat(5000);
    b.send(Input::Local, "user.info", "h", "app", &long);
    b.send(Input::Local, "user.info", "h", "app", &long);
    assert_eq!(b.took().len(), 2);
    for (host, app, text) in [("h", "ap", "px"), ("ha", "p", "px"), ("h", "app", "x")] {
        b.send(Input::Local, "user.info", host, app, text);
    }
    assert_eq!(
        b.took().len(),
        3,
        "the same bytes, but not the same message"
    );
}

#[test]
fn a_burst_is_withheld_and_summed_up() {
    let mut b =
        Bench::new("set throttle 10/s burst 20\nset mark off\n*.* /a\nsyslog.notice /own\n");
    for n in 0..50 {
        b.send(Input::Udp, "user.info", "h", "loud", &n.to_string());
    }
    b.send(Input::Udp, "user.info", "h", "calm", "x");
    assert_eq!(b.took().len(), 21);
    b.moved(|s| {
        s.received[2] = 51;
        s.withheld = 30;
        s.rules[0] = 21;
        s.outputs[0].written = 21;
    });
    let sources = b.sources();
    assert_eq!(
        sources,
        [("h calm".into(), 1, 0), ("h loud".into(), 20, 30)]
    );
    assert_eq!(b.deadline(), Some(30 * SECOND));
    b.advance(30 * SECOND);
    b.event(Event::Tick);
    let text = "syslogd h loud: withheld 30 messages in 30 s";
    assert_eq!(b.took(), [format!("/a:  {text}"), format!("/own:  {text}")]);
    b.moved(|s| {
        (s.own, s.summaries) = (1, 1);
        s.rules = vec![1, 1];
        (s.outputs[0].written, s.outputs[1].written) = (1, 1);
    });
    b.event(Event::Flush);
    assert!(b.took().is_empty());
    // After the pause the burst is there again.
    for n in 0..21 {
        b.send(Input::Udp, "user.info", "h", "loud", &n.to_string());
    }
    assert_eq!(b.took().len(), 20);
}

#[test]
fn who_is_forgotten_is_told_of_and_counted() {
    let mut b = Bench::new("set throttle 1/s burst 1\nset sources 2\n*.* /a\n");
    for app in ["one", "one", "two", "one", "three"] {
        b.send(Input::Local, "user.info", "", app, "x");
    }
    // "two" was silent for the longest, and nothing of it was withheld.
    assert_eq!(b.took(), ["/a:  one x", "/a:  two x", "/a:  three x"]);
    b.moved(|s| {
        s.received[0] = 5;
        (s.withheld, s.evicted) = (2, 1);
        s.rules[0] = 3;
        s.outputs[0].written = 3;
    });
    b.send(Input::Local, "user.info", "", "four", "x");
    assert_eq!(
        b.took(),
        [
            "/a:  syslogd one: withheld 2 messages in 1 s",
            "/a:  four x"
        ]
    );
}

/// Own messages have a rate of their own, and what is withheld of them is told; summaries of
/// others' messages are told in any case.
#[test]
fn own_messages_have_their_own_rate() {
    let mut b = Bench::new("set own 1/s burst 2\nset mark off\nset repeats off\n*.* /a\n");
    let own = |text| Event::Own {
        severity: Severity::ERR,
        msgid: b"DISK",
        sd: b"",
        text,
    };
    for _ in 0..5 {
        b.event(own(b"disk full"));
    }
    assert_eq!(b.took(), ["/a:  syslogd disk full"; 2]);
    b.moved(|s| {
        (s.own, s.own_withheld) = (2, 3);
        s.rules[0] = 2;
        s.outputs[0].written = 2;
    });
    assert_eq!(b.deadline(), Some(SECOND));
    b.advance(SECOND);
    b.event(Event::Tick);
    assert_eq!(b.took(), ["/a:  syslogd withheld 3 messages of its own"]);
    assert_eq!(
        b.last().pri,
        Pri {
            severity: Severity::NOTICE,
            ..b.last().pri
        }
    );
    assert_eq!(b.deadline(), None);
}

#[test]
fn marks_pass_by_what_is_busy() {
    let mut b = Bench::new("set mark 20m\n*.*;mark.* /busy\nmark.info /idle\n*.* /never\n");
    assert_eq!(b.deadline(), Some(1200 * SECOND));
    b.advance(900 * SECOND);
    b.send(Input::Local, "user.info", "", "a", "x");
    b.took();
    b.moved_any();
    b.advance(300 * SECOND);
    b.event(Event::Tick);
    assert_eq!(b.took(), ["/idle:  syslogd -- MARK --"]);
    b.moved(|s| {
        s.marks = 1;
        s.rules = vec![1, 1, 0];
        s.outputs[1].written = 1;
    });
    // Those that were missed are not made up for.
    b.advance(5000 * SECOND);
    b.event(Event::Tick);
    assert_eq!(
        b.took(),
        ["/busy:  syslogd -- MARK --", "/idle:  syslogd -- MARK --"]
    );
    assert_eq!(b.deadline(), Some(7200 * SECOND));
}

#[test]
fn a_jump_of_the_clock_is_told_once() {
    let mut b = Bench::new("*.* /a\n");
    b.advance(SECOND);
    b.wall(2 * SECOND as i64);
    b.send(Input::Local, "user.info", "", "a", "1");
    assert_eq!(b.took(), ["/a:  a 1"], "2 s are a correction");
    b.moved_any();
    b.wall(-3_500_000_000);
    b.send(Input::Local, "user.info", "", "a", "2");
    let said = "/a:  syslogd the clock was set back by 3.500 s, from 1700000003 to 1699999999";
    assert_eq!(b.took(), [said, "/a:  a 2"]);
    b.moved(|s| {
        s.received[0] = 1;
        (s.jumps, s.own) = (1, 1);
        s.rules[0] = 2;
        s.outputs[0].written = 2;
    });
    b.send(Input::Local, "user.info", "", "a", "3");
    assert_eq!(b.took(), ["/a:  a 3"]);
}

#[test]
fn crashes_become_records_if_the_kernel_tells_of_them() {
    let mut b = Bench::new("kern.* /k\nsyslog.err /own\n");
    let text = "pid 9 (named), jid 0, uid 53: exited on signal 11 (core dumped)";
    b.send(Input::Local, "kern.info", "", "kernel", text);
    b.took();
    b.moved_any();
    b.send(
        Input::Kernel,
        "kern.info",
        "",
        "kernel",
        &format!("{text} "),
    );
    let took = b.took();
    assert_eq!(
        took[1],
        "/own:  syslogd named[9] crashed: signal 11 (SIGSEGV), core dumped"
    );
    let last = b.last();
    assert_eq!(last.msgid, b"CORE");
    assert!(
        last.sd
            .starts_with(b"[core name=\"named\" pid=\"9\" signal=\"11\"")
    );
    b.moved(|s| {
        s.received[1] = 1;
        (s.crashes, s.own) = (1, 1);
        s.rules = vec![1, 1];
        (s.outputs[0].written, s.outputs[1].written) = (1, 1);
    });
}

#[test]
fn what_is_the_same_lives_through_a_reload() {
    let mut b = Bench::new("set throttle 1/s burst 1\n*.* /a\n*.* ring:r:64k\n*.* ring:old:64k\n");
    b.send(Input::Local, "user.info", "", "a", "x");
    b.send(Input::Local, "user.info", "", "a", "y");
    b.took();
    let changes = b.reload("set throttle 1/s burst 1\n*.* /new\n*.* ring:r:128k\nkern.* /a\n");
    // What waited is told to those that there were.
    let said = "syslogd a: withheld 1 messages in 1 s";
    assert_eq!(
        b.took(),
        ["/a", "r", "old"].map(|name| format!("{name}:  {said}"))
    );
    assert_eq!(format!("{:?}", changes.rings), "[Some(RingId(0))]");
    assert_eq!(
        format!("{:?}", changes.outputs),
        "[None, Some(OutputId(0))]"
    );
    assert_eq!(format!("{:?}", changes.dropped_rings), "[RingId(1)]");
    let stats = b.stats();
    assert_eq!((stats.reloads, stats.dropped_rings), (1, 1));
    assert_eq!(stats.rules, [0, 0, 0]);
    let written = [&stats.outputs[..], &stats.rings[..]].concat();
    let written: Vec<_> = written.iter().map(|s| s.written).collect();
    assert_eq!(written, [0, 2, 2]);
    // The bucket is as empty as it was.
    b.send(Input::Local, "user.info", "", "a", "z");
    assert!(b.took().is_empty());
    assert_eq!(b.stats().withheld, 2);
}

#[test]
fn a_reload_with_fewer_sources_keeps_the_youngest() {
    let mut b = Bench::new("set throttle 1/s burst 1\n*.* /a\n");
    for app in ["a", "b", "b", "c"] {
        b.send(Input::Local, "user.info", "", app, app);
    }
    b.reload("set throttle 1/s burst 1\nset sources 2\n*.* /a\n");
    let names: Vec<_> = b.sources().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, [" c", " b"]);
    b.took();
    b.send(Input::Local, "user.info", "", "b", "again");
    assert!(b.took().is_empty());
}
