// SPDX-License-Identifier: BSD-2-Clause
//! Hooks: order, verdicts, packets that go on, back and out, and the end.

use super::in_kernel;
use super::stats::Why;
use super::with_every_allocation_failing;
use host::kernel::Kernel;
use host::ledger::Faults;
use host::ledger::Split;
use host::pfiltest::Dir as At;
use host::pfiltest::PfilOut;
use kern::cx::Softint;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::mbuf::Mbuf;
use kern::mem::KArc;
use kern::pfil;
use kern::pfil::Dir;
use kern::pfil::Gate;
use kern::pfil::Hook;
use kern::pfil::Pfil;
use kern::pfil::Rx;
use kern::testing;
use kern::verdict::Verdict;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a filter does with a packet, by the packet's last byte.
const PASS: u8 = 0;
const DROP: u8 = 1;
const KEEP: u8 = 2;
const REPLY: u8 = 3;
const SEND: u8 = 4;
const REPLACE: u8 = 5;
const WRITE: u8 = 6;
const STALL: u8 = 7;

struct Filter {
    gate: Gate,
    name: char,
    /// Shared by the filters of a test: who saw something, in order.
    seen: &'static Mutex<String>,
    kept: Mutex<Option<(Rx, Mbuf)>>,
    dropped: AtomicUsize,
    changes: Mutex<Vec<u32>>,
    stalled: AtomicBool,
    left: AtomicBool,
}

fn bytes(m: &Mbuf) -> Vec<u8> {
    let mut buf = vec![0; m.len() as usize];
    assert!(m.copy_to(0, &mut buf));
    buf
}

fn packet_of(bytes: &[u8]) -> Mbuf {
    let mut m = Mbuf::get(bytes.len() as u32, 0).unwrap();
    m.append(bytes).unwrap();
    m
}

impl Hook for Filter {
    type Drop = Why;

    fn packet(&self, cx: &mut Softint, m: Mbuf, rx: &Rx) -> Verdict<Why> {
        let all = bytes(&m);
        assert!(m.head().len() >= 20, "the header is in one piece");
        self.seen.lock().unwrap().push(self.name);
        match all.last().copied().unwrap_or(PASS) {
            DROP => return Verdict::Drop(Why::Late),
            KEEP => {
                *self.kept.lock().unwrap() = Some((*rx, m));
                return Verdict::Stolen;
            }
            REPLY => {
                let told = self.gate.reply(cx, rx, &m, packet_of(&[0x45; 30]));
                assert_eq!(told, Ok(()));
                return Verdict::Drop(Why::Late);
            }
            SEND => {
                let told = self.gate.send(cx, rx, Some(&m), packet_of(&[0x46; 30]));
                assert_eq!(told, Ok(()));
            }
            REPLACE => return Verdict::Pass(packet_of(&[0x47; 30])),
            WRITE => {
                let mut m = m.writable(20).unwrap();
                m.head_mut().unwrap()[1] = 99;
                m.set_mark(7).unwrap();
                return Verdict::Pass(m);
            }
            STALL => {
                self.stalled.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
                self.left.store(true, Ordering::SeqCst);
            }
            _ => {}
        }
        Verdict::Pass(m)
    }

    fn dropped(&self, why: Why) {
        assert_eq!(why, Why::Late);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn ifchange(this: &KArc<Self>, _cx: &mut Thread, ifindex: u32) {
        this.changes.lock().unwrap().push(ifindex);
    }
}

fn filter(
    cx: &mut Thread,
    name: char,
    seen: &'static Mutex<String>,
) -> Result<KArc<Filter>, Errno> {
    let gate = Gate::new(cx)?;
    KArc::new(
        cx,
        Filter {
            gate,
            name,
            seen,
            kept: Mutex::default(),
            dropped: AtomicUsize::new(0),
            changes: Mutex::default(),
            stalled: AtomicBool::new(false),
            left: AtomicBool::new(false),
        },
    )
}

fn attach(cx: &mut Thread, filter: &KArc<Filter>) -> Pfil<Filter> {
    Pfil::attach(cx, &filter.gate, filter.clone()).unwrap()
}

/// An IPv4 packet of 30 bytes, as far as hooks look.
fn ipv4(what: u8) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..30).collect();
    packet[0] = 0x45;
    packet[29] = what;
    packet
}

