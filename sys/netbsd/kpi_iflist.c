/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The system's interfaces and their addresses, and what changes about them.
 *
 * The kernel tells of arrivals, departures and addresses, under locks of its own and
 * partly before others can see them; of flags and MTUs it tells nobody.  So all of it
 * is done by a task, a little later, which also looks around once a second.
 */
#include <sys/param.h>
#include <sys/lwp.h>

#include <net/if.h>
#include <net/pfil.h>

#include <netinet/in.h>

#include "kpi_impl.h"
#include "kpi_pfil_impl.h"

#define	KPI_IFWATCH_PENDING	32
#define	KPI_IFWATCH_INDICES	4096	/* above these, flags and MTU go unwatched */
#define	KPI_IFWATCH_SOON_MS	20
#define	KPI_IFWATCH_LOOK_MS	1000

struct kpi_ifwatch {
	void		(*iw_fn)(void *, uint32_t);
	void		*iw_arg;
	struct kpi_task	*iw_task;
	kmutex_t	 iw_lock;	/* iw_npending, iw_pending */
	uint32_t	 iw_npending;	/* more than there is room for: any */
	uint32_t	 iw_pending[KPI_IFWATCH_PENDING];
	/* The task's own: MTU and IFF_UP as they were seen; 0: no interface. */
	uint64_t	 iw_seen[KPI_IFWATCH_INDICES];
	uint64_t	 iw_now[KPI_IFWATCH_INDICES];
};

uint32_t
kpi_if_next(uint32_t after)
{
	struct ifnet *ifp;
	uint32_t best = 0;
	int s;

	s = pserialize_read_enter();
	IFNET_READER_FOREACH(ifp)
		if (ifp->if_index > after &&
		    (best == 0 || ifp->if_index < best))
			best = ifp->if_index;
	pserialize_read_exit(s);
	return best;
}

int32_t
kpi_if_info(uint32_t index, struct kpi_ifinfo *info)
{
	struct ifnet *ifp;
	int s;

	memset(info, 0, sizeof(*info));
	s = pserialize_read_enter();
	ifp = if_byindex(index);
	if (ifp != NULL) {
		(void)strlcpy((char *)info->ki_name, ifp->if_xname,
		    sizeof(info->ki_name));
		info->ki_index = index;
		info->ki_mtu = (uint32_t)ifp->if_mtu;
		if ((ifp->if_flags & IFF_UP) != 0)
			info->ki_flags |= KPI_IFI_UP;
		if ((ifp->if_flags & IFF_LOOPBACK) != 0)
			info->ki_flags |= KPI_IFI_LOOPBACK;
	}
	pserialize_read_exit(s);
	return ifp == NULL ? KPI_ENXIO : 0;
}

static uint32_t
kpi_prefixlen(const uint8_t *mask, size_t len)
{
	uint32_t n = 0;
	size_t i;
	uint8_t b;

	for (i = 0; i < len && mask[i] == 0xff; i++)
		n += 8;
	if (i < len)
		for (b = mask[i]; (b & 0x80) != 0; b = (uint8_t)(b << 1))
			n++;
	return n;
}

static bool
kpi_ifaddr_of(const struct ifaddr *ifa, struct kpi_ifaddr *addr)
{
	const struct sockaddr_in6 *sin6, *mask6;
	const struct sockaddr_in *sin, *mask;

	switch (ifa->ifa_addr->sa_family) {
	case AF_INET:
		sin = (const struct sockaddr_in *)ifa->ifa_addr;
		mask = (const struct sockaddr_in *)ifa->ifa_netmask;
		addr->ka_af = KPI_AF_INET;
		memcpy(addr->ka_addr, &sin->sin_addr, 4);
		if (mask != NULL)
			addr->ka_prefixlen =
			    kpi_prefixlen((const uint8_t *)&mask->sin_addr, 4);
		return true;
	case AF_INET6:
		sin6 = (const struct sockaddr_in6 *)ifa->ifa_addr;
		mask6 = (const struct sockaddr_in6 *)ifa->ifa_netmask;
		addr->ka_af = KPI_AF_INET6;
		memcpy(addr->ka_addr, &sin6->sin6_addr, 16);
		/* The kernel keeps a link-local address's interface in it. */
		if (IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr))
			addr->ka_addr[2] = addr->ka_addr[3] = 0;
		if (mask6 != NULL)
			addr->ka_prefixlen =
			    kpi_prefixlen((const uint8_t *)&mask6->sin6_addr, 16);
		return true;
	default:
		return false;
	}
}

int32_t
kpi_if_addr(uint32_t index, uint32_t n, struct kpi_ifaddr *addr)
{
	struct ifaddr *ifa;
	struct ifnet *ifp;
	int32_t error = KPI_ENOENT;
	int s;

	memset(addr, 0, sizeof(*addr));
	s = pserialize_read_enter();
	ifp = if_byindex(index);
	if (ifp == NULL) {
		pserialize_read_exit(s);
		return KPI_ENXIO;
	}
	IFADDR_READER_FOREACH(ifa, ifp) {
		if (ifa->ifa_addr->sa_family != AF_INET &&
		    ifa->ifa_addr->sa_family != AF_INET6)
			continue;
		if (n-- != 0)
			continue;
		if (kpi_ifaddr_of(ifa, addr))
			error = 0;
		break;
	}
	pserialize_read_exit(s);
	return error;
}

