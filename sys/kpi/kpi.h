/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The kernel programming interface: everything that a Ropewalk module asks of
 * the kernel it runs in.  Bound at link time: the same Rust object is joined
 * with sys/netbsd, sys/freebsd (C) or sys/host (Rust), which define kpi_*.
 *
 * Rules (checked by `build.sh lint`; the reasons are in DESIGN.md):
 *  - fixed-width integers, opaque structs, no varargs, no inlines, no bitfields;
 *  - strings are (pointer, length), never NUL-terminated;
 *  - functions that can fail return 0 or a positive KPI_E*, or NULL;
 *  - each function carries a contract block with exactly these keys:
 *      ctx      thread   may sleep: ioctl, attach, detach, worker
 *               softint  may not sleep: packet path, callout
 *               any      either of them
 *      sleeps   yes, no, or the condition
 *      locks    what the caller must or must not hold
 *      owns     who owns what afterwards, on success and on failure
 *      netbsd, freebsd, host   what it maps to
 */
#ifndef _KPI_H_
#define _KPI_H_

/* Freestanding on purpose: no OS header may leak into the boundary. */
#include <stddef.h>
#include <stdint.h>

/* Raised when a struct or a function changes meaning; additions keep it. */
#define	KPI_VERSION	1u

/* Error numbers.  The BSDs agree on these; the host kernel translates. */
#define	KPI_OK			0
#define	KPI_EPERM		1
#define	KPI_ENOENT		2
#define	KPI_EINTR		4
#define	KPI_EIO			5
#define	KPI_ENXIO		6
#define	KPI_ENOMEM		12
#define	KPI_EACCES		13
#define	KPI_EFAULT		14
#define	KPI_EBUSY		16
#define	KPI_EEXIST		17
#define	KPI_ENODEV		19
#define	KPI_EINVAL		22
#define	KPI_ENOSPC		28
#define	KPI_ERANGE		34
#define	KPI_EAGAIN		35
#define	KPI_EMSGSIZE		40
#define	KPI_EPROTONOSUPPORT	43
#define	KPI_EOPNOTSUPP		45
#define	KPI_EAFNOSUPPORT	47
#define	KPI_EADDRINUSE		48
#define	KPI_EADDRNOTAVAIL	49
#define	KPI_ENETDOWN		50
#define	KPI_ENETUNREACH		51
#define	KPI_ENOBUFS		55
#define	KPI_EISCONN		56
#define	KPI_ENOTCONN		57
#define	KPI_ETIMEDOUT		60
#define	KPI_ELOOP		62
#define	KPI_EHOSTUNREACH	65
#define	KPI_ENOTTY		25

/* Address families as the kpi numbers them, whatever the OS says. */
#define	KPI_AF_INET		2u
#define	KPI_AF_INET6		10u

/*
 * What a module exports: one symbol, `kpi_module'.  Whoever loads it compares
 * km_version with its own KPI_VERSION, and refuses and prints both numbers
 * where they differ.
 */
struct kpi_module {
	uint32_t	 km_version;	/* KPI_VERSION of the Rust side */
	uint32_t	 km_size;	/* sizeof(struct kpi_module) */
	const char	*km_name;
	uint32_t	 km_namelen;
	uint32_t	 km_pad;
	/* ctx: thread.  On 0, *statep is what km_fini will be given. */
	int32_t		(*km_init)(void **statep);
	/* ctx: thread.  KPI_EBUSY: still in use, nothing has changed. */
	int32_t		(*km_fini)(void *state);
};

#include "kpi_mem.h"
#include "kpi_sync.h"
#include "kpi_mbuf.h"
#include "kpi_if.h"
#include "kpi_encap.h"
#include "kpi_pfil.h"
#include "kpi_cdev.h"
#include "kpi_callout.h"
#include "kpi_misc.h"

#endif /* _KPI_H_ */
