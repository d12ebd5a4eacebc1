// SPDX-License-Identifier: BSD-2-Clause
//! One kernel with the module, an interface as a case describes it, and a peer made by hand.

use host::errno::Errno;
use host::kernel::Config;
use host::kernel::Kernel;
use host::ledger::Fault;
use host::ledger::Faults;
use host::ledger::Split;
use host::outer;
use host::outer::End;
use host::wire::WireNet;
use host::wire::WirePeer;
use if_l2tp_abi as abi;
use kabi::FromBytes;
use kabi::Ioctl;
use kabi::Pod;
use kpi_sys::KPI_TUNNEL_DEL;
use kpi_sys::KPI_TUNNEL_SET;
use kpi_sys::kpi_tunnel;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use testkit::Snapshot;
use testkit::packet;

/// What carries the pseudowire, and what stands before its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub udp: bool,
    pub v6: bool,
    /// Bytes of the cookies.
    pub cookie: u32,
    pub sublayer: bool,
}

/// The plainest one.
pub const PLAIN: Case = Case {
    udp: false,
    v6: false,
    cookie: 0,
    sublayer: false,
};

/// The one with all there is.
pub const RICH: Case = Case {
    udp: true,
    v6: true,
    cookie: 8,
    sublayer: true,
};

pub const MY_ID: u32 = 0x1122_3344;
pub const PEER_ID: u32 = 0xaabb_ccdd;
pub const MY_PORT: u16 = 1701;
pub const PEER_PORT: u16 = 5000;
const MY_COOKIE: u64 = 0x0102_0304_0506_0708;
const PEER_COOKIE: u64 = 0xf1f2_f3f4_f5f6_f7f8;

impl Case {
    /// All 24 of them.
    pub fn all() -> impl Iterator<Item = Case> {
        let cookies = [0, 4, 8];
        (0..24).map(move |n| Case {
            udp: n & 1 != 0,
            v6: n & 2 != 0,
            sublayer: n & 4 != 0,
            cookie: cookies[n >> 3],
        })
    }

    /// The address of host `n`.
    pub fn addr(self, n: u8) -> IpAddr {
        let text = if self.v6 { "2001:db8::" } else { "192.0.2." };
        format!("{text}{n}").parse().unwrap()
    }

    fn end(self, n: u8, port: u16) -> End {
        let (proto, port) = if self.udp {
            (packet::UDP, port)
        } else {
            (packet::L2TP, 0)
        };
        End {
            addr: self.addr(n),
            proto,
            port,
        }
    }

    /// The kernel's end.
    pub fn ours(self) -> End {
        self.end(1, MY_PORT)
    }

    /// The peer's end.
    pub fn theirs(self) -> End {
        self.end(2, PEER_PORT)
    }

    fn cookie(self, value: u64) -> (u64, Vec<u8>) {
        match self.cookie {
            0 => (0, Vec::new()),
            4 => (value & 0xffff_ffff, (value as u32).to_be_bytes().to_vec()),
            _ => (value, value.to_be_bytes().to_vec()),
        }
    }

    /// The header of what the kernel receives, with the session id and the cookie given.
    pub fn header(self, id: u32, cookie: &[u8]) -> Vec<u8> {
        packet::l2tp(self.udp, id, cookie, self.sublayer.then_some(0))
    }

    /// What the kernel expects.
    pub fn rx_header(self) -> Vec<u8> {
        self.header(MY_ID, &self.cookie(MY_COOKIE).1)
    }

    /// What it sends.
    pub fn tx_header(self) -> Vec<u8> {
        self.header(PEER_ID, &self.cookie(PEER_COOKIE).1)
    }

    /// A frame as it comes from the peer, without outer headers.
    pub fn message(self, frame: &[u8]) -> Vec<u8> {
        [&self.rx_header(), frame].concat()
    }

    /// The whole IP packet in which a frame leaves.
    pub fn sent(self, frame: &[u8]) -> Vec<u8> {
        let message = [&self.tx_header(), frame].concat();
        let (ours, theirs) = (self.ours(), self.theirs());
        let payload = if self.udp {
            packet::udp((ours.addr, ours.port), (theirs.addr, theirs.port), &message)
        } else {
            message
        };
        packet::ip(ours.addr, theirs.addr, ours.proto, 255, &payload)
    }

