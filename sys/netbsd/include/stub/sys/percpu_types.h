/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * percpu(9).
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_PERCPU_TYPES_H_
#define	_STUB_SYS_PERCPU_TYPES_H_

typedef struct percpu percpu_t;

#endif /* _STUB_SYS_PERCPU_TYPES_H_ */
