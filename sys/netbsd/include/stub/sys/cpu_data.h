/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Not the kernel's layout: inline functions of other headers name these
 * members, no shim calls those functions.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_CPU_DATA_H_
#define	_STUB_SYS_CPU_DATA_H_

#include <sys/sched.h>

struct lwp;

struct cpu_data {
	struct lwp	*cpu_idlelwp;
	struct schedstate_percpu cpu_schedstate;
};

#define	ci_schedstate	ci_data.cpu_schedstate

#endif /* _STUB_SYS_CPU_DATA_H_ */
