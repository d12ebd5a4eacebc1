/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one function of delayed checksums that the shims use.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_NETINET6_IN6_OFFLOAD_H_
#define	_STUB_NETINET6_IN6_OFFLOAD_H_

struct mbuf;

void	in6_undefer_cksum_tcpudp(struct mbuf *);

#endif /* _STUB_NETINET6_IN6_OFFLOAD_H_ */
