// SPDX-License-Identifier: BSD-2-Clause
//! Wires: an IP internet in the process, that several kernels and test peers share.
//!
//! *Contexts*: sending any; [`WireNet::run`] and [`WireNet::step`] thread. *Locking*: one mutex a
//! net, not held during upcalls, so what a module sends from one is queued behind.
//!
//! Packets lie in the queue until somebody runs the net: the order of a test is its own.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use kpi_sys::kpi_encap_rx;

use crate::errno::Errno;
use crate::mbuf::Mbuf;
use crate::misc::Seeded;
use crate::outer::{self, End};
use crate::port::EncapPort;
use crate::sync::lock;

/// Packets that [`WireNet::run`] delivers at most: a loop must not hang a test.
const RUN_MOST: usize = 1_000_000;

/// What befalls packets on their way, each in so many of 1,000 cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub dup: u32,
    /// Overtaken by the packet behind.
    pub reorder: u32,
    /// Not even sent by a kernel's path: the sender is told `EHOSTUNREACH`.
    pub refuse: u32,
}

/// What a net has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireStats {
    /// Packets sent.
    pub sent: u64,
    /// Packets that an endpoint was given.
    pub delivered: u64,
    /// Lost on the way, by [`Trouble`].
    pub lost: u64,
    /// Sent to where nobody listens.
    pub unreachable: u64,
    /// Not taken by the module they were given to.
    pub refused: u64,
}

/// Sees each packet when it is sent, as IP; its answer false loses it.
pub type Watch = Box<dyn FnMut(&[u8]) -> bool + Send>;

#[derive(Clone)]
enum Target {
    Kernel(Arc<EncapPort>),
    Peer(Arc<Mutex<Inbox>>),
}

type Inbox = VecDeque<(End, Vec<u8>)>;

struct Net {
    ends: BTreeMap<End, Target>,
    queue: VecDeque<Vec<u8>>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    trouble: Trouble,
    random: Seeded,
    watch: Option<Watch>,
    stats: WireStats,
}

/// A handle of a net; see the module's text.
#[derive(Clone)]
pub struct WireNet {
    net: Arc<Mutex<Net>>,
    /// Addresses of the host that this handle stands for; `None`: every address.
    ours: Option<Arc<[IpAddr]>>,
}

impl fmt::Debug for WireNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireNet")
            .field("ours", &self.ours)
            .finish_non_exhaustive()
    }
}

impl WireNet {
    /// A net without trouble; `seed` decides what trouble hits later.
    pub fn new(seed: u64) -> WireNet {
        let net = Net {
            ends: BTreeMap::new(),
            queue: VecDeque::new(),
            spare: Vec::new(),
            trouble: Trouble::default(),
            random: Seeded(seed),
            watch: None,
            stats: WireStats::default(),
        };
        WireNet {
            net: Arc::new(Mutex::new(net)),
            ours: None,
        }
    }

    /// The same net as a host with only these addresses sees it, for one kernel.
    pub fn host(&self, addrs: &[IpAddr]) -> WireNet {
        WireNet {
            net: Arc::clone(&self.net),
            ours: Some(addrs.into()),
        }
    }

    /// Change what befalls packets sent from now on.
    pub fn set_trouble(&self, trouble: Trouble) {
        lock(&self.net).trouble = trouble;
    }

    /// Show each packet sent from now on to `watch`, which must not call the net.
    pub fn set_watch(&self, watch: Option<Watch>) {
        lock(&self.net).watch = watch;
    }

    /// What has happened.
    pub fn stats(&self) -> WireStats {
        lock(&self.net).stats
    }

    /// Packets on their way.
    pub fn in_flight(&self) -> usize {
        lock(&self.net).queue.len()
    }

    fn register(&self, end: End, target: Target) -> Result<WireEnd, Errno> {
        let ours = self
            .ours
            .as_ref()
            .is_none_or(|ours| ours.contains(&end.addr));
        if !ours || end.addr.is_unspecified() || end.addr.is_multicast() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let mut net = lock(&self.net);
        if net.ends.contains_key(&end) {
            return Err(Errno::EADDRINUSE);
        }
        net.ends.insert(end, target);
        Ok(WireEnd {
            net: self.clone(),
            end,
        })
    }

    /// Receive for `port`'s endpoint: `EADDRINUSE`, `EADDRNOTAVAIL`.
    pub fn open(&self, port: &Arc<EncapPort>) -> Result<WireEnd, Errno> {
        self.register(
            End::from_kpi(&port.endpoint)?,
            Target::Kernel(Arc::clone(port)),
        )
    }

