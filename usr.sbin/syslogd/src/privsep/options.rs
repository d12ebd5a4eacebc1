// SPDX-License-Identifier: BSD-2-Clause
//! What the command line says, typed.

use crate::privsep::wire::Allowed;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

/// syslog over UDP (RFC 5426) and, by custom, TCP.
const PORT: u16 = 514;
/// syslog over TLS (RFC 5425).
const TLS_PORT: u16 = 6514;

/// A local socket, and the permissions of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Its path.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// Only root can send to it.
    pub privileged: bool,
}

/// How far the network is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secure {
    /// Messages come from and go to the network.
    #[default]
    Open,
    /// None comes in.
    NoInput,
    /// None goes out either.
    NoNetwork,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration.
    pub conf: PathBuf,
    /// Stay in the foreground.
    pub foreground: bool,
    /// What goes wrong in the worker goes to standard error.
    pub loud: bool,
    /// How far the network is let in.
    pub secure: Secure,
    /// UDP listens there.
    pub udp: Vec<SocketAddr>,
    /// TCP listens there.
    pub tcp: Vec<SocketAddr>,
    /// TLS listens there, besides what the configuration says.
    pub tls: Vec<SocketAddr>,
    /// Who may send; empty: all.
    pub allowed: Vec<Allowed>,
    /// Local sockets.
    pub locals: Vec<Local>,
    /// The kernel's messages; `None`: not read.
    pub kernel: Option<PathBuf>,
    /// The control socket; `None`: none.
    pub control: Option<PathBuf>,
    /// The group that may use it, besides root.
    pub group: Option<String>,
    /// What the worker becomes, when the parent is root; `None`: what there is of the usual ones.
    pub user: Option<String>,
    /// The folder that the worker sees as /.
    pub root: Option<PathBuf>,
    /// Where the parent's process id is written; `None`: nowhere.
    pub pidfile: Option<PathBuf>,
    /// Minutes between marks, instead of the configuration's; 0: none.
    pub mark: Option<u32>,
    /// What goes to other hosts that say nothing about it, is so.
    pub format: Option<crate::conf::Format>,
    /// The worker shuts itself in.
    pub sandbox: bool,
    /// This host's name, instead of the system's.
    pub host: Option<String>,
    /// How many bytes a local socket may hold.
    pub buffer: usize,
}

/// An address to listen on, as in `192.0.2.1`, `192.0.2.1:514`, `[::1]:514`, `::1`, `*:514`, `514`
/// or `:514`; the wild one is both families.
///
/// # Errors
/// What is wrong with it.
pub fn listen(text: &str, tls: bool) -> Result<Vec<SocketAddr>, String> {
    let default = if tls { TLS_PORT } else { PORT };
    let both = |port| {
        vec![
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        ]
    };
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::from((ip, default))]);
    }
    if text.is_empty() || text == "*" {
        return Ok(both(default));
    }
    let port = text.strip_prefix("*:").or(text.strip_prefix(':'));
    match service(port.unwrap_or(text)) {
        Some(port) => Ok(both(port)),
        None => Err(format!(
            "'{text}' is no address: an IP address and a port, as in 192.0.2.1:514"
        )),
    }
}

/// A port by number or by one of the names that are in use for it.
fn service(text: &str) -> Option<u16> {
    match text {
        "syslog" => Some(PORT),
        "syslog-tls" => Some(TLS_PORT),
        number => number.parse().ok(),
    }
}

