/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernel threads, as the shims use them.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_KTHREAD_H_
#define	_STUB_SYS_KTHREAD_H_

#include <sys/proc.h>

#define	KTHREAD_MPSAFE		0x02
#define	KTHREAD_MUSTJOIN	0x10

int	kthread_create(pri_t, int, struct cpu_info *, void (*)(void *), void *,
	    lwp_t **, const char *, ...) __printflike(7, 8);
void	kthread_exit(int) __dead;
int	kthread_join(lwp_t *);

#endif /* _STUB_SYS_KTHREAD_H_ */
