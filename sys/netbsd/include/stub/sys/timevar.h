/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Clock reading.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_TIMEVAR_H_
#define	_STUB_SYS_TIMEVAR_H_

struct timespec;

void	nanouptime(struct timespec *);

#endif /* _STUB_SYS_TIMEVAR_H_ */
