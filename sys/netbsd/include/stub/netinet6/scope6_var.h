/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The one function of scoped addresses that the shims use.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_NETINET6_SCOPE6_VAR_H_
#define	_STUB_NETINET6_SCOPE6_VAR_H_

struct ifnet;
struct in6_addr;

int	in6_setscope(struct in6_addr *, const struct ifnet *, uint32_t *);

#endif /* _STUB_NETINET6_SCOPE6_VAR_H_ */