fn run(k: &Kernel, what: u8) -> PfilOut {
    k.pfil_run("wan0", At::In, &ipv4(what), 0).unwrap()
}

fn log() -> &'static Mutex<String> {
    Box::leak(Box::default())
}

#[test]
fn hooks_run_in_order_and_may_take_drop_and_replace() {
    in_kernel("order", |k, cx| {
        let seen = log();
        k.pfil_if("wan0", &[]).unwrap();
        assert_eq!(run(k, PASS).passed, Some(ipv4(PASS)));
        let (a, b) = (
            filter(cx, 'a', seen).unwrap(),
            filter(cx, 'b', seen).unwrap(),
        );
        let (first, second) = (attach(cx, &a), attach(cx, &b));
        assert_eq!(run(k, PASS).passed, Some(ipv4(PASS)));
        assert_eq!(*seen.lock().unwrap(), "ab");
        assert_eq!(run(k, DROP), PfilOut::default());
        assert_eq!(*seen.lock().unwrap(), "aba");
        let dropped = |f: &Filter| f.dropped.load(Ordering::Relaxed);
        assert_eq!((dropped(&a), dropped(&b)), (1, 0));
        assert_eq!(run(k, REPLACE).passed, Some(vec![0x47; 30]));
        first.detach(cx);
        seen.lock().unwrap().clear();
        assert_eq!(run(k, PASS).passed, Some(ipv4(PASS)));
        assert_eq!(*seen.lock().unwrap(), "b");
        // A gate serves once.
        let again = Pfil::attach(cx, &a.gate, a.clone());
        assert_eq!(again.err(), Some(Errno::EINVAL));
        second.detach(cx);
        assert_eq!(run(k, DROP).passed, Some(ipv4(DROP)));
    });
}

#[test]
fn any_cut_gives_the_same_packet() {
    in_kernel("cuts", |k, cx| {
        let seen = log();
        k.pfil_if("wan0", &[]).unwrap();
        let f = filter(cx, 'f', seen).unwrap();
        let hook = attach(cx, &f);
        let mut written = ipv4(WRITE);
        written[1] = 99;
        for readonly in [false, true] {
            k.set_faults(&Faults {
                readonly,
                ..Faults::default()
            });
            let cuts = (0..=30).map(Split::At).chain([Split::None, Split::Each]);
            for split in cuts {
                k.set_split(split);
                assert_eq!(run(k, PASS).passed, Some(ipv4(PASS)), "{split:?}");
                let out = run(k, WRITE);
                assert_eq!(
                    (out.passed, out.mark),
                    (Some(written.clone()), 7),
                    "{split:?}"
                );
                let reply = run(k, REPLY);
                assert_eq!(reply.emitted[0].bytes, [0x45; 30], "{split:?}");
            }
        }
        k.set_faults(&Faults::default());
        hook.detach(cx);
    });
}

