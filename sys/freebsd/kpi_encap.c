/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The inner side of tunnels: claims outer packets for an endpoint.
 *
 * Contexts: kpi_encap_in* run in the net epoch, after reassembly.
 * Locking: kpi_encap_lock guards the list of endpoints.  Upcalls run in the net
 * epoch; kpi_encap_close waits for it after nothing leads here any more.
 * VNET: an endpoint belongs to the vnet that it was opened in, and sees no
 * packets of another.
 */
#include "kpi_impl.h"

#include <sys/proc.h>
#include <sys/socketvar.h>

#include <net/if.h>
#include <net/if_var.h>
#include <net/vnet.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_encap.h>
#include <netinet/ip_var.h>
#include <netinet/udp.h>
#include <netinet/udp_var.h>
#include <netinet6/ip6_var.h>

#include "kpi_encap_impl.h"

static LIST_HEAD(, kpi_encap) kpi_encaps = LIST_HEAD_INITIALIZER(kpi_encaps);
static struct sx kpi_encap_lock;
SX_SYSINIT(kpi_encap_lock, &kpi_encap_lock, "ropewalk endpoints");

/* Endpoints over IPv4 and IPv6, by protocol; kpi_encap_lock. */
static u_int kpi_encap_users[2][IPPROTO_MAX];

int
kpi_encap_fini(void)
{

	return (LIST_EMPTY(&kpi_encaps) ? 0 : EBUSY);
}

/*
 * Hands *mp to the module.  True: it is gone, or *mp is NULL because there was
 * no memory.  The bytes that the contract wants contiguous are so.
 */
static bool
kpi_encap_upcall(struct kpi_encap *e, struct mbuf **mp, struct kpi_encap_rx *rx)
{
	const int need = (int)MIN(rx->kr_off + 4, (uint32_t)(*mp)->m_pkthdr.len);

	if ((*mp)->m_len < need) {
		*mp = m_pullup(*mp, need);
		if (*mp == NULL)
			return (true);
	}
	return ((*e->ke_ops->eo_input)(e->ke_arg, (struct kpi_mbuf **)mp, rx) ==
	    KPI_ENCAP_STOLEN);
}

static void
kpi_encap_addrs(const struct mbuf *m, bool v6, struct kpi_encap_rx *rx)
{

	/* The outer header is at the front: the kernel has looked at it there. */
	if (v6) {
		rx->kr_af = KPI_AF_INET6;
		m_copydata(m, offsetof(struct ip6_hdr, ip6_src), 16,
		    rx->kr_src);
		m_copydata(m, offsetof(struct ip6_hdr, ip6_dst), 16,
		    rx->kr_dst);
	} else {
		rx->kr_af = KPI_AF_INET;
		m_copydata(m, offsetof(struct ip, ip_src), 4, rx->kr_src);
		m_copydata(m, offsetof(struct ip, ip_dst), 4, rx->kr_dst);
	}
}

/*
 * How well a packet is ours: by its destination.  One less than an exact match
 * of both addresses, so that a tunnel of the kernel's own goes first.
 */
static int
kpi_encap_check(const struct mbuf *m, int off __unused, int proto __unused,
    void *arg)
{
	const struct kpi_encap *e = arg;
	struct kpi_encap_rx rx;

	if (e->ke_vnet != curvnet)
		return (0);
	kpi_encap_addrs(m, e->ke_v6, &rx);
	if (e->ke_v6)
		return (memcmp(rx.kr_dst, e->ke_addr, 16) == 0 ? 2 * 128 - 1 : 0);
	return (memcmp(rx.kr_dst, e->ke_addr, 4) == 0 ? 2 * 32 - 1 : 0);
}

static int
kpi_encap_in4(struct mbuf *m, int off, int proto, void *arg)
{
	struct kpi_encap_rx rx;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(m, false, &rx);
	rx.kr_proto = (uint32_t)proto;
	rx.kr_off = (uint32_t)off;
	if (kpi_encap_upcall(arg, &m, &rx))
		return (IPPROTO_DONE);
	/* Control packets and the like: to whoever has a raw socket. */
	return (rip_input(&m, &off, proto));
}