    pub fn encap(self) -> abi::L2tpEncapReq {
        abi::L2tpEncapReq {
            encap: if self.udp {
                abi::L2TP_ENCAP_UDP
            } else {
                abi::L2TP_ENCAP_IP
            },
            my_port: if self.udp { MY_PORT } else { 0 },
            peer_port: if self.udp { PEER_PORT } else { 0 },
            sublayer: if self.sublayer {
                abi::L2TP_SUBLAYER_DEFAULT
            } else {
                abi::L2TP_SUBLAYER_NONE
            },
            ..Default::default()
        }
    }

    pub fn cookies(self) -> abi::L2tpReq {
        abi::L2tpReq {
            my_cookie_len: self.cookie,
            my_cookie: self.cookie(MY_COOKIE).0,
            peer_cookie_len: self.cookie,
            peer_cookie: self.cookie(PEER_COOKIE).0,
            ..Default::default()
        }
    }
}

/// A request for the session ids.
pub fn ids(my: u32, peer: u32) -> abi::L2tpReq {
    abi::L2tpReq {
        my_sess_id: my,
        peer_sess_id: peer,
        ..Default::default()
    }
}

/// A request for the state.
pub fn state(up: bool) -> abi::L2tpReq {
    abi::L2tpReq {
        state: if up {
            abi::L2TP_STATE_UP
        } else {
            abi::L2TP_STATE_DOWN
        },
        ..Default::default()
    }
}

/// Sends a command that changes something.
pub fn set<Rq: Pod>(k: &Kernel, name: &str, c: &Ioctl<Rq, ()>, req: &Rq) -> Result<(), Errno> {
    k.if_ioctl(name, c.cmd, &mut req.as_bytes().to_vec())
}

/// Sends a command that reads something.
pub fn get<Rs: Pod + FromBytes>(k: &Kernel, name: &str, c: &Ioctl<(), Rs>) -> Result<Rs, Errno> {
    let mut buf = vec![0; c.size()];
    k.if_ioctl(name, c.cmd, &mut buf)?;
    Ok(kabi::read_pod(&buf).unwrap())
}

/// `ifconfig NAME tunnel SRC DST`.
pub fn tunnel(k: &Kernel, name: &str, src: IpAddr, dst: IpAddr) -> Result<(), Errno> {
    let ((kt_af, kt_src), (_, kt_dst)) = (outer::to_bytes(src), outer::to_bytes(dst));
    let mut t = kpi_tunnel {
        kt_af,
        kt_pad: 0,
        kt_src,
        kt_dst,
    };
    k.if_tunnel(name, KPI_TUNNEL_SET, &mut t)
}

/// `ifconfig NAME deletetunnel`.
pub fn delete_tunnel(k: &Kernel, name: &str) -> Result<(), Errno> {
    let mut t = kpi_tunnel {
        kt_af: 0,
        kt_pad: 0,
        kt_src: [0; 16],
        kt_dst: [0; 16],
    };
    k.if_tunnel(name, KPI_TUNNEL_DEL, &mut t)
}

/// A kernel on `net` with the module loaded.
pub fn kernel(name: &str, net: &WireNet) -> Kernel {
    let k = Kernel::new(Config::test(name, net));
    k.load(if_l2tp::MODULE.raw()).unwrap();
    k
}

const IF_STATS: [&str; 9] = [
    "ipackets", "ierrors", "ibytes", "iqdrops", "noproto", "opackets", "oerrors", "obytes",
    "oqdrops",
];

/// All that counts in a kernel: the module's, the interfaces', and what the system keeps of these.
pub fn snapshot(k: &Kernel) -> Snapshot {
    let mut all = Snapshot::new();
    let read = |cursor: &mut u64, buf: &mut [u8]| k.kstat_read("if_l2tp", cursor, buf).unwrap();
    for buffer in testkit::counters::read_all(4096, read) {
        all.add_records(&buffer);
    }
    for ifnet in k.ifnets() {
        for (name, value) in IF_STATS.iter().zip(ifnet.stats) {
            all.put(&ifnet.name, name, value);
        }
    }
    all
}