/// Who may send, as FreeBSD's -a has it: `192.0.2.0/24`, `[2001:db8::]/32:*`, `192.0.2.1:514`.
/// Without a port only from port 514, as there; `*`: from any.
///
/// # Errors
/// What is wrong with it. Names of domains are refused: nobody is asked who an address is.
pub fn allowed(text: &str) -> Result<Allowed, String> {
    let wrong = || {
        format!(
            "'{text}' is no peer: an address, its length of prefix, and a port or *, as in \
             192.0.2.0/24:* or [2001:db8::]/32; names are not looked up"
        )
    };
    let (host, rest) = if let Some(inner) = text.strip_prefix('[') {
        inner.split_once(']').ok_or_else(wrong)?
    } else if text.matches(':').count() > 1 {
        // An IPv6 address without brackets has no port.
        let at = text.find('/').unwrap_or(text.len());
        text.split_at(at)
    } else {
        let at = text.find(['/', ':']).unwrap_or(text.len());
        text.split_at(at)
    };
    let net: IpAddr = host.parse().map_err(|_| wrong())?;
    let most = if net.is_ipv4() { 32 } else { 128 };
    let (prefix, port) = match rest.strip_prefix('/') {
        Some(rest) => {
            let (prefix, port) = rest
                .split_once(':')
                .map_or((rest, None), |(a, b)| (a, Some(b)));
            let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
            (prefix, port)
        }
        None if rest.is_empty() => (most, None),
        None => (most, Some(rest.strip_prefix(':').ok_or_else(wrong)?)),
    };
    if prefix > most {
        return Err(wrong());
    }
    let port = match port {
        None => Some(PORT),
        Some("*") => None,
        Some(port) => Some(service(port).ok_or_else(wrong)?),
    };
    Ok(Allowed { net, prefix, port })
}

impl Allowed {
    /// Whether an address is in the range.
    #[must_use]
    pub fn has(&self, from: SocketAddr) -> bool {
        if self.port.is_some_and(|port| port != from.port()) {
            return false;
        }
        // A socket of IPv6 that takes IPv4 too sees such addresses as mapped ones.
        match (self.net, from.ip().to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same(u32::from(net).into(), u32::from(ip).into(), self.prefix, 32)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same(net.into(), ip.into(), self.prefix, 128),
            _ => false,
        }
    }
}

/// Whether the first `prefix` of `bits` bits are the same.
fn same(a: u128, b: u128, prefix: u8, bits: u8) -> bool {
    let shift = u32::from(bits.saturating_sub(prefix));
    (a ^ b).checked_shr(shift).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        let one = |text: &str| listen(text, false).expect(text);
        assert_eq!(
            one("192.0.2.1"),
            ["192.0.2.1:514".parse().expect("an address")]
        );
        assert_eq!(one("[::1]:99"), ["[::1]:99".parse().expect("an address")]);
        assert_eq!(one("::1"), ["[::1]:514".parse().expect("an address")]);
        for text in ["*:99", ":99", "99"] {
            assert_eq!(one(text).len(), 2, "{text}");
            assert_eq!(one(text)[0].port(), 99);
        }
        assert_eq!(listen("*", true).expect("all")[1].port(), 6514);
        for text in ["example.org", "1.2.3", "99999", "*:x", "1.2.3.4:x"] {
            assert!(listen(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn peers_as_freebsd_has_them() {
        let yes = |rule: &str, from: &str| {
            let from = from.parse().expect("an address");
            allowed(rule).expect(rule).has(from)
        };
        assert!(yes("192.0.2.0/24", "192.0.2.9:514"));
        assert!(!yes("192.0.2.0/24", "192.0.2.9:515"));
        assert!(yes("192.0.2.0/24:*", "192.0.2.255:515"));
        assert!(!yes("192.0.2.0/24:*", "192.0.3.0:515"));
        assert!(yes("192.0.2.1:9", "192.0.2.1:9"));
        assert!(yes("0.0.0.0/0:*", "198.51.100.1:1"));
        assert!(yes("[2001:db8::]/32:*", "[2001:db8:1::1]:7"));
        assert!(yes("::/0", "[2001:db8::1]:514"));
        assert!(yes("2001:db8::1", "[2001:db8::1]:514"));
        assert!(!yes("2001:db8::1", "[2001:db8::2]:514"));
        assert!(yes("192.0.2.1:*", "[::ffff:192.0.2.1]:1"));
        assert!(!yes("0.0.0.0/0:*", "[2001:db8::1]:1"));
        for text in [
            "",
            "example.org",
            "*.org",
            "1.2.3.4/33",
            "[::1",
            "1.2.3.4/x",
            "1.2.3.4:x",
        ] {
            assert!(allowed(text).is_err(), "{text}");
        }
    }
}