    /// A peer that is no kernel: a test sends and receives payloads by hand.
    pub fn peer(&self, end: End) -> Result<WirePeer, Errno> {
        let inbox = Arc::default();
        let end = self.register(end.checked()?, Target::Peer(Arc::clone(&inbox)))?;
        Ok(WirePeer { end, inbox })
    }

    /// Queue a whole IP packet that a test has built.
    pub fn inject(&self, packet: &[u8]) {
        let mut net = lock(&self.net);
        let mut buf = net.buffer();
        buf.extend_from_slice(packet);
        net.send(buf);
    }

    /// Deliver the packet at the front; false: there was none.
    pub fn step(&self) -> bool {
        let mut net = lock(&self.net);
        let Some(packet) = net.queue.pop_front() else {
            return false;
        };
        let parsed = outer::parse(&packet);
        let target = parsed.and_then(|(_, dst, _)| net.ends.get(&dst).cloned());
        let (Some((src, dst, headers)), Some(target)) = (parsed, target) else {
            net.stats.unreachable += 1;
            net.spare.push(packet);
            return true;
        };
        net.stats.delivered += 1;
        drop(net);
        let taken = match target {
            Target::Kernel(port) => deliver(&port, &src, &dst, headers, &packet),
            Target::Peer(inbox) => {
                lock(&inbox).push_back((src, packet[headers..].to_vec()));
                true
            }
        };
        let mut net = lock(&self.net);
        net.stats.refused += u64::from(!taken);
        net.spare.push(packet);
        true
    }

    /// Deliver until nothing is on its way: how many packets.
    pub fn run(&self) -> usize {
        (0..RUN_MOST).take_while(|_| self.step()).count()
    }
}

fn deliver(port: &EncapPort, src: &End, dst: &End, headers: usize, packet: &[u8]) -> bool {
    let (af, kr_src) = outer::to_bytes(src.addr);
    let (_, kr_dst) = outer::to_bytes(dst.addr);
    let with_headers = port.home.ledger.outer_headers();
    let rx = kpi_encap_rx {
        kr_af: af,
        kr_proto: u32::from(dst.proto),
        kr_src,
        kr_dst,
        kr_sport: src.port,
        kr_dport: dst.port,
        kr_off: if with_headers { headers as u32 } else { 0 },
    };
    let bytes = if with_headers {
        packet
    } else {
        &packet[headers..]
    };
    port.home
        .enter(|| Mbuf::from_bytes(bytes))
        .is_some_and(|m| port.input(m, &rx))
}

impl Net {
    fn buffer(&mut self) -> Vec<u8> {
        let mut buf = self.spare.pop().unwrap_or_default();
        buf.clear();
        buf
    }

    fn send(&mut self, packet: Vec<u8>) {
        self.stats.sent += 1;
        let passed = self.watch.as_mut().is_none_or(|watch| watch(&packet));
        if !passed || self.random.chance(self.trouble.loss) {
            self.stats.lost += 1;
            self.spare.push(packet);
            return;
        }
        if self.random.chance(self.trouble.dup) {
            let mut copy = self.buffer();
            copy.extend_from_slice(&packet);
            self.queue.push_back(copy);
        }
        self.queue.push_back(packet);
        let last = self.queue.len() - 1;
        if last > 0 && self.random.chance(self.trouble.reorder) {
            self.queue.swap(last, last - 1);
        }
    }
}

/// A registered endpoint; gone from the net when dropped.
#[derive(Debug)]
pub struct WireEnd {
    net: WireNet,
    end: End,
}

impl Drop for WireEnd {
    fn drop(&mut self) {
        lock(&self.net.net).ends.remove(&self.end);
    }
}

impl WireEnd {
    /// A way to `dst`: `EINVAL` where the port does not suit the protocol or the TTL is not in
    /// 1..=255.
    pub fn path(&self, dst: IpAddr, dport: u16, ttl: u32) -> Result<WirePath, Errno> {
        let ttl = u8::try_from(ttl).map_err(|_| Errno::EINVAL)?;
        let dst = End {
            addr: dst,
            proto: self.end.proto,
            port: dport,
        }
        .checked()?;
        if dst.addr.is_ipv4() != self.end.addr.is_ipv4() {
            return Err(Errno::EAFNOSUPPORT);
        }
        if ttl == 0 || dst.addr.is_unspecified() {
            return Err(Errno::EINVAL);
        }
        Ok(WirePath {
            net: self.net.clone(),
            src: self.end,
            dst,
            ttl,
        })
    }
}

/// A way from an endpoint to a peer.
#[derive(Debug)]
pub struct WirePath {
    net: WireNet,
    src: End,
    dst: End,
    ttl: u8,
}

