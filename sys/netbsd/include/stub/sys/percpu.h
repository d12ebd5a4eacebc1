/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * percpu(9).
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_PERCPU_H_
#define	_STUB_SYS_PERCPU_H_

#include <sys/percpu_types.h>
#include <sys/types.h>

struct cpu_info;

typedef void (*percpu_callback_t)(void *, void *, struct cpu_info *);

percpu_t *percpu_create(size_t, percpu_callback_t, percpu_callback_t, void *);
void	percpu_free(percpu_t *, size_t);
void	*percpu_getref(percpu_t *);
void	percpu_putref(percpu_t *);

#endif /* _STUB_SYS_PERCPU_H_ */
