/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Processors.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_CPU_H_
#define	_STUB_SYS_CPU_H_

#include <sys/types.h>

extern u_int	maxcpus;

#endif /* _STUB_SYS_CPU_H_ */
