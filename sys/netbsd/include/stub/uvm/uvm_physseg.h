/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Physical memory: named by a header, used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_UVM_UVM_PHYSSEG_H_
#define	_STUB_UVM_UVM_PHYSSEG_H_

#include <sys/types.h>

#endif /* _STUB_UVM_UVM_PHYSSEG_H_ */