static void
kpi_ifwatch_note(struct kpi_ifwatch *iw, uint32_t index)
{

	/* 0: it comes, and has no number yet; the look will find it. */
	mutex_enter(&iw->iw_lock);
	if (index != 0 && iw->iw_npending < KPI_IFWATCH_PENDING)
		iw->iw_pending[iw->iw_npending] = index;
	if (index != 0 && iw->iw_npending <= KPI_IFWATCH_PENDING)
		iw->iw_npending++;
	mutex_exit(&iw->iw_lock);
	kpi_task_schedule(iw->iw_task, KPI_IFWATCH_SOON_MS);
}

static void
kpi_ifwatch_if(void *arg, u_long cmd __unused, void *ifp)
{

	kpi_ifwatch_note(arg, ((const struct ifnet *)ifp)->if_index);
}

static void
kpi_ifwatch_addr(void *arg, u_long cmd __unused, void *ifa)
{

	kpi_ifwatch_note(arg, ((const struct ifaddr *)ifa)->ifa_ifp->if_index);
}

/* What has changed since the last look; with tell, say so. */
static void
kpi_ifwatch_look(struct kpi_ifwatch *iw, bool tell)
{
	struct ifnet *ifp;
	uint32_t i;
	int s;

	memset(iw->iw_now, 0, sizeof(iw->iw_now));
	s = pserialize_read_enter();
	IFNET_READER_FOREACH(ifp)
		if (ifp->if_index < KPI_IFWATCH_INDICES)
			iw->iw_now[ifp->if_index] = ifp->if_mtu << 2 | 2 |
			    ((ifp->if_flags & IFF_UP) != 0);
	pserialize_read_exit(s);
	for (i = 0; i < KPI_IFWATCH_INDICES; i++)
		if (iw->iw_now[i] != iw->iw_seen[i]) {
			iw->iw_seen[i] = iw->iw_now[i];
			if (tell)
				(*iw->iw_fn)(iw->iw_arg, i);
		}
}

static void
kpi_ifwatch_run(void *arg)
{
	uint32_t pending[KPI_IFWATCH_PENDING], i, n;
	struct kpi_ifwatch *iw = arg;

	mutex_enter(&iw->iw_lock);
	n = iw->iw_npending;
	memcpy(pending, iw->iw_pending, sizeof(pending));
	iw->iw_npending = 0;
	mutex_exit(&iw->iw_lock);
	kpi_ifwatch_look(iw, true);
	if (n <= KPI_IFWATCH_PENDING) {
		while (n > 0)
			(*iw->iw_fn)(iw->iw_arg, pending[--n]);
	} else {
		for (i = kpi_if_next(0); i != 0; i = kpi_if_next(i))
			(*iw->iw_fn)(iw->iw_arg, i);
	}
	kpi_task_schedule(iw->iw_task, KPI_IFWATCH_LOOK_MS);
}

struct kpi_ifwatch *
kpi_ifwatch_start(void (*fn)(void *, uint32_t), void *arg)
{
	struct kpi_ifwatch *iw;

	iw = kmem_zalloc(sizeof(*iw), KM_SLEEP);
	iw->iw_fn = fn;
	iw->iw_arg = arg;
	mutex_init(&iw->iw_lock, MUTEX_DEFAULT, IPL_VM);
	iw->iw_task = kpi_task_create(kpi_ifwatch_run, iw);
	if (iw->iw_task == NULL)
		goto fail;
	kpi_ifwatch_look(iw, false);
	if (pfil_add_ihook(kpi_ifwatch_if, iw, PFIL_IFNET, if_pfil) != 0 ||
	    pfil_add_ihook(kpi_ifwatch_addr, iw, PFIL_IFADDR, if_pfil) != 0) {
		kpi_ifwatch_stop(iw);
		return NULL;
	}
	kpi_task_schedule(iw->iw_task, KPI_IFWATCH_LOOK_MS);
	return iw;
fail:
	mutex_destroy(&iw->iw_lock);
	kmem_free(iw, sizeof(*iw));
	return NULL;
}

void
kpi_ifwatch_stop(struct kpi_ifwatch *iw)
{

	(void)pfil_remove_ihook(kpi_ifwatch_if, iw, PFIL_IFNET, if_pfil);
	(void)pfil_remove_ihook(kpi_ifwatch_addr, iw, PFIL_IFADDR, if_pfil);
	kpi_pfil_fence();
	kpi_task_destroy(iw->iw_task);
	mutex_destroy(&iw->iw_lock);
	kmem_free(iw, sizeof(*iw));
}
