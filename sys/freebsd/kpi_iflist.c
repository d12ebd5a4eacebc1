/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The system's interfaces and their addresses, and what changes about them.
 *
 * The kernel tells under locks of its own, and of MTUs it tells nobody.  So all of it
 * is done by a task, a little later, which also looks around once a second.
 * VNET: the interfaces of vnet0.
 */
#include "kpi_impl.h"

#include <sys/eventhandler.h>
#include <sys/mutex.h>

#include <net/if.h>
#include <net/if_var.h>
#include <net/vnet.h>
#include <netinet/in.h>

#include "kpi_pfil_impl.h"

#define	KPI_IFWATCH_PENDING	32
#define	KPI_IFWATCH_INDICES	4096	/* above these, MTUs go unwatched */
#define	KPI_IFWATCH_SOON_MS	20
#define	KPI_IFWATCH_LOOK_MS	1000

struct kpi_ifwatch {
	void		(*iw_fn)(void *, uint32_t);
	void		*iw_arg;
	struct kpi_task	*iw_task;
	eventhandler_tag iw_arrival;
	eventhandler_tag iw_departure;
	eventhandler_tag iw_event;
	eventhandler_tag iw_address;
	struct mtx	 iw_lock;	/* iw_npending, iw_pending */
	uint32_t	 iw_npending;	/* more than there is room for: any */
	uint32_t	 iw_pending[KPI_IFWATCH_PENDING];
	/* The task's own: MTU and IFF_UP as they were seen; 0: no interface. */
	uint64_t	 iw_seen[KPI_IFWATCH_INDICES];
	uint64_t	 iw_now[KPI_IFWATCH_INDICES];
};

struct kpi_if_search {
	uint32_t	 is_after;
	uint32_t	 is_best;
};

static int
kpi_if_search(if_t ifp, void *arg)
{
	struct kpi_if_search *is = arg;
	const uint32_t index = if_getindex(ifp);

	if (index > is->is_after && (is->is_best == 0 || index < is->is_best))
		is->is_best = index;
	return (0);
}

uint32_t
kpi_if_next(uint32_t after)
{
	struct kpi_if_search is = { .is_after = after };
	struct epoch_tracker et;

	CURVNET_SET(vnet0);
	NET_EPOCH_ENTER(et);
	(void)if_foreach(kpi_if_search, &is);
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
	return (is.is_best);
}

int32_t
kpi_if_info(uint32_t index, struct kpi_ifinfo *info)
{
	struct epoch_tracker et;
	if_t ifp;

	memset(info, 0, sizeof(*info));
	CURVNET_SET(vnet0);
	NET_EPOCH_ENTER(et);
	ifp = ifnet_byindex(index);
	if (ifp != NULL) {
		(void)strlcpy((char *)info->ki_name, if_name(ifp),
		    sizeof(info->ki_name));
		info->ki_index = index;
		info->ki_mtu = (uint32_t)if_getmtu(ifp);
		if ((if_getflags(ifp) & IFF_UP) != 0)
			info->ki_flags |= KPI_IFI_UP;
		if ((if_getflags(ifp) & IFF_LOOPBACK) != 0)
			info->ki_flags |= KPI_IFI_LOOPBACK;
	}
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
	return (ifp == NULL ? KPI_ENXIO : 0);
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
	return (n);
}

struct kpi_if_nth {
	struct kpi_ifaddr *in_addr;
	uint32_t	 in_left;
	bool		 in_found;
};

static u_int
kpi_if_nth(void *arg, struct ifaddr *ifa, u_int count __unused)
{
	const struct sockaddr_in6 *sin6, *mask6;
	const struct sockaddr_in *sin, *mask;
	struct kpi_if_nth *in = arg;
	struct kpi_ifaddr *addr = in->in_addr;

	if (in->in_found || in->in_left-- != 0)
		return (0);
	in->in_found = true;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		sin = (const struct sockaddr_in *)ifa->ifa_addr;
		mask = (const struct sockaddr_in *)ifa->ifa_netmask;
		addr->ka_af = KPI_AF_INET;
		memcpy(addr->ka_addr, &sin->sin_addr, 4);
		if (mask != NULL)
			addr->ka_prefixlen =
			    kpi_prefixlen((const uint8_t *)&mask->sin_addr, 4);
		return (1);
	}
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
	return (1);
}

