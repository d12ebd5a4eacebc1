// SPDX-License-Identifier: BSD-2-Clause
//! Making what the packet path reads out of a configuration, and clearing its secrets.

use kern::cx::MayDrain;
use kern::errno::Result;
use kern::mem::KArc;
use wire::ip;
use wire::l2tp::Template;

use crate::config::Config;
use crate::softc::L2tp;
use crate::softc::Shared;
use crate::softc::Variant;

/// The outer TTL; NetBSD's l2tp(4) uses the same.
const TTL: u8 = 255;

impl Variant {
    /// Builds one; None while the tunnel or the session is missing.
    ///
    /// # Errors
    /// What opening the path says.
    pub(crate) fn build<C: MayDrain>(
        cx: &mut C,
        l2tp: &KArc<L2tp>,
        shared: &KArc<Shared>,
        config: &Config,
    ) -> Result<Option<Variant>> {
        let (Some((local, remote)), Some(session)) = (config.ends(), config.session) else {
            return Ok(None);
        };
        let path = l2tp.endpoints.path(cx, l2tp, local, remote, TTL)?;
        let layout = config.layout();
        Ok(Some(Variant {
            session,
            layout,
            my_cookie: config.my_cookie.clone(),
            local: local.addr,
            remote: remote.addr,
            template: Template::new(layout, session.peer, &config.peer_cookie),
            ports: config.udp.map(|p| ip::Ports {
                src: p.my,
                dst: p.peer,
            }),
            shared: shared.clone(),
            path,
        }))
    }
}

impl Drop for Variant {
    fn drop(&mut self) {
        self.my_cookie.clear();
        self.template.clear();
    }
}