static int
kpi_encap_in6(struct mbuf *m, int off, int proto, void *arg)
{
	struct kpi_encap_rx rx;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(m, true, &rx);
	rx.kr_proto = (uint32_t)proto;
	rx.kr_off = (uint32_t)off;
	if (kpi_encap_upcall(arg, &m, &rx))
		return (IPPROTO_DONE);
	return (rip6_input(&m, &off, proto));
}

/* off: bytes of IP header.  Returns true: the packet is gone. */
static bool
kpi_encap_inudp(struct mbuf *m, int off, struct inpcb *inp __unused,
    const struct sockaddr *src, void *arg)
{
	struct kpi_encap *e = arg;
	struct kpi_encap_rx rx;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(m, e->ke_v6, &rx);
	rx.kr_proto = KPI_PROTO_UDP;
	rx.kr_sport = ntohs(src->sa_family == AF_INET6 ?
	    ((const struct sockaddr_in6 *)src)->sin6_port :
	    ((const struct sockaddr_in *)src)->sin_port);
	rx.kr_dport = e->ke_port;
	rx.kr_off = (uint32_t)off + sizeof(struct udphdr);
	if (!kpi_encap_upcall(e, &m, &rx))
		/* Nobody reads from this socket: what is not ours ends here. */
		m_freem(m);
	return (true);
}

static void
kpi_encap_sockaddr(const struct kpi_encap *e, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (e->ke_v6) {
		sin6->sin6_len = sizeof(*sin6);
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(e->ke_port);
		memcpy(&sin6->sin6_addr, e->ke_addr, 16);
	} else {
		sin->sin_len = sizeof(*sin);
		sin->sin_family = AF_INET;
		sin->sin_port = htons(e->ke_port);
		memcpy(&sin->sin_addr, e->ke_addr, 4);
	}
}

static int
kpi_encap_open_udp(struct kpi_encap *e, struct sockaddr *sa)
{
	struct thread *td = curthread;
	struct socket *so;
	int error;

	error = socreate(e->ke_v6 ? AF_INET6 : AF_INET, &so, SOCK_DGRAM,
	    IPPROTO_UDP, td->td_ucred, td);
	if (error != 0)
		return (error);
	e->ke_vnet = so->so_vnet;
	error = udp_set_kernel_tunneling(so, kpi_encap_inudp, NULL, e);
	if (error == 0)
		error = sobind(so, sa, td);
	if (error != 0) {
		(void)soclose(so);
		return (error);
	}
	e->ke_so = so;
	return (0);
}

/*
 * encap(9) sees only the protocols that it registered for (IPIP, GRE and so on):
 * the first endpoint of another leads that one to it, the last takes it back.
 */
static int
kpi_encap_proto_hold(const struct kpi_encap *e)
{
	u_int *users = &kpi_encap_users[e->ke_v6][e->ke_proto];
	int error = 0;

	sx_xlock(&kpi_encap_lock);
	if (*users == 0)
		error = e->ke_v6 ?
		    ip6proto_register((uint8_t)e->ke_proto, encap6_input, NULL) :
		    ipproto_register((uint8_t)e->ke_proto, encap4_input, NULL);
	if (error == 0)
		++*users;
	sx_xunlock(&kpi_encap_lock);
	return (error == 0 ? 0 : EADDRINUSE);
}

static void
kpi_encap_proto_rele(const struct kpi_encap *e)
{
	u_int *users = &kpi_encap_users[e->ke_v6][e->ke_proto];

	sx_xlock(&kpi_encap_lock);
	if (--*users == 0) {
		if (e->ke_v6)
			(void)ip6proto_unregister((uint8_t)e->ke_proto);
		else
			(void)ipproto_unregister((uint8_t)e->ke_proto);
	}
	sx_xunlock(&kpi_encap_lock);
}