impl WirePath {
    /// Put the outer headers before `m` and queue it: `EMSGSIZE` when IP cannot carry it, and
    /// what [`Trouble::refuse`] says.
    pub fn output(&self, m: &Mbuf) -> Result<(), Errno> {
        let mut net = lock(&self.net.net);
        let refuse = net.trouble.refuse;
        if net.random.chance(refuse) {
            return Err(Errno::EHOSTUNREACH);
        }
        let mut packet = net.buffer();
        outer::build(&mut packet, &self.src, &self.dst, self.ttl, m.segments())?;
        net.send(packet);
        Ok(())
    }
}

/// See [`WireNet::peer`].
#[derive(Debug)]
pub struct WirePeer {
    end: WireEnd,
    inbox: Arc<Mutex<Inbox>>,
}

impl WirePeer {
    /// The next payload that came, and from where.
    pub fn recv(&self) -> Option<(End, Vec<u8>)> {
        lock(&self.inbox).pop_front()
    }

    /// Send a payload to an endpoint of the same protocol.
    pub fn send(&self, dst: &End, payload: &[u8]) -> Result<(), Errno> {
        let mut packet = Vec::new();
        outer::build(
            &mut packet,
            &self.end.end,
            dst,
            64,
            std::iter::once(payload),
        )?;
        self.end.net.inject(&packet);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(addr: &str, port: u16) -> End {
        let proto = if port == 0 { 115 } else { 17 };
        End {
            addr: addr.parse().expect("an address"),
            proto,
            port,
        }
    }

    #[test]
    fn peers_talk_in_order_and_addresses_are_checked() {
        let net = WireNet::new(1);
        let (a, b) = (end("192.0.2.1", 1701), end("192.0.2.2", 5000));
        let pa = net.peer(a).expect("free");
        let pb = net.host(&[b.addr]).peer(b).expect("free");
        assert_eq!(net.peer(a).err(), Some(Errno::EADDRINUSE));
        assert_eq!(
            net.host(&[b.addr]).peer(end("192.0.2.9", 1)).err(),
            Some(Errno::EADDRNOTAVAIL)
        );
        pa.send(&b, b"one").expect("fits");
        pa.send(&b, b"two").expect("fits");
        pa.send(&end("192.0.2.7", 5), b"lost").expect("fits");
        assert!(pb.recv().is_none());
        assert_eq!(net.run(), 3);
        assert_eq!(pb.recv(), Some((a, b"one".to_vec())));
        assert_eq!(pb.recv(), Some((a, b"two".to_vec())));
        let stats = WireStats {
            sent: 3,
            delivered: 2,
            unreachable: 1,
            ..WireStats::default()
        };
        assert_eq!(net.stats(), stats);
        drop(pa);
        net.peer(a).expect("free again");
    }

    #[test]
    fn trouble_is_as_ordered_and_repeatable() {
        let deliver = |trouble| {
            let net = WireNet::new(42);
            net.set_trouble(trouble);
            let (a, b) = (end("::1", 0), end("::2", 0));
            let (pa, pb) = (net.peer(a).expect("free"), net.peer(b).expect("free"));
            (0..200u8).for_each(|n| pa.send(&b, &[n]).expect("fits"));
            net.run();
            std::iter::from_fn(|| pb.recv().map(|(_, bytes)| bytes[0])).collect::<Vec<_>>()
        };
        let plain = deliver(Trouble::default());
        assert_eq!(plain, (0..200).collect::<Vec<u8>>());
        let lossy = Trouble {
            loss: 500,
            ..Trouble::default()
        };
        let lossy_once = deliver(lossy);
        assert!((50..150).contains(&lossy_once.len()));
        assert_eq!(lossy_once, deliver(lossy));
        assert_eq!(
            deliver(Trouble {
                dup: 1000,
                ..Trouble::default()
            })
            .len(),
            400
        );
        let mut mixed = deliver(Trouble {
            reorder: 300,
            ..Trouble::default()
        });
        assert_ne!(mixed, plain);
        mixed.sort_unstable();
        assert_eq!(mixed, plain);
    }

    #[test]
    fn a_watch_sees_ip_packets_and_may_lose_them() {
        let net = WireNet::new(1);
        let (a, b) = (end("192.0.2.1", 0), end("192.0.2.2", 0));
        let (pa, pb) = (net.peer(a).expect("free"), net.peer(b).expect("free"));
        net.set_watch(Some(Box::new(|ip| ip[0] == 0x45 && ip[20] != b'x')));
        pa.send(&b, b"x").expect("fits");
        pa.send(&b, b"y").expect("fits");
        net.run();
        assert_eq!(pb.recv(), Some((a, b"y".to_vec())));
        assert_eq!((pb.recv(), net.stats().lost), (None, 1));
    }
}
