/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An interface of ours, as kpi_if.c, kpi_ifclone.c and kpi_ifioctl.c see it.
 *
 * ki_list: kpi_ifnet_lock.  ki_dying: written under ki_lock, read there and in
 * the net epoch.  ki_up: ki_lock.  The rest is set before the interface is known.
 */
#ifndef _FREEBSD_KPI_IFNET_H_
#define _FREEBSD_KPI_IFNET_H_

#include <net/if.h>
#include <net/if_var.h>
#include <net/ethernet.h>

struct kpi_ifnet {
	if_t		 ki_ifp;
	const struct kpi_ifops *ki_ops;
	void		*ki_sc;
	LIST_ENTRY(kpi_ifnet) ki_list;
	struct sx	 ki_lock;	/* one ioctl upcall at a time */
	char		 ki_dname[IFNAMSIZ];	/* "l2tp"; if_t points to it */
	uint8_t		 ki_lladdr[ETHER_ADDR_LEN];
	bool		 ki_up;		/* what ifo_set_up was told last */
	volatile bool	 ki_dying;
};

LIST_HEAD(kpi_ifnet_head, kpi_ifnet);
extern struct kpi_ifnet_head kpi_ifnets;
extern struct sx kpi_ifnet_lock;

/* kpi_ifioctl.c */
int	kpi_ifioctl(if_t, u_long, caddr_t);
int	kpi_if_sync_up(struct kpi_ifnet *);

/* kpi_ifclone.c */
int	kpi_ifclone_fini(void);

#endif /* _FREEBSD_KPI_IFNET_H_ */
