// SPDX-License-Identifier: BSD-2-Clause
//! How interfaces are shown, to people and as JSON.

use if_l2tp_abi::{
    L2TP_ENCAP_UDP, L2TP_STATE_UP, L2TP_SUBLAYER_DEFAULT, L2tpEncapReq, L2tpReq, SIOCGL2TP,
    SIOCGL2TPENCAP,
};
use libkctl::{Interface, Kernel, Outer, Result, Stats};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One interface, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Bytes.
    pub mtu: u32,
    /// "UP", "RUNNING".
    pub flags: Vec<&'static str>,
    /// "active" or "no carrier", where the driver tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Link-layer address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Outer addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// What an L2TPv3 interface has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2tp: Option<L2tp>,
    /// Counters.
    pub stats: BTreeMap<&'static str, u64>,
}

/// Outer addresses.
#[derive(Clone, Debug, Serialize)]
pub struct Tunnel {
    /// "inet" or "inet6"
    pub family: &'static str,
    /// This end.
    pub src: String,
    /// The other end.
    pub dst: String,
}

/// What an L2TPv3 interface has.
#[derive(Clone, Debug, Serialize)]
pub struct L2tp {
    /// "up" or "down"
    pub state: &'static str,
    /// Session ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Pair<u32>>,
    /// Bytes of the cookies.
    pub cookie_len: Pair<u32>,
    /// The cookies, only when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Pair<String>>,
    /// Encapsulation; not there with a driver that has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encap: Option<EncapView>,
}

/// Something that each end has.
#[derive(Clone, Debug, Serialize)]
pub struct Pair<T> {
    /// This end's.
    pub my: T,
    /// The other's.
    pub peer: T,
}

/// Encapsulation.
#[derive(Clone, Debug, Serialize)]
pub struct EncapView {
    /// "ip" or "udp"
    pub proto: &'static str,
    /// UDP ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Pair<u16>>,
    /// "none" or "default"
    pub sublayer: &'static str,
}

/// All interfaces, or the one called `only`; `secrets`: with their cookies.
///
/// # Errors
/// The kernel's.
pub fn views(kernel: &mut Kernel, only: Option<&str>, secrets: bool) -> Result<Vec<View>> {
    let mut all = kernel.interfaces()?;
    all.retain(|i| only.is_none_or(|name| i.name == name));
    Ok(all.into_iter().map(|i| view(kernel, i, secrets)).collect())
}

fn view(kernel: &mut Kernel, i: Interface, secrets: bool) -> View {
    // In a system's own kernel the same number means other things to other drivers.
    let ours = !kernel.is_native() || i.name.starts_with("l2tp");
    let l2tp = ours
        .then(|| kernel.ioctl(&i.name, &SIOCGL2TP, &()).ok())
        .flatten();
    let l2tp = l2tp.map(|req| {
        let encap = kernel.ioctl(&i.name, &SIOCGL2TPENCAP, &()).ok();
        l2tp_view(&req, encap.as_ref(), secrets)
    });
    let flags = [("UP", i.up), ("RUNNING", i.running)];
    View {
        flags: flags
            .into_iter()
            .filter_map(|(name, on)| on.then_some(name))
            .collect(),
        status: i.link.map(|up| if up { "active" } else { "no carrier" }),
        address: i.lladdr.map(|a| a.map(|b| format!("{b:02x}")).join(":")),
        tunnel: i.tunnel.map(tunnel_view),
        l2tp,
        stats: Stats::NAMES.into_iter().zip(i.stats.0).collect(),
        name: i.name,
        index: i.index,
        mtu: i.mtu,
    }
}

fn tunnel_view(t: Outer) -> Tunnel {
    Tunnel {
        family: if t.src.is_ipv4() { "inet" } else { "inet6" },
        src: t.src.to_string(),
        dst: t.dst.to_string(),
    }
}