#[test]
fn a_kept_packet_goes_on_where_it_stopped() {
    in_kernel("resume", |k, cx| {
        let seen = log();
        k.pfil_if("wan0", &[]).unwrap();
        let names = ['a', 'b', 'c'];
        let all = names.map(|name| filter(cx, name, seen).unwrap());
        let [a, b, c] = [0, 1, 2].map(|i| attach(cx, &all[i]));
        // The one in the middle is the only one that keeps: the first sees another packet.
        a.detach(cx);
        let flags = kpi_sys::KPI_PFILF_GSO | kpi_sys::KPI_PFILF_CSUM_PARTIAL;
        let out = k.pfil_run("wan0", At::Out, &ipv4(KEEP), flags).unwrap();
        assert_eq!(out, PfilOut::default());
        let (rx, mut m) = all[1].kept.lock().unwrap().take().unwrap();
        assert!(rx.gso && rx.csum_partial && rx.dir == Dir::Out && rx.af == pfil::Af::V4);
        m.trim_back(1);
        m.append(&[PASS]).unwrap();
        all[1].gate.resume(cx, &rx, m).unwrap();
        assert_eq!(*seen.lock().unwrap(), "bc");
        let out = k.pfil_emitted("wan0");
        assert_eq!((out.len(), out[0].flags, out[0].dir), (1, flags, At::Out));
        assert_eq!(out[0].bytes, ipv4(PASS));
        assert_eq!(out[0].link[..6], [2, 0, 0, 0, 0, 2]);
        b.detach(cx);
        c.detach(cx);
    });
}

#[test]
fn answers_go_back_and_new_packets_the_same_way() {
    in_kernel("answers", |k, cx| {
        let seen = log();
        k.pfil_if("wan0", &[]).unwrap();
        let (a, b) = (
            filter(cx, 'a', seen).unwrap(),
            filter(cx, 'b', seen).unwrap(),
        );
        let (first, second) = (attach(cx, &a), attach(cx, &b));
        let out = run(k, REPLY);
        assert_eq!((out.passed, out.emitted.len()), (None, 1));
        let back = &out.emitted[0];
        assert_eq!(
            (back.dir, back.link[..12].to_vec()),
            (At::Out, vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],)
        );
        // Only the one that answered saw a packet: the answer passes no hook.
        assert_eq!(*seen.lock().unwrap(), "a");
        seen.lock().unwrap().clear();
        let out = run(k, SEND);
        assert_eq!(out.passed, Some(ipv4(SEND)));
        // The first's packet is seen by the second, the second's by nobody.
        assert_eq!(*seen.lock().unwrap(), "abb");
        assert!(
            out.emitted
                .iter()
                .all(|e| e.dir == At::In && e.link[0] == 2 && e.flags == 0)
        );
        assert_eq!(out.emitted.len(), 2);
        // Without a packet to go by there is no link header.
        let index = k.pfil_if("lan0", &[]).unwrap();
        let rx = Rx {
            af: pfil::Af::V4,
            dir: Dir::Out,
            ifindex: index,
            csum_partial: false,
            gso: false,
        };
        b.gate.send(cx, &rx, None, packet_of(&[0x45; 20])).unwrap();
        let out = k.pfil_emitted("lan0");
        assert_eq!((out.len(), out[0].link.len()), (1, 0));
        k.pfil_if_remove("lan0").unwrap();
        let gone = b.gate.send(cx, &rx, None, packet_of(&[0x45; 20]));
        assert_eq!(gone, Err(Errno::ENXIO));
        first.detach(cx);
        second.detach(cx);
    });
}

#[test]
fn nothing_runs_after_the_end_and_kept_packets_are_freed() {
    in_kernel("end", |k, cx| {
        let seen = log();
        k.pfil_if("wan0", &[]).unwrap();
        let f = filter(cx, 'f', seen).unwrap();
        let hook = attach(cx, &f);
        assert_eq!(run(k, KEEP).passed, None);
        std::thread::scope(|s| {
            s.spawn(|| run(k, STALL));
            while !f.stalled.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            hook.detach(cx);
            assert!(f.left.load(Ordering::SeqCst), "an upcall still runs");
        });
        let before = seen.lock().unwrap().len();
        assert_eq!(run(k, PASS).passed, Some(ipv4(PASS)));
        assert_eq!(seen.lock().unwrap().len(), before);
        let (rx, m) = f.kept.lock().unwrap().take().unwrap();
        assert_eq!(f.gate.resume(cx, &rx, m), Err(Errno::ENXIO));
        assert_eq!((k.pfil_late(), k.home().ledger.mbufs()), (1, 0));
        assert!(k.pfil_emitted("wan0").is_empty());
    });
}

