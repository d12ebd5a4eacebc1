/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The part of <sys/systm.h> that the shims use.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_SYSTM_H_
#define	_STUB_SYS_SYSTM_H_

#include <sys/types.h>
#include <lib/libkern/libkern.h>

struct kmutex;
struct lwp;

extern int	hz;

typedef int (*copyin_t)(const void *, void *, size_t);
typedef int (*copyout_t)(const void *, void *, size_t);

int	copyin(const void *, void *, size_t);
int	copyout(const void *, void *, size_t);
void	kpreempt_disable(void);
void	kpreempt_enable(void);
int	kpause(const char *, bool, int, struct kmutex *);
void	panic(const char *, ...) __dead __printflike(1, 2);
void	printf(const char *, ...) __printflike(1, 2);
int	seltrue(dev_t, int, struct lwp *);
int	snprintf(char *, size_t, const char *, ...) __printflike(3, 4);

void	kern_assert(const char *, ...) __printflike(1, 2);

void	_kernel_lock(int);
void	_kernel_unlock(int, int *);
#define	KERNEL_LOCK(count, lwp)		_kernel_lock(count)
#define	KERNEL_UNLOCK_ONE(lwp)		_kernel_unlock(1, NULL)

#endif /* _STUB_SYS_SYSTM_H_ */
