/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interrupt controllers: named by a header, used by no shim.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_MACHINE_PIC_H_
#define	_STUB_MACHINE_PIC_H_

/* As <sys/intr.h> says, which is included after this. */
#define INTRIDBUF 64
#define INTRDEVNAMEBUF 256

struct pic;

#endif /* _STUB_MACHINE_PIC_H_ */
