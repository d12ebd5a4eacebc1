/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The interface ioctls, made into the upcalls of struct kpi_ifops.
 *
 * Contexts: thread.  The kernel lets several ioctls run on one interface: ki_lock
 * lets one through at a time.  The multicast commands change nothing here and
 * come from places that cannot take it.
 */
#include "kpi_impl.h"

#include <sys/ioccom.h>
#include <sys/priv.h>
#include <sys/proc.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <net/if_var.h>
#include <netinet/in.h>
#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

#include "kpi_ifnet.h"

#define	KPI_IFCMD_MAX	4096

/* A command without its length: what names it on every kernel. */
#define	KPI_CMD_NAME(cmd)	((uint32_t)(cmd) & ~(IOCPARM_MASK << 16))

int
kpi_if_sync_up(struct kpi_ifnet *ki)
{
	const bool up = (if_getflags(ki->ki_ifp) & IFF_UP) != 0;
	int error;

	if (ki->ki_dying || up == ki->ki_up)
		return (0);
	error = (*ki->ki_ops->ifo_set_up)(ki->ki_sc, up);
	if (error == 0)
		ki->ki_up = up;
	else if (up)
		if_setflagbits(ki->ki_ifp, 0, IFF_UP);
	return (error);
}

static int
kpi_set_mtu(struct kpi_ifnet *ki, const struct ifreq *ifr)
{
	int error;

	if (ifr->ifr_mtu < 0)
		return (EINVAL);
	error = (*ki->ki_ops->ifo_set_mtu)(ki->ki_sc, (uint32_t)ifr->ifr_mtu);
	if (error != 0)
		return (error);
	if_setmtu(ki->ki_ifp, ifr->ifr_mtu);
	return (0);
}

static int
kpi_addr_in(const struct sockaddr *sa, uint32_t *af, uint8_t addr[16])
{

	memset(addr, 0, 16);
	switch (sa->sa_family) {
	case AF_INET:
		if (sa->sa_len != sizeof(struct sockaddr_in))
			return (EINVAL);
		memcpy(addr, &((const struct sockaddr_in *)sa)->sin_addr, 4);
		*af = KPI_AF_INET;
		return (0);
	case AF_INET6:
		if (sa->sa_len != sizeof(struct sockaddr_in6))
			return (EINVAL);
		memcpy(addr, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		/* The boundary carries no scope. */
		if (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80)
			return (EADDRNOTAVAIL);
		*af = KPI_AF_INET6;
		return (0);
	default:
		return (EAFNOSUPPORT);
	}
}

static int
kpi_addr_out(uint32_t af, const uint8_t addr[16], struct sockaddr *sa, size_t room)
{

	if (af == KPI_AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)sa;

		memset(sin, 0, sizeof(*sin));
		sin->sin_len = sizeof(*sin);
		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, addr, 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)sa;

		if (room < sizeof(*sin6))
			return (EINVAL);
		memset(sin6, 0, sizeof(*sin6));
		sin6->sin6_len = sizeof(*sin6);
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, addr, 16);
	}
	return (0);
}

static int
kpi_tunnel_set(struct kpi_ifnet *ki, int want, const struct sockaddr *src,
    const struct sockaddr *dst)
{
	struct kpi_tunnel t;
	uint32_t af;
	int error;

	if (want != AF_UNSPEC && (src->sa_family != want || dst->sa_family != want))
		return (EAFNOSUPPORT);
	if (src->sa_family != dst->sa_family)
		return (EINVAL);
	memset(&t, 0, sizeof(t));
	if ((error = kpi_addr_in(src, &t.kt_af, t.kt_src)) != 0 ||
	    (error = kpi_addr_in(dst, &af, t.kt_dst)) != 0)
		return (error);
	return ((*ki->ki_ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_SET, &t));
}

/* *src and *dst are each where the address goes, or NULL. */
static int
kpi_tunnel_get(struct kpi_ifnet *ki, int want, struct sockaddr *src,
    struct sockaddr *dst, size_t room)
{
	struct kpi_tunnel t;
	int error;

	memset(&t, 0, sizeof(t));
	error = (*ki->ki_ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_GET, &t);
	if (error != 0)
		return (error);
	if (want != AF_UNSPEC &&
	    t.kt_af != (want == AF_INET ? KPI_AF_INET : KPI_AF_INET6))
		return (EADDRNOTAVAIL);
	if (src != NULL)
		error = kpi_addr_out(t.kt_af, t.kt_src, src, room);
	if (error == 0 && dst != NULL)
		error = kpi_addr_out(t.kt_af, t.kt_dst, dst, room);
	return (error);
}

