/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What both parts of rumpbench know. Errors are NetBSD's.
 */
#ifndef RUMPBENCH_H
#define RUMPBENCH_H

#define	BENCH_MAX	10000			/* pseudowires */
#define	BENCH_OUTER	(20 + 4)		/* IPv4 header, session id */
/* Ids as a peer chooses them: no pattern that a hash could like. */
#define	BENCH_SESSION(i) (((i) + 1) * 2654435761u | 2u)

/* From "have" pseudowires to n of them; packets in; packets out so far. */
int	rump_bench_setup(unsigned, unsigned);
void	rump_bench_encap(const unsigned *, int, const void *, int);
void	rump_bench_decap(const unsigned *, int, const void *, int);
unsigned long rump_bench_done(int);

#endif
