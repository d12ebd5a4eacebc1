/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An interface of ours, as kpi_if.c, kpi_ifclone.c and kpi_ifioctl.c see it.
 *
 * ki_dying: written under IFNET_LOCK; read there, and in read sections.
 * ki_list: kpi_ifnet_lock.  The rest is set before the interface is known.
 */
#ifndef _NETBSD_KPI_IFNET_H_
#define _NETBSD_KPI_IFNET_H_

#include <net/if.h>
#include <net/if_ether.h>

struct kpi_ifnet {
	struct ethercom	 ki_ec;		/* first: ether_ioctl casts */
	const struct kpi_ifops *ki_ops;
	void		*ki_sc;
	struct kpi_psref_target ki_target;	/* held across ifo_transmit */
	LIST_ENTRY(kpi_ifnet) ki_list;
	volatile bool	 ki_dying;
	bool		 ki_up;		/* what ifo_set_up was told last */
	bool		 ki_haslladdr;
	uint8_t		 ki_lladdr[ETHER_ADDR_LEN];
};

LIST_HEAD(kpi_ifnet_head, kpi_ifnet);
extern struct kpi_ifnet_head kpi_ifnets;
extern kmutex_t kpi_ifnet_lock;

static __inline struct kpi_ifnet *
kpi_ki(struct ifnet *ifp)
{

	return (struct kpi_ifnet *)ifp;
}

static __inline struct ifnet *
kpi_ifp(const struct kpi_ifnet *ki)
{

	return __UNCONST(&ki->ki_ec.ec_if);
}

/* Does the interface's name consist of base and a number? */
bool	kpi_ifname_is(const char *xname, const char *base, size_t baselen);

/* kpi_ifioctl.c */
int	kpi_ifioctl(struct ifnet *, u_long, void *);
int	kpi_if_sync_up(struct kpi_ifnet *);

#endif /* _NETBSD_KPI_IFNET_H_ */
