/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The interface ioctls, made into the upcalls of struct kpi_ifops.
 *
 * Contexts: thread, with IFNET_LOCK held, so one at a time an interface; the
 * multicast commands come without it, and go to ether_ioctl at once.
 */
#include <sys/param.h>
#include <sys/ioctl.h>
#include <sys/kauth.h>
#include <sys/sockio.h>

#include <net/if.h>

#include <netinet/in.h>
#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

#include "kpi_impl.h"
#include "kpi_ifnet.h"

#define	KPI_IFCMD_MAX	4096

/* A command without its length: what names it on every kernel. */
#define	KPI_CMD_NAME(cmd)	((uint32_t)(cmd) & ~(IOCPARM_MASK << IOCPARM_SHIFT))

int
kpi_if_sync_up(struct kpi_ifnet *ki)
{
	const bool up = (kpi_ifp(ki)->if_flags & IFF_UP) != 0;
	int error;

	if (ki->ki_dying || up == ki->ki_up)
		return 0;
	error = (*ki->ki_ops->ifo_set_up)(ki->ki_sc, up);
	if (error == 0)
		ki->ki_up = up;
	else if (up)
		kpi_ifp(ki)->if_flags &= ~IFF_UP;
	return error;
}

static int
kpi_set_mtu(struct kpi_ifnet *ki, u_long cmd, struct ifreq *ifr)
{
	int error;

	if (ifr->ifr_mtu < 0)
		return EINVAL;
	error = (*ki->ki_ops->ifo_set_mtu)(ki->ki_sc, (uint32_t)ifr->ifr_mtu);
	if (error != 0)
		return error;
	error = ifioctl_common(kpi_ifp(ki), cmd, ifr);
	return error == ENETRESET ? 0 : error;
}

static int
kpi_addr_in(const struct sockaddr *sa, uint32_t *af, uint8_t addr[16])
{

	memset(addr, 0, 16);
	switch (sa->sa_family) {
	case AF_INET:
		if (sa->sa_len != sizeof(struct sockaddr_in))
			return EINVAL;
		memcpy(addr, &((const struct sockaddr_in *)sa)->sin_addr, 4);
		*af = KPI_AF_INET;
		return 0;
	case AF_INET6:
		if (sa->sa_len != sizeof(struct sockaddr_in6))
			return EINVAL;
		memcpy(addr, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		/* The boundary carries no scope. */
		if (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80)
			return EADDRNOTAVAIL;
		*af = KPI_AF_INET6;
		return 0;
	default:
		return EAFNOSUPPORT;
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
			return EINVAL;
		memset(sin6, 0, sizeof(*sin6));
		sin6->sin6_len = sizeof(*sin6);
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, addr, 16);
	}
	return 0;
}

static int
kpi_tunnel_set(struct kpi_ifnet *ki, int want, const struct sockaddr *src,
    const struct sockaddr *dst)
{
	struct kpi_tunnel t;
	uint32_t af;
	int error;

	if (want != AF_UNSPEC && (src->sa_family != want || dst->sa_family != want))
		return EAFNOSUPPORT;
	if (src->sa_family != dst->sa_family)
		return EINVAL;
	memset(&t, 0, sizeof(t));
	if ((error = kpi_addr_in(src, &t.kt_af, t.kt_src)) != 0 ||
	    (error = kpi_addr_in(dst, &af, t.kt_dst)) != 0)
		return error;
	return (*ki->ki_ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_SET, &t);
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
		return error;
	if (want != AF_UNSPEC &&
	    t.kt_af != (want == AF_INET ? KPI_AF_INET : KPI_AF_INET6))
		return EADDRNOTAVAIL;
	if (src != NULL)
		error = kpi_addr_out(t.kt_af, t.kt_src, src, room);
	if (error == 0 && dst != NULL)
		error = kpi_addr_out(t.kt_af, t.kt_dst, dst, room);
	return error;
}

