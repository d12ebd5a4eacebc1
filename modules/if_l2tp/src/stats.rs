// SPDX-License-Identifier: BSD-2-Clause
//! What is counted, and why packets are dropped.

kern::drops! {
    /// Why a packet was dropped. The module counts those that no interface can be charged with.
    pub enum Drop {
        NoBufs(ENOBUFS) = "no_bufs", "no memory for the packet";
        Short(EINVAL) = "short", "message ends within its header";
        Runt(EINVAL) = "runt", "frame shorter than an Ethernet header";
        BadVersion(EINVAL) = "bad_version", "message over UDP is not of version 3";
        NoSession(ENOENT) = "no_session", "no interface has the session id, or it has no tunnel";
        WrongEncap(EINVAL) = "wrong_encap", "session is not carried that way (IP or UDP)";
        WrongPeer(EINVAL) = "wrong_peer", "outer addresses or our port are not those of the tunnel";
        BadCookie(EACCES) = "bad_cookie", "cookie is not the session's";
        BadSource(EINVAL) = "bad_source", "frame's source is a group address; do both ends agree on the sublayer?";
        Down(ENETDOWN) = "down", "interface or session is down";
        NoTunnel(ENETDOWN) = "no_tunnel", "interface has no tunnel or no session yet";
        TooBig(EMSGSIZE) = "too_big", "frame longer than the MTU allows";
        Loop(ELOOP) = "loop", "the pseudowire's own packet came back to it";
        Output(EHOSTUNREACH) = "output", "the kernel could not send the outer packet";
    }
}

kern::counters! {
    /// What one interface counts, beside if_data.
    pub enum Ctr {
        RxVlan = "rx_vlan", "frames received with an 802.1Q tag";
        RxSequenced = "rx_sequenced", "messages received with a sequence number";
        Reconfigured = "reconfigured", "times that a new configuration was published";
    }
}

kern::counters! {
    /// What the trace shows.
    pub enum Event {
        Rx = "rx", "message received: session id, bytes, 0";
        Tx = "tx", "frame sent: session id, bytes, 0";
        DropRx = "drop_rx", "message dropped: reason, session id or 0, bytes";
        DropTx = "drop_tx", "frame dropped: reason, 0, bytes";
    }
}
