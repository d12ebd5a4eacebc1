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

/* Cookie of our tags on packets (kpi_if.c): seconds when it was chosen. */
#define	KPI_MTAG_COOKIE		1763712000

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