static int
kpi_encap_open_ip(struct kpi_encap *e, const struct sockaddr *sa)
{
	const struct encap_config cfg = {
		.proto = (int)e->ke_proto,
		.check = kpi_encap_check,
		.input = e->ke_v6 ? kpi_encap_in6 : kpi_encap_in4,
	};
	struct epoch_tracker et;
	bool ours;
	int error;

	NET_EPOCH_ENTER(et);
	ours = ifa_ifwithaddr_check(sa) != 0;
	NET_EPOCH_EXIT(et);
	if (!ours)
		return (EADDRNOTAVAIL);
	if (e->ke_proto >= IPPROTO_MAX)
		return (EPROTONOSUPPORT);
	if ((error = kpi_encap_proto_hold(e)) != 0)
		return (error);
	e->ke_tab = e->ke_v6 ? ip6_encap_attach(&cfg, e, M_WAITOK) :
	    ip_encap_attach(&cfg, e, M_WAITOK);
	if (e->ke_tab == NULL) {
		kpi_encap_proto_rele(e);
		return (ENOMEM);
	}
	return (0);
}

struct kpi_encap *
kpi_encap_open(const struct kpi_endpoint *ep, const struct kpi_encapops *ops,
    void *arg, int32_t *error)
{
	struct kpi_encap *e, *other;
	struct sockaddr_storage ss;

	if (ep->ke_af != KPI_AF_INET && ep->ke_af != KPI_AF_INET6) {
		*error = EAFNOSUPPORT;
		return (NULL);
	}
	e = malloc(sizeof(*e), M_ROPEWALK, M_WAITOK | M_ZERO);
	e->ke_ops = ops;
	e->ke_arg = arg;
	e->ke_v6 = ep->ke_af == KPI_AF_INET6;
	e->ke_vnet = curvnet;
	e->ke_proto = ep->ke_proto;
	e->ke_port = ep->ke_port;
	memcpy(e->ke_addr, ep->ke_addr, e->ke_v6 ? 16 : 4);
	kpi_encap_sockaddr(e, &ss);

	/* In the list at once: two opens of one endpoint must not both pass. */
	sx_xlock(&kpi_encap_lock);
	LIST_FOREACH(other, &kpi_encaps, ke_list)
		if (other->ke_vnet == e->ke_vnet &&
		    other->ke_v6 == e->ke_v6 && other->ke_proto == e->ke_proto &&
		    other->ke_port == e->ke_port &&
		    memcmp(other->ke_addr, e->ke_addr, 16) == 0)
			break;
	if (other == NULL)
		LIST_INSERT_HEAD(&kpi_encaps, e, ke_list);
	sx_xunlock(&kpi_encap_lock);
	if (other != NULL) {
		free(e, M_ROPEWALK);
		*error = EADDRINUSE;
		return (NULL);
	}

	if (e->ke_proto == KPI_PROTO_UDP)
		*error = kpi_encap_open_udp(e, (struct sockaddr *)&ss);
	else
		*error = kpi_encap_open_ip(e, (struct sockaddr *)&ss);
	if (*error == 0)
		return (e);
	sx_xlock(&kpi_encap_lock);
	LIST_REMOVE(e, ke_list);
	sx_xunlock(&kpi_encap_lock);
	free(e, M_ROPEWALK);
	return (NULL);
}

void
kpi_encap_close(struct kpi_encap *e)
{

	CURVNET_SET(e->ke_vnet);
	if (e->ke_so != NULL)
		(void)soclose(e->ke_so);
	if (e->ke_tab != NULL) {
		if (e->ke_v6)
			(void)ip6_encap_detach(e->ke_tab);
		else
			(void)ip_encap_detach(e->ke_tab);
		kpi_encap_proto_rele(e);
	}
	CURVNET_RESTORE();
	/* udp_input may have looked the socket up before it was closed. */
	NET_EPOCH_WAIT();
	sx_xlock(&kpi_encap_lock);
	LIST_REMOVE(e, ke_list);
	sx_xunlock(&kpi_encap_lock);
	free(e, M_ROPEWALK);
}
