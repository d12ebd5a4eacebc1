// SPDX-License-Identifier: BSD-2-Clause
//! All commands, structs and numbers, for the golden file.

mod numbers;

#[allow(clippy::wildcard_imports, reason = "it lists everything")]
use crate::*;
use kabi::golden::Abi;
use kabi::{commands, layout};
use numbers::NUMBERS;

/// For the golden file.
pub const ABI: Abi = Abi {
    name: "iipf",
    commands: commands![
        IIPFBEGIN,
        IIPFADD,
        IIPFCOMMIT,
        IIPFABORT,
        IIPFGETRULES,
        IIPFRULESTATS,
        IIPFSTATUS,
        IIPFENABLE,
        IIPFLISTIFS,
        IIPFLISTSTATES,
        IIPFKILLSTATES,
        IIPFEXPORT,
        IIPFIMPORT,
        IIPFLISTMAPS,
        IIPFLISTSOURCES,
        IIPFADDFORWARD,
        IIPFDELFORWARD,
        IIPFLISTFORWARDS,
        IIPFTABLE,
        IIPFTABLEENTRIES,
        IIPFTABLES,
        IIPFTRACEPACKET,
        IIPFTRACEARM,
        IIPFTRACEREAD
    ],
    structs: &[
        layout!(BeginReq { version, counts }),
        layout!(Ticket { ticket }),
        layout!(Chunk {
            ticket,
            kind,
            count,
            first,
            total,
            generation,
            data
        }),
        layout!(ChunkReq { kind, first }),
        layout!(LoadReply {
            error,
            kind,
            index,
            pad,
            generation,
            stale
        }),
        layout!(CommitReq {
            ticket,
            flags,
            pad,
            generation
        }),
        layout!(NameRec { kind, mark, name }),
        layout!(IfaceRec { name, flags, pad }),
        layout!(TableRec { name, flags, count }),
        layout!(TableAddrRec {
            table,
            af,
            prefixlen,
            neg,
            pad,
            addr
        }),
        layout!(PoolRec {
            kind,
            af,
            prefixlen,
            part,
            index,
            lo,
            hi
        }),
        layout!(AnchorRec {
            name,
            parent,
            quick
        }),
        layout!(AddrRec {
            kind,
            af,
            neg,
            part,
            index,
            lo,
            hi
        }),
        layout!(PortRec { op, lo, hi, pad }),
        layout!(MatchRec {
            flags,
            iface,
            mark,
            mark_mask,
            probability,
            dir,
            af,
            proto,
            pad,
            tcp_flags,
            tcp_mask,
            icmp_type,
            icmp_code,
            dscp,
            pad2,
            sport,
            dport,
            src,
            dst
        }),
        layout!(StateRec {
            mode,
            pad,
            flags,
            max_states,
            max_src_nodes,
            max_src_states,
            max_src_conn,
            max_src_rate,
            max_src_seconds,
            overload,
            timeouts
        }),
        layout!(NatRec {
            pool,
            pool_count,
            choice,
            port_mode,
            filtering,
            pad,
            flags,
            port_lo,
            port_hi,
            port_block,
            pad2,
            max_per_host,
            pad3,
            hash_key
        }),
        layout!(SetRec {
            flags,
            alg,
            mark,
            mark_mask,
            max_mss,
            min_ttl,
            dscp,
            pad
        }),
        layout!(RuleRec {
            id,
            action,
            block,
            icmp_code,
            icmp6_code,
            flags,
            order,
            prio,
            stop,
            label,
            anchor,
            file,
            line,
            pad,
            m,
            state,
            nat,
            set
        }),
        layout!(OptionsRec {
            flags,
            debug,
            limits,
            timeouts
        }),
        layout!(TimeoutsRec { values }),
        layout!(TableReq {
            name,
            op,
            count,
            seconds,
            pad,
            addrs
        }),
        layout!(TableReply {
            added,
            deleted,
            changed,
            matches,
            matched
        }),
        layout!(TableListReq { name, cursor }),
        layout!(TableListReply {
            cursor,
            count,
            pad,
            entries
        }),
        layout!(TableEntry {
            addr,
            age,
            expires,
            packets,
            bytes,
            idle,
            pad,
            reserved
        }),
        layout!(TablesReply {
            cursor,
            count,
            pad,
            tables
        }),
        layout!(TableInfo {
            table,
            rules,
            pad,
            matched,
            missed,
            memory
        }),
        layout!(Peer {
            addr,
            port,
            pad,
            spi
        }),
        layout!(StateFilter {
            flags,
            af,
            proto,
            src_prefixlen,
            dst_prefixlen,
            src,
            dst,
            sport,
            dport,
            mark,
            id,
            rule,
            ifname,
            label
        }),
        layout!(StateListReq { cursor, filter }),
        layout!(StateListReply {
            cursor,
            count,
            pad,
            states
        }),
        layout!(StateInfo {
            id,
            rule,
            nat_rule,
            src,
            dst,
            nat_src,
            nat_dst,
            packets,
            bytes,
            age,
            expires,
            mark,
            ifindex,
            flags,
            af,
            proto,
            dir,
            peer,
            alg
        }),
        layout!(Count { count }),
        layout!(ExportRec {
            info,
            ifname,
            seq_lo,
            seq_hi,
            max_win,
            wscale,
            filtering,
            tcp,
            seq_diff,
            ack
        }),
        layout!(Export {
            cursor,
            version,
            count,
            states
        }),
        layout!(ExportReq {
            cursor,
            version,
            pad
        }),
        layout!(ImportReply {
            taken,
            exists,
            refused,
            bad,
            full,
            pad
        }),
        layout!(Cursor { cursor }),
        layout!(MapListReply {
            cursor,
            count,
            pad,
            maps
        }),
        layout!(MapInfo {
            rule,
            inside,
            outside,
            states,
            expires,
            ports,
            used,
            af,
            proto,
            kind,
            filtering,
            age,
            pad,
            reserved
        }),
        layout!(ForwardRec {
            id,
            packets,
            ifname,
            outside,
            inside,
            remote,
            outside_port,
            inside_port,
            ports,
            af,
            proto,
            lifetime,
            remote_prefixlen,
            flags,
            pad,
            nonce,
            owner,
            description
        }),
        layout!(ForwardDel {
            id,
            owner,
            kill,
            pad
        }),
        layout!(ForwardListReply {
            cursor,
            count,
            pad,
            forwards
        }),
        layout!(SourceListReply {
            cursor,
            count,
            pad,
            sources
        }),
        layout!(SourceInfo {
            rule,
            addr,
            reserved,
            states,
            conns,
            rate,
            mappings,
            refused,
            age,
            expires,
            af,
            pad
        }),
        layout!(TracePacket {
            ifname,
            out_ifname,
            dir,
            mark,
            len,
            pad,
            packet
        }),
        layout!(TraceReply {
            more,
            lost,
            verdict,
            count,
            ns,
            ifname,
            dir,
            len,
            generation,
            head,
            steps
        }),
        layout!(TraceStep {
            step,
            af,
            proto,
            rule,
            value,
            src,
            dst,
            name,
            reserved
        }),
        layout!(TraceArm { count, dir, filter }),
        layout!(Value { value, pad }),
        layout!(Status {
            version,
            enabled,
            generation,
            loaded,
            since,
            used,
            limits,
            timeouts,
            inserted,
            removed,
            state_memory,
            rules_memory,
            table_memory,
            packets,
            pad,
            passed,
            dropped,
            reserved
        }),
        layout!(RuleStatsReq { first, clear }),
        layout!(RuleStatsReply {
            generation,
            count,
            pad,
            rules
        }),
        layout!(RuleStats {
            id,
            packets,
            bytes,
            states_made,
            states,
            idle,
            refused
        }),
        layout!(IfListReply {
            cursor,
            count,
            pad,
            ifs
        }),
        layout!(IfInfo {
            name,
            ifindex,
            slot,
            flags,
            addrs,
            packets,
            reserved
        }),
    ],
    numbers: NUMBERS,
};
