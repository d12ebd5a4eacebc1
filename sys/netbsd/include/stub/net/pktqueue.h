/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packet queues: used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_NET_PKTQUEUE_H_
#define	_STUB_NET_PKTQUEUE_H_

typedef struct pktqueue pktqueue_t;

#endif /* _STUB_NET_PKTQUEUE_H_ */