/* A command of the driver's own: its bytes lie where ifr_data points. */
static int
kpi_private(struct kpi_ifnet *ki, const struct kpi_ifcmd *kc, struct ifreq *ifr)
{
	uint8_t *buf = NULL;
	int error;

	if (kc->kc_flags & KPI_IFC_PRIV) {
		error = kauth_authorize_network(kauth_cred_get(),
		    KAUTH_NETWORK_INTERFACE,
		    KAUTH_REQ_NETWORK_INTERFACE_SETPRIV, kpi_ifp(ki),
		    KAUTH_ARG((u_long)kc->kc_cmd), NULL);
		if (error != 0)
			return error;
	}
	if (kc->kc_size > KPI_IFCMD_MAX)
		return EINVAL;
	if (kc->kc_size > 0)
		buf = kmem_zalloc(kc->kc_size, KM_SLEEP);
	error = 0;
	if ((kc->kc_flags & KPI_IFC_IN) && buf != NULL)
		error = copyin(ifr->ifr_data, buf, kc->kc_size);
	if (error == 0)
		error = (*ki->ki_ops->ifo_ioctl)(ki->ki_sc, kc->kc_cmd, buf,
		    kc->kc_size);
	if (error == 0 && (kc->kc_flags & KPI_IFC_OUT) && buf != NULL)
		error = copyout(buf, ifr->ifr_data, kc->kc_size);
	if (buf != NULL) {
		/* Cookies and keys pass here. */
		explicit_memset(buf, 0, kc->kc_size);
		kmem_free(buf, kc->kc_size);
	}
	return error;
}

int
kpi_ifioctl(struct ifnet *ifp, u_long cmd, void *data)
{
	struct kpi_ifnet *ki = kpi_ki(ifp);
	const struct kpi_ifops *ops = ki->ki_ops;
	struct in_aliasreq *ifra = data;
	struct in6_aliasreq *ifra6 = data;
	struct if_laddrreq *iflr = data;
	struct ifreq *ifr = data;
	struct in6_ifreq *ifr6 = data;
	int error;
	uint32_t i;

	if (cmd == SIOCADDMULTI || cmd == SIOCDELMULTI) {
		error = ether_ioctl(ifp, cmd, data);
		/* No filter to load: everything is taken anyway. */
		return error == ENETRESET ? 0 : error;
	}
	if (ki->ki_dying)
		return ENXIO;

	for (i = 0; i < ops->ifo_ncmds; i++)
		if (KPI_CMD_NAME(ops->ifo_cmds[i].kc_cmd) == KPI_CMD_NAME(cmd) &&
		    IOCPARM_LEN(cmd) >= sizeof(struct ifreq))
			return kpi_private(ki, &ops->ifo_cmds[i], ifr);

	switch (cmd) {
	case SIOCSIFFLAGS:
		error = ifioctl_common(ifp, cmd, data);
		return error != 0 ? error : kpi_if_sync_up(ki);
	case SIOCSIFMTU:
		return kpi_set_mtu(ki, cmd, ifr);
	case SIOCSIFPHYADDR:
		return kpi_tunnel_set(ki, AF_INET, sintosa(&ifra->ifra_addr),
		    sintosa(&ifra->ifra_dstaddr));
	case SIOCSIFPHYADDR_IN6:
		return kpi_tunnel_set(ki, AF_INET6, sin6tosa(&ifra6->ifra_addr),
		    sin6tosa(&ifra6->ifra_dstaddr));
	case SIOCSLIFPHYADDR:
		return kpi_tunnel_set(ki, AF_UNSPEC, sstosa(&iflr->addr),
		    sstosa(&iflr->dstaddr));
	case SIOCDIFPHYADDR:
		return (*ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_DEL, NULL);
	case SIOCGIFPSRCADDR:
		return kpi_tunnel_get(ki, AF_INET, &ifr->ifr_addr, NULL,
		    sizeof(ifr->ifr_addr));
	case SIOCGIFPDSTADDR:
		return kpi_tunnel_get(ki, AF_INET, NULL, &ifr->ifr_addr,
		    sizeof(ifr->ifr_addr));
	case SIOCGIFPSRCADDR_IN6:
		return kpi_tunnel_get(ki, AF_INET6, sin6tosa(&ifr6->ifr_addr),
		    NULL, sizeof(ifr6->ifr_addr));
	case SIOCGIFPDSTADDR_IN6:
		return kpi_tunnel_get(ki, AF_INET6, NULL,
		    sin6tosa(&ifr6->ifr_addr), sizeof(ifr6->ifr_addr));
	case SIOCGLIFPHYADDR:
		return kpi_tunnel_get(ki, AF_UNSPEC, sstosa(&iflr->addr),
		    sstosa(&iflr->dstaddr), sizeof(iflr->addr));
	default:
		return ether_ioctl(ifp, cmd, data);
	}
}
