/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packet queues: to put one in is all that the shims do.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_NET_PKTQUEUE_H_
#define	_STUB_NET_PKTQUEUE_H_

struct mbuf;

typedef struct pktqueue pktqueue_t;

bool	pktq_enqueue(pktqueue_t *, struct mbuf *, const u_int);

#endif /* _STUB_NET_PKTQUEUE_H_ */