#[test]
fn interfaces_are_told_as_they_change() {
    in_kernel("interfaces", |k, cx| {
        let seen = log();
        let lan = k
            .pfil_if(
                "lan0",
                &[
                    ("192.0.2.1".parse().unwrap(), 24),
                    ("2001:db8::1".parse().unwrap(), 64),
                ],
            )
            .unwrap();
        let f = filter(cx, 'f', seen).unwrap();
        let hook = attach(cx, &f);
        let wan = k.pfil_if("wan0", &[]).unwrap();
        assert_eq!(k.pfil_if("wan0", &[]), Err(host::errno::Errno::EEXIST));
        let mut all = Vec::new();
        pfil::interfaces(cx, |_, i| {
            all.push((i.index, i.name.as_str().to_owned(), i.up, i.mtu))
        });
        let expected = [
            (lan, "lan0".to_owned(), true, 1500),
            (wan, "wan0".to_owned(), true, 1500),
        ];
        assert_eq!(all, expected);
        let mut addrs = Vec::new();
        pfil::addresses(cx, lan, |_, a| {
            addrs.push(format!("{}/{}", a.addr, a.prefixlen))
        })
        .unwrap();
        assert_eq!(addrs, ["192.0.2.1/24", "2001:db8::1/64"]);
        let changes = || std::mem::take(&mut *f.changes.lock().unwrap());
        assert_eq!(changes(), [wan]);
        k.pfil_if_up("lan0", true).unwrap();
        assert_eq!(changes(), [], "nothing has changed");
        k.pfil_if_up("lan0", false).unwrap();
        k.pfil_if_addrs("lan0", &[]).unwrap();
        k.pfil_if_rename("lan0", "lan1").unwrap();
        assert_eq!(changes(), [lan; 3]);
        let info = pfil::interface(cx, lan).unwrap();
        assert!(info.name.as_str() == "lan1" && !info.up && !info.loopback);
        assert_eq!(pfil::addresses(cx, lan, |_, _| panic!("has none")), Ok(()));
        k.pfil_if_remove("lan1").unwrap();
        assert_eq!(changes(), [lan]);
        assert_eq!(pfil::interface(cx, lan).err(), Some(Errno::ENXIO));
        assert_eq!(pfil::addresses(cx, lan, |_, _| {}), Err(Errno::ENXIO));
        hook.detach(cx);
        k.pfil_if_up("wan0", false).unwrap();
        assert_eq!(changes(), []);
    });
}

#[test]
fn every_allocation_may_fail() {
    let seen = log();
    with_every_allocation_failing("pfil", |cx| {
        let f = filter(cx, 'f', seen)?;
        Pfil::attach(cx, &f.gate, f.clone())?.detach(cx);
        Ok(())
    });
}

/// Of packets that are made on the way, too: each way either works or frees and says so.
#[test]
fn packets_may_run_out_of_memory() {
    in_kernel("nobufs", |k, cx| {
        k.pfil_if("wan0", &[]).unwrap();
        let mut m = packet_of(&ipv4(PASS));
        let twin = m.dup().unwrap();
        k.fail_nth(host::ledger::Fault::Mbuf, 1);
        assert!(m.set_mark(3).is_err() && m.mark() == 0);
        m.set_mark(3).unwrap();
        assert_eq!((m.mark(), twin.mark()), (3, 0));
        assert_eq!(m.dup().unwrap().mark(), 3);
        k.fail_nth(host::ledger::Fault::Mbuf, 1);
        assert!(m.writable(20).is_err());
        let mut m = twin.dup().unwrap().writable(20).unwrap();
        m.head_mut().unwrap()[0] = 0;
        assert_eq!((bytes(&twin)[0], bytes(&m)[0]), (0x45, 0));
        assert_eq!(bytes(&twin)[1..], bytes(&m)[1..]);
        assert!(m.writable(31).is_err());
        drop(twin);
        let _ = (cx, testing::softint());
    });
}
