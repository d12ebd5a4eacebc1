/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt priority levels: used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_SPL_H_
#define	_STUB_SYS_SPL_H_

#include <sys/types.h>

#endif /* _STUB_SYS_SPL_H_ */
