/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * hz is declared in our <sys/systm.h>.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_KERNEL_H_
#define	_STUB_SYS_KERNEL_H_

extern int	hz;

#endif /* _STUB_SYS_KERNEL_H_ */