/* A command of the driver's own: its bytes lie where ifr_data points. */
static int
kpi_private(struct kpi_ifnet *ki, const struct kpi_ifcmd *kc, struct ifreq *ifr)
{
	uint8_t *buf = NULL;
	int error;

	if (kc->kc_flags & KPI_IFC_PRIV) {
		error = priv_check(curthread, PRIV_NET_HWIOCTL);
		if (error != 0)
			return (error);
	}
	if (kc->kc_size > KPI_IFCMD_MAX)
		return (EINVAL);
	if (kc->kc_size > 0)
		buf = malloc(kc->kc_size, M_ROPEWALK, M_WAITOK | M_ZERO);
	error = 0;
	if ((kc->kc_flags & KPI_IFC_IN) && buf != NULL)
		error = copyin(ifr_data_get_ptr(ifr), buf, kc->kc_size);
	if (error == 0)
		error = (*ki->ki_ops->ifo_ioctl)(ki->ki_sc, kc->kc_cmd, buf,
		    kc->kc_size);
	if (error == 0 && (kc->kc_flags & KPI_IFC_OUT) && buf != NULL)
		error = copyout(buf, ifr_data_get_ptr(ifr), kc->kc_size);
	/* Cookies and keys pass here. */
	zfree(buf, M_ROPEWALK);
	return (error);
}

static int
kpi_ifioctl_locked(struct kpi_ifnet *ki, u_long cmd, caddr_t data)
{
	const struct kpi_ifops *ops = ki->ki_ops;
	struct in_aliasreq *ifra = (struct in_aliasreq *)data;
	struct in6_aliasreq *ifra6 = (struct in6_aliasreq *)data;
	struct ifreq *ifr = (struct ifreq *)data;
	struct in6_ifreq *ifr6 = (struct in6_ifreq *)data;
	uint32_t i;

	for (i = 0; i < ops->ifo_ncmds; i++)
		if (KPI_CMD_NAME(ops->ifo_cmds[i].kc_cmd) == KPI_CMD_NAME(cmd) &&
		    IOCPARM_LEN(cmd) >= sizeof(struct ifreq))
			return (kpi_private(ki, &ops->ifo_cmds[i], ifr));

	switch (cmd) {
	case SIOCSIFFLAGS:
		return (kpi_if_sync_up(ki));
	case SIOCSIFMTU:
		return (kpi_set_mtu(ki, ifr));
	case SIOCSIFPHYADDR:
		return (kpi_tunnel_set(ki, AF_INET,
		    (const struct sockaddr *)&ifra->ifra_addr,
		    (const struct sockaddr *)&ifra->ifra_dstaddr));
	case SIOCSIFPHYADDR_IN6:
		return (kpi_tunnel_set(ki, AF_INET6,
		    (const struct sockaddr *)&ifra6->ifra_addr,
		    (const struct sockaddr *)&ifra6->ifra_dstaddr));
	case SIOCDIFPHYADDR:
		return ((*ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_DEL, NULL));
	case SIOCGIFPSRCADDR:
		return (kpi_tunnel_get(ki, AF_INET, &ifr->ifr_addr, NULL,
		    sizeof(ifr->ifr_addr)));
	case SIOCGIFPDSTADDR:
		return (kpi_tunnel_get(ki, AF_INET, NULL, &ifr->ifr_addr,
		    sizeof(ifr->ifr_addr)));
	case SIOCGIFPSRCADDR_IN6:
		return (kpi_tunnel_get(ki, AF_INET6,
		    (struct sockaddr *)&ifr6->ifr_addr, NULL,
		    sizeof(ifr6->ifr_addr)));
	case SIOCGIFPDSTADDR_IN6:
		return (kpi_tunnel_get(ki, AF_INET6, NULL,
		    (struct sockaddr *)&ifr6->ifr_addr, sizeof(ifr6->ifr_addr)));
	default:
		return (ether_ioctl(ki->ki_ifp, cmd, data));
	}
}

int
kpi_ifioctl(if_t ifp, u_long cmd, caddr_t data)
{
	struct kpi_ifnet *ki = if_getsoftc(ifp);
	int error;

	/* No filter to load: everything is taken anyway. */
	if (cmd == SIOCADDMULTI || cmd == SIOCDELMULTI)
		return (0);
	sx_xlock(&ki->ki_lock);
	error = ki->ki_dying ? ENXIO : kpi_ifioctl_locked(ki, cmd, data);
	sx_xunlock(&ki->ki_lock);
	return (error);
}
