// SPDX-License-Identifier: BSD-2-Clause
//! A control connection over TCP through the translation.

use crate::site::*;

pub type End = (&'static str, u16);
/// A control connection: who is the client, as the two sides see them, and the server likewise.
pub struct Control {
    pub client: End,
    pub outside: End,
    pub server: End,
    /// The next numbers of both, as they count themselves.
    pub c: u32,
    pub s: u32,
    /// What the translation adds to the client's, seen by the server; and to the server's.
    pub dc: u32,
    pub ds: u32,
}

impl Control {
    pub fn open(site: &Site, client: End, outside: End, server: End) -> Control {
        let mut c = Control {
            client,
            outside,
            server,
            c: 1_000,
            s: 0xffff_fff0,
            dc: 0,
            ds: 0,
        };
        let sent = site.out(&tcp(client, server, (c.c, 0, SYN), b""));
        assert_eq!(sent, Some(tcp(outside, server, (c.c, 0, SYN), b"")));
        c.c += 1;
        let got = site.back(&tcp(server, outside, (c.s, c.c, SYN | ACK), b""));
        assert_eq!(got, Some(tcp(server, client, (c.s, c.c, SYN | ACK), b"")));
        c.s = c.s.wrapping_add(1);
        assert!(
            site.out(&tcp(client, server, (c.c, c.s, ACK), b""))
                .is_some()
        );
        c
    }

    /// What the client would send.
    pub fn said(&self, text: &[u8]) -> Vec<u8> {
        tcp(
            self.client,
            self.server,
            (self.c, self.s.wrapping_add(self.ds), ACK),
            text,
        )
    }

    pub fn heard(&self, text: &[u8]) -> Vec<u8> {
        tcp(
            self.outside,
            self.server,
            (self.c.wrapping_add(self.dc), self.s, ACK),
            text,
        )
    }

    /// The client says `text`, the server hears `other`.
    #[track_caller]
    pub fn say(&mut self, site: &Site, text: &[u8], other: &[u8]) {
        let sent = site.out(&self.said(text));
        assert_eq!(sent, Some(self.heard(other)));
        self.c += text.len() as u32;
        self.dc = self
            .dc
            .wrapping_add((other.len() as u32).wrapping_sub(text.len() as u32));
    }

    /// The server says `text`, the client hears `other`.
    #[track_caller]
    pub fn answer(&mut self, site: &Site, text: &[u8], other: &[u8]) {
        let numbers = (self.s, self.c.wrapping_add(self.dc), ACK);
        let got = site.back(&tcp(self.server, self.outside, numbers, text));
        let numbers = (self.s.wrapping_add(self.ds), self.c, ACK);
        assert_eq!(got, Some(tcp(self.server, self.client, numbers, other)));
        self.s = self.s.wrapping_add(text.len() as u32);
        self.ds = self
            .ds
            .wrapping_add((other.len() as u32).wrapping_sub(text.len() as u32));
    }
}
