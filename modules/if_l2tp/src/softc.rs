// SPDX-License-Identifier: BSD-2-Clause
//! The module's state and an interface's: the types, and what protects each member.
//!
//! They refer to each other in a circle, as a driver's structs do, so they stand in one file below
//! all that works with them. The tags are explained in the crate's text.

use core::net::IpAddr;
use core::num::NonZeroU32;
use core::sync::atomic::AtomicBool;

use kern::callout::Callout;
use kern::clone::IfClone;
use kern::encap::Endpoints;
use kern::encap::Path;
use kern::ifnet::Ifnet;
use kern::kstat::Kstat;
use kern::map::EpochMap;
use kern::mem::KArc;
use kern::mem::KVec;
use kern::passive::Passive;
use kern::stats::Counters;
use kern::sync::Mutex;
use kern::trace::Trace;
use wire::ip;
use wire::l2tp::Cookie;
use wire::l2tp::Layout;
use wire::l2tp::SessionId;
use wire::l2tp::Template;

use crate::config::Config;
use crate::config::Session;
use crate::stats::Ctr;
use crate::stats::Drop;
use crate::stats::Event;

/// The state of the module.
pub struct L2tp {
    /// [E] by our session id
    pub(crate) sessions: EpochMap<Softc>,
    pub(crate) endpoints: Endpoints<L2tp>,
    /// [L] every interface
    pub(crate) softcs: Mutex<KVec<KArc<Softc>>>,
    /// Per CPU: drops that no interface can be charged with.
    pub(crate) drops: Counters<Drop>,
    pub(crate) trace: Trace<Event>,
    pub(crate) registered: Mutex<Registered>,
}

/// What is registered with the kernel; each keeps the state alive until unload takes it back.
#[derive(Default)]
pub(crate) struct Registered {
    pub cloner: Option<IfClone<L2tp>>,
    pub kstat: Option<Kstat<L2tp>>,
    pub trace_off: Option<Callout<L2tp>>,
}

/// The instance state of an `l2tpN`.
pub struct Softc {
    /// [I]
    pub(crate) shared: KArc<Shared>,
    /// [I]
    pub(crate) l2tp: KArc<L2tp>,
    /// [P]
    pub(crate) variant: Passive<Variant>,
    /// [C]
    pub(crate) config: Mutex<Config>,
    /// IFF_UP as the system last told us.
    pub(crate) if_up: AtomicBool,
    /// Written under [C]: destroyed, and not to be configured again by a late ioctl.
    pub(crate) gone: AtomicBool,
}

/// What the softc and its variant both point to.
pub(crate) struct Shared {
    /// [I]
    pub ifnet: Ifnet,
    /// Interface and session are up: both directions carry packets.
    pub up: AtomicBool,
    /// Per CPU.
    pub counters: Counters<Ctr>,
    /// Per CPU.
    pub drops: Counters<Drop>,
}

/// A pseudowire that is ready to carry packets.
pub(crate) struct Variant {
    pub session: Session,
    /// The shape of the header, in both directions.
    pub layout: Layout,
    /// What we expect.
    pub my_cookie: Cookie,
    /// Ours and the peer's outer address.
    pub local: IpAddr,
    pub remote: IpAddr,
    /// The header of what we send.
    pub template: Template,
    /// For UDP: to know the endpoint that is ours, and our own packets.
    pub ports: Option<ip::Ports>,
    pub shared: KArc<Shared>,
    /// Last: dropped after the rest.
    pub path: Path<L2tp>,
}

/// A session id as the session table's key.
pub(crate) fn key(id: SessionId) -> NonZeroU32 {
    // A SessionId is never 0; MIN stands in for what the type cannot say.
    NonZeroU32::new(id.get()).unwrap_or(NonZeroU32::MIN)
}
