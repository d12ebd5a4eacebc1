/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The ruleset and the packets of rumpbench-iipf and rumpbench-npf. Rule i of n lets UDP (i odd) or
 * TCP (i even) from one /24 to one port in, without state; behind all of them one more lets UDP
 * from 172.16.0.0/12 in, with state. UDP goes out with state, from 192.168.0.0/16 translated.
 */
#ifndef RUMPBENCH_FILTER_H
#define RUMPBENCH_FILTER_H

#define	FILTER_MAX	10000			/* rules */
#define	FILTER_BATCH	128			/* packets */
#define	FILTER_IF	"wan0"
#define	FILTER_WAN	0xc6336401u		/* 198.51.100.1 */
#define	FILTER_FAR	0xcb007107u		/* 203.0.113.7: whoever is no source */
#define	FILTER_RULE_NET(i) (0x0a000000u + ((i) << 8))
#define	FILTER_RULE_PORT(i) (1024 + (i) % 50000)
#define	FILTER_RULE_PROTO(i) (((i) & 1) != 0 ? 17 : 6)
#define	FILTER_NEW_NET	0xac100000u		/* 172.16.0.0/12 */
#define	FILTER_NEW_MASK	0xfff00000u
#define	FILTER_NEW_PORT	53
#define	FILTER_NAT_NET	0xc0a80000u		/* 192.168.0.0/16 */
#define	FILTER_NAT_MASK	0xffff0000u

struct filter_packet {
	unsigned	src, dst;
	unsigned short	sport, dport;
	unsigned char	proto;
};

int	rump_filter_setup(void);
/*
 * These packets through the hooks, in or out; addresses and ports of those that passed are
 * written back as they are then. Gives how many passed, or -1, and calls "now" right before the
 * first and right behind the last: to make and to free them is no part of it.
 */
int	rump_filter_run(struct filter_packet *, int, int, unsigned long (*)(void), unsigned long *);
void	rump_filter_rest(void);
/*
 * Only in rumpbench-npf: that many rules. Their code is compiled, or interpreted when there is no
 * compiler or "plain" is set; which of them is written to *jit.
 */
int	rump_filter_npf(unsigned, int, int *) __attribute__((__weak__));

#endif
