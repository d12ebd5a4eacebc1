// SPDX-License-Identifier: BSD-2-Clause
//! What is counted, and why packets are dropped.

kern::drops! {
    /// Why a packet was dropped.
    pub enum Drop {
        NoBufs(ENOBUFS) = "no_bufs", "no memory for the packet";
        Short(EINVAL) = "short", "packet ends within a header";
        BadHeader(EINVAL) = "bad_header", "a length, version or extension header contradicts itself";
        BadChecksum(EINVAL) = "bad_checksum", "checksum of the IPv4 header is wrong";
        BadFlags(EINVAL) = "bad_flags", "TCP flags that no stack sends together";
        Options(EACCES) = "options", "IP options or routing header, and the rule does not allow them";
        Blocked(EACCES) = "blocked", "a block rule matched";
        FragmentOverlap(EINVAL) = "fragment_overlap", "fragments overlap; all of that packet are refused";
        FragmentLimit(ENOBUFS) = "fragment_limit", "too many fragments are waiting for their first";
        FragmentLate(ETIMEDOUT) = "fragment_late", "first fragment did not come in time";
        BadState(EACCES) = "bad_state", "TCP segment outside its connection's window";
        BadReset(EACCES) = "bad_reset", "TCP reset or SYN that the connection does not expect (RFC 5961)";
        StatesFull(ENOBUFS) = "states_full", "table of states is full";
        HalfOpen(ENOBUFS) = "half_open", "too many connections that are not yet established";
        RuleLimit(ENOBUFS) = "rule_limit", "the rule has as many states as it may";
        SourceLimit(ENOBUFS) = "source_limit", "the source has as many states as it may, or opens them too fast";
        NatPorts(EADDRNOTAVAIL) = "nat_ports", "no port is free for a translation";
        NatLimit(ENOBUFS) = "nat_limit", "the host has as many translations as it may";
        NatAddress(EADDRNOTAVAIL) = "nat_address", "no address to translate to";
        NatFilter(EACCES) = "nat_filter", "nobody behind the translation has sent to there";
        NatClash(EADDRINUSE) = "nat_clash", "another state has the translated addresses and ports";
        TooBig(EMSGSIZE) = "too_big", "a translated packet is larger than its way out and may not be cut; its sender is told";
        IcmpUnmatched(EACCES) = "icmp_unmatched", "ICMP error about a packet that nobody sent";
        IcmpBad(EINVAL) = "icmp_bad", "ICMP error about a packet that cannot be read";
        Alg(EACCES) = "alg", "a payload asks for an address or port that it may not have";
        AlgOrder(EAGAIN) = "alg_order", "a piece of a stream that a helper reads came before what precedes it; its sender repeats it";
        Synproxy(EACCES) = "synproxy", "handshake is answered on behalf of the server";
        Unloading(ENXIO) = "unloading", "module is going away";
    }
}

kern::counters! {
    /// What the module counts besides.
    pub enum Ctr {
        PassedState = "passed_state", "packets passed by a state";
        PassedRule = "passed_rule", "packets passed by a rule that keeps no state, or by none";
        Skipped = "skipped", "packets on interfaces that are skipped";
        StateAdded = "state_added", "states made";
        StateRemoved = "state_removed", "states that ended";
        StateEarly = "state_early", "states ended before their time to make room";
        MapAdded = "map_added", "translations made";
        MapRemoved = "map_removed", "translations that ended";
        Hairpin = "hairpin", "connections between hosts behind us through their outside addresses";
        IcmpErrors = "icmp_errors", "ICMP errors matched to their state";
        Challenge = "challenge", "segments answered with a challenge ACK's question left to the host (RFC 5961)";
        Resets = "resets", "TCP resets sent";
        Unreachables = "unreachables", "ICMP unreachables sent";
        Fragments = "fragments", "fragments seen";
        FragmentsHeld = "fragments_held", "fragments held until their first came";
        AlgEvents = "alg_events", "expectations and rewrites that application gateways made";
        AlgHeld = "alg_held", "unfinished commands that a helper held back until their rest came";
        AlgPassed = "alg_passed", "payloads that a helper could not read, passed as they were";
        SynCookies = "syn_cookies", "SYNs answered on behalf of a server, with nothing kept";
        SynProxied = "syn_proxied", "connections opened with a server after its client had answered";
        Clamped = "clamped", "TCP segments whose MSS was lowered";
        Logged = "logged", "packets logged";
        LogLost = "log_lost", "log lines withheld by the rate limit";
        Loads = "loads", "rulesets committed";
        TableHits = "table_hits", "addresses added to a table by overload";
    }
}

kern::counters! {
    /// What the trace shows.
    pub enum Event {
        Pass = "pass", "packet passed: rule or state, interface, bytes";
        DropIn = "drop_in", "packet dropped on its way in: reason, interface, bytes";
        DropOut = "drop_out", "packet dropped on its way out: reason, interface, bytes";
        New = "new", "state made: index, rule, map";
        End = "end", "state ended: index, seconds, 0";
    }
}
