/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Processor instructions: those that inline functions of other headers name.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_MACHINE_CPUFUNC_H_
#define	_STUB_MACHINE_CPUFUNC_H_

static __inline void
x86_pause(void)
{

	__asm volatile("pause" ::: "memory");
}

#endif /* _STUB_MACHINE_CPUFUNC_H_ */