int32_t
kpi_if_addr(uint32_t index, uint32_t n, struct kpi_ifaddr *addr)
{
	struct kpi_if_nth in = { .in_addr = addr, .in_left = n };
	struct epoch_tracker et;
	if_t ifp;

	memset(addr, 0, sizeof(*addr));
	CURVNET_SET(vnet0);
	NET_EPOCH_ENTER(et);
	ifp = ifnet_byindex(index);
	if (ifp != NULL) {
		(void)if_foreach_addr_type(ifp, AF_INET, kpi_if_nth, &in);
		(void)if_foreach_addr_type(ifp, AF_INET6, kpi_if_nth, &in);
	}
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
	if (ifp == NULL)
		return (KPI_ENXIO);
	return (in.in_found ? 0 : KPI_ENOENT);
}

static void
kpi_ifwatch_note(struct kpi_ifwatch *iw, if_t ifp)
{

	if (!IS_DEFAULT_VNET(if_getvnet(ifp)))
		return;
	mtx_lock(&iw->iw_lock);
	if (iw->iw_npending < KPI_IFWATCH_PENDING)
		iw->iw_pending[iw->iw_npending] = if_getindex(ifp);
	if (iw->iw_npending <= KPI_IFWATCH_PENDING)
		iw->iw_npending++;
	mtx_unlock(&iw->iw_lock);
	kpi_task_schedule(iw->iw_task, KPI_IFWATCH_SOON_MS);
}

static void
kpi_ifwatch_if(void *arg, if_t ifp)
{

	kpi_ifwatch_note(arg, ifp);
}

static void
kpi_ifwatch_event(void *arg, if_t ifp, int event __unused)
{

	kpi_ifwatch_note(arg, ifp);
}

static void
kpi_ifwatch_addr(void *arg, if_t ifp, struct ifaddr *ifa __unused,
    int event __unused)
{

	kpi_ifwatch_note(arg, ifp);
}

static int
kpi_ifwatch_see(if_t ifp, void *arg)
{
	struct kpi_ifwatch *iw = arg;
	const uint32_t index = if_getindex(ifp);

	if (index < KPI_IFWATCH_INDICES)
		iw->iw_now[index] = (uint64_t)if_getmtu(ifp) << 2 | 2 |
		    ((if_getflags(ifp) & IFF_UP) != 0);
	return (0);
}

/* What has changed since the last look; with tell, say so. */
static void
kpi_ifwatch_look(struct kpi_ifwatch *iw, bool tell)
{
	struct epoch_tracker et;
	uint32_t i;

	memset(iw->iw_now, 0, sizeof(iw->iw_now));
	CURVNET_SET(vnet0);
	NET_EPOCH_ENTER(et);
	(void)if_foreach(kpi_ifwatch_see, iw);
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
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

	mtx_lock(&iw->iw_lock);
	n = iw->iw_npending;
	memcpy(pending, iw->iw_pending, sizeof(pending));
	iw->iw_npending = 0;
	mtx_unlock(&iw->iw_lock);
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

	iw = malloc(sizeof(*iw), M_ROPEWALK, M_WAITOK | M_ZERO);
	iw->iw_fn = fn;
	iw->iw_arg = arg;
	iw->iw_task = kpi_task_create(kpi_ifwatch_run, iw);
	if (iw->iw_task == NULL) {
		free(iw, M_ROPEWALK);
		return (NULL);
	}
	mtx_init(&iw->iw_lock, "ropewalk ifwatch", NULL, MTX_DEF);
	kpi_ifwatch_look(iw, false);
	iw->iw_arrival = EVENTHANDLER_REGISTER(ifnet_arrival_event, kpi_ifwatch_if,
	    iw, EVENTHANDLER_PRI_ANY);
	iw->iw_departure = EVENTHANDLER_REGISTER(ifnet_departure_event,
	    kpi_ifwatch_if, iw, EVENTHANDLER_PRI_ANY);
	iw->iw_event = EVENTHANDLER_REGISTER(ifnet_event, kpi_ifwatch_event, iw,
	    EVENTHANDLER_PRI_ANY);
	iw->iw_address = EVENTHANDLER_REGISTER(ifaddr_event_ext, kpi_ifwatch_addr,
	    iw, EVENTHANDLER_PRI_ANY);
	kpi_task_schedule(iw->iw_task, KPI_IFWATCH_LOOK_MS);
	return (iw);
}

void
kpi_ifwatch_stop(struct kpi_ifwatch *iw)
{

	/* Each waits for a handler that runs. */
	EVENTHANDLER_DEREGISTER(ifnet_arrival_event, iw->iw_arrival);
	EVENTHANDLER_DEREGISTER(ifnet_departure_event, iw->iw_departure);
	EVENTHANDLER_DEREGISTER(ifnet_event, iw->iw_event);
	EVENTHANDLER_DEREGISTER(ifaddr_event_ext, iw->iw_address);
	kpi_task_destroy(iw->iw_task);
	mtx_destroy(&iw->iw_lock);
	free(iw, M_ROPEWALK);
}