/// See the module's text. The interface is `l2tp0`.
pub struct Site {
    pub case: Case,
    pub net: WireNet,
    pub k: Kernel,
    pub peer: WirePeer,
    /// IP packets as they were sent, by anybody.
    pub seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Site {
    /// Everything configured and up.
    pub fn new(case: Case) -> Site {
        let net = WireNet::new(1);
        let k = kernel("site", &net);
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let watch = Arc::clone(&seen);
        net.set_watch(Some(Box::new(move |ip| {
            watch.lock().unwrap().push(ip.to_vec());
            true
        })));
        let peer = net.peer(case.theirs()).unwrap();
        let site = Site {
            case,
            net,
            k,
            peer,
            seen,
        };
        assert_eq!(site.k.clone_create("l2tp").unwrap(), "l2tp0");
        site.configure("l2tp0", case, MY_ID, PEER_ID);
        site
    }

    /// Gives an interface all that it needs, with these ids.
    pub fn configure(&self, name: &str, case: Case, my: u32, peer: u32) {
        let k = &self.k;
        set(k, name, &abi::SIOCSL2TPENCAP, &case.encap()).unwrap();
        tunnel(k, name, case.addr(1), case.addr(2)).unwrap();
        set(k, name, &abi::SIOCSL2TPSESSION, &ids(my, peer)).unwrap();
        set(k, name, &abi::SIOCSL2TPCOOKIE, &case.cookies()).unwrap();
        set(k, name, &abi::SIOCSL2TPSTATE, &state(true)).unwrap();
        k.if_set_up(name, true).unwrap();
    }

    /// A message comes from the peer and is delivered.
    pub fn receive(&self, message: &[u8]) {
        self.receive_from(&self.peer, message);
    }

    /// As from another peer.
    pub fn receive_from(&self, peer: &WirePeer, message: &[u8]) {
        peer.send(&self.case.ours(), message).unwrap();
        self.net.run();
    }

    /// The frames that came out of `l2tp0`.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.k.if_received("l2tp0")
    }

    /// The IP packets sent since the last call.
    pub fn packets(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Does `act` and asserts that exactly these counters moved.
    #[track_caller]
    pub fn moves(&self, moved: &[(&str, u64)], act: impl FnOnce(&Site)) {
        let before = snapshot(&self.k);
        act(self);
        snapshot(&self.k).assert_moved(&before, moved);
    }

    /// A message comes in every way in which a kernel may hand it over: in one piece, split at every
    /// byte, each byte a piece, read-only, with outer headers before it. Each time exactly `moved`
    /// moves and `frames` come out.
    #[track_caller]
    pub fn every_way(&self, message: &[u8], moved: &[(&str, u64)], frames: &[&[u8]]) {
        for bits in 0..4 {
            let outer_headers = bits & 2 != 0;
            let len = message.len() as u32 + if outer_headers { 48 } else { 0 };
            let splits = [Split::None, Split::Each]
                .into_iter()
                .chain((0..=len).map(Split::At));
            let before = snapshot(&self.k);
            let mut times = 0;
            for split in splits {
                let faults = Faults {
                    split,
                    readonly: bits & 1 != 0,
                    outer_headers,
                    ..Faults::default()
                };
                self.k.set_faults(&faults);
                self.receive(message);
                assert_eq!(self.frames(), frames, "{faults:?}");
                times += 1;
            }
            let moved: Vec<_> = moved.iter().map(|(name, by)| (*name, by * times)).collect();
            snapshot(&self.k).assert_moved(&before, &moved);
        }
        self.every_failure(message, moved, frames);
        self.k.set_faults(&Faults::default());
        assert_eq!(self.k.home().ledger.mbufs(), 0);
    }

    /// A message comes in pieces while the first, second ... allocation for packets fails, until
    /// none does. What is not as usual is counted as a lack of memory, and as nothing else.
    #[track_caller]
    fn every_failure(&self, message: &[u8], moved: &[(&str, u64)], frames: &[&[u8]]) {
        for readonly in [false, true] {
            self.k.set_faults(&Faults {
                split: Split::Each,
                readonly,
                ..Faults::default()
            });
            for n in 1.. {
                self.k.fail_nth(Fault::Mbuf, n);
                let before = snapshot(&self.k);
                self.receive(message);
                let now = snapshot(&self.k);
                let hit = !self.k.fail_pending(Fault::Mbuf);
                self.k.fail_nth(Fault::Mbuf, 0);
                if !hit {
                    now.assert_moved(&before, moved);
                    assert_eq!(self.frames(), frames);
                    break;
                }
                assert!(self.frames().is_empty());
                if now.get(".no_bufs") != before.get(".no_bufs") {
                    now.assert_moved(&before, &[(".no_bufs", 1)]);
                } else {
                    now.assert_moved(&before, &[("l2tp0.no_bufs", 1), ("l2tp0.ierrors", 1)]);
                }
                assert!(n < 100);
            }
        }
    }

    /// The end: nothing was leaked.
    pub fn done(self) {
        for ifnet in self.k.ifnets() {
            self.k.clone_destroy(&ifnet.name).unwrap();
        }
        self.k.shutdown().unwrap();
    }
}
