/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Limits of users: used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_UIDINFO_H_
#define	_STUB_SYS_UIDINFO_H_

struct uidinfo;

#endif /* _STUB_SYS_UIDINFO_H_ */
