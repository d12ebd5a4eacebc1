/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the NetBSD shims share among themselves.  Nothing here is seen by a module.
 */
#ifndef _NETBSD_KPI_IMPL_H_
#define _NETBSD_KPI_IMPL_H_

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/kmem.h>
#include <sys/mbuf.h>
#include <sys/mutex.h>
#include <sys/pserialize.h>
#include <sys/psref.h>
#include <sys/socket.h>

#include "kpi.h"

/*
 * Without NET_MPSAFE the network stack of a NetBSD kernel runs under the big
 * lock, and whoever enters it from elsewhere (a callout, a worker) takes it.
 * The lock is recursive, so taking it in a NET_MPSAFE kernel costs time only:
 * a module built without -DNET_MPSAFE is right in both.
 */
#ifdef NET_MPSAFE
#define	KPI_NET_LOCK()		do { } while (0)
#define	KPI_NET_UNLOCK()	do { } while (0)
#define	KPI_MPSAFE		1
#else
#define	KPI_NET_LOCK()		KERNEL_LOCK(1, NULL)
#define	KPI_NET_UNLOCK()	KERNEL_UNLOCK_ONE(NULL)
#define	KPI_MPSAFE		0
#endif

static __inline struct mbuf *
kpi_m(struct kpi_mbuf *m)
{

	return (struct mbuf *)m;
}

static __inline const struct mbuf *
kpi_cm(const struct kpi_mbuf *m)
{

	return (const struct mbuf *)m;
}

/* kpi_sync.c: the class of every passive reference, and what must be set up for it. */
extern struct psref_class *kpi_psref_class;
int	kpi_sync_init(void);
void	kpi_sync_fini(void);

/* Tags of ours on packets (kpi_if.c, kpi_mbuf.c); far from the numbers that mbuf(9) uses. */
#define	KPI_TAG_NESTING		0x5257
#define	KPI_TAG_PFIL		0x5258

/* kpi_mbuf.c: append to m, or change nothing and return ENOBUFS. */
int	kpi_m_append(struct mbuf *m, const void *buf, size_t len);

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

/* kpi_encap.c, kpi_if.c, kpi_cdev.c, kpi_pfil.c: locks and lists of their own. */
void	kpi_encap_init(void);
int	kpi_encap_fini(void);
void	kpi_if_init(void);
int	kpi_if_fini(void);
void	kpi_cdev_init(void);
int	kpi_cdev_fini(void);

#endif /* _NETBSD_KPI_IMPL_H_ */
