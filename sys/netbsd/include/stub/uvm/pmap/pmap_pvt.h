/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Page tables: named by a header, used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_UVM_PMAP_PMAP_PVT_H_
#define	_STUB_UVM_PMAP_PMAP_PVT_H_

struct pmap;

#endif /* _STUB_UVM_PMAP_PMAP_PVT_H_ */