fn l2tp_view(req: &L2tpReq, encap: Option<&L2tpEncapReq>, secrets: bool) -> L2tp {
    let hex = |len: u32, value: u64| match len {
        0 => "none".into(),
        len => format!("{value:#0width$x}", width = 2 + 2 * (len.min(8) as usize)),
    };
    let session = Pair {
        my: req.my_sess_id,
        peer: req.peer_sess_id,
    };
    L2tp {
        state: if req.state == L2TP_STATE_UP {
            "up"
        } else {
            "down"
        },
        session: (session.my != 0).then_some(session),
        cookie_len: Pair {
            my: req.my_cookie_len,
            peer: req.peer_cookie_len,
        },
        cookie: secrets.then(|| Pair {
            my: hex(req.my_cookie_len, req.my_cookie),
            peer: hex(req.peer_cookie_len, req.peer_cookie),
        }),
        encap: encap.map(|e| {
            let udp = e.encap == L2TP_ENCAP_UDP;
            let default = e.sublayer == L2TP_SUBLAYER_DEFAULT;
            EncapView {
                proto: if udp { "udp" } else { "ip" },
                port: udp.then_some(Pair {
                    my: e.my_port,
                    peer: e.peer_port,
                }),
                sublayer: if default { "default" } else { "none" },
            }
        }),
    }
}

/// One interface in the form of the BSDs; `counters`: with what it counted.
#[must_use]
pub fn text(v: &View, counters: bool) -> String {
    let mut out = String::new();
    // A String takes all that is written.
    let _ = write_text(&mut out, v, counters);
    out
}

fn write_text(out: &mut String, v: &View, counters: bool) -> std::fmt::Result {
    let bits = v
        .flags
        .iter()
        .map(|f| if *f == "UP" { 0x1 } else { 0x40 })
        .sum::<u32>();
    let flags = v.flags.join(",");
    writeln!(
        out,
        "{}: flags={bits:x}<{flags}> metric 0 mtu {}",
        v.name, v.mtu
    )?;
    if let Some(t) = &v.tunnel {
        writeln!(out, "\ttunnel {} {} --> {}", t.family, t.src, t.dst)?;
    }
    if let Some(l) = &v.l2tp {
        if let Some(s) = &l.session {
            writeln!(out, "\tsession {} --> {} state {}", s.my, s.peer, l.state)?;
        }
        match &l.cookie {
            Some(c) if l.cookie_len.my | l.cookie_len.peer != 0 => {
                let (my, peer) = (l.cookie_len.my, l.cookie_len.peer);
                writeln!(out, "\tcookie {my} {} --> {peer} {}", c.my, c.peer)?;
            }
            None if l.cookie_len.my | l.cookie_len.peer != 0 => {
                let (my, peer) = (l.cookie_len.my, l.cookie_len.peer);
                writeln!(out, "\tcookie {my} bytes --> {peer} bytes")?;
            }
            _ => {}
        }
        if let Some(e) = &l.encap {
            write!(out, "\tencap {}", e.proto)?;
            if let Some(p) = &e.port {
                write!(out, " port {} --> {}", p.my, p.peer)?;
            }
            writeln!(out, " sublayer {}", e.sublayer)?;
        }
    }
    if let Some(address) = &v.address {
        writeln!(out, "\taddress: {address}")?;
    }
    if let Some(status) = v.status {
        writeln!(out, "\tstatus: {status}")?;
    }
    if counters {
        let n = |name: &str| v.stats.get(name).copied().unwrap_or(0);
        let (p, b, e) = (n("ipackets"), n("ibytes"), n("ierrors"));
        writeln!(
            out,
            "\tinput: {p} packets, {b} bytes, {e} errors, {} drops",
            n("iqdrops")
        )?;
        let (p, b, e) = (n("opackets"), n("obytes"), n("oerrors"));
        writeln!(
            out,
            "\toutput: {p} packets, {b} bytes, {e} errors, {} drops",
            n("oqdrops")
        )?;
    }
    Ok(())
}
