/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Address arenas: named by a header, used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_VMEM_H_
#define	_STUB_SYS_VMEM_H_

#include <sys/types.h>

typedef struct vmem vmem_t;
typedef uintptr_t vmem_addr_t;
typedef size_t vmem_size_t;
typedef unsigned int vm_flag_t;

#endif /* _STUB_SYS_VMEM_H_ */
