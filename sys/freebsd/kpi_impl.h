/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the FreeBSD shims share among themselves.  Nothing here is seen by a module.
 */
#ifndef _FREEBSD_KPI_IMPL_H_
#define _FREEBSD_KPI_IMPL_H_

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/epoch.h>
#include <sys/errno.h>
#include <sys/kernel.h>
#include <sys/lock.h>
#include <sys/malloc.h>
#include <sys/mbuf.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/sx.h>

#include "kpi.h"

MALLOC_DECLARE(M_ROPEWALK);

/* Cookie of our tags on packets: seconds when it was chosen. */
#define	KPI_MTAG_COOKIE		1763712000
#define	KPI_MTAG_NESTING	0	/* kpi_if.c */
#define	KPI_MTAG_PFIL		1	/* kpi_mbuf.c */

/*
 * What a packet carries from hook to hook.  pt_serial is that of the hook which sent
 * it (0: nobody did), in the direction pt_dir; KPI_PFIL_NOHOOK: it is for none, over
 * the interface where it is seen first.
 */
#define	KPI_PFIL_NOHOOK		UINT64_MAX

struct kpi_ptag {
	uint64_t	 pt_serial;
	uint32_t	 pt_dir;
	uint32_t	 pt_ifindex;
	uint32_t	 pt_mark;
};

/* kpi_mbuf.c: the tag of m, or NULL; with make, NULL is want of memory. */
struct kpi_ptag *kpi_ptag(struct mbuf *m, bool make);

static __inline struct mbuf *
kpi_m(struct kpi_mbuf *m)
{

	return ((struct mbuf *)m);
}

static __inline const struct mbuf *
kpi_cm(const struct kpi_mbuf *m)
{

	return ((const struct mbuf *)m);
}

/* The stack takes packets without const where it only reads them. */
static __inline struct mbuf *
kpi_ucm(const struct kpi_mbuf *m)
{

	return (__DECONST(struct mbuf *, m));
}

/* kpi_if.c, kpi_encap.c: KPI_EBUSY while something of the module is left. */
int	kpi_if_fini(void);
int	kpi_encap_fini(void);

#endif /* _FREEBSD_KPI_IMPL_H_ */
