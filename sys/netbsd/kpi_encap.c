/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The inner side of tunnels: claims outer packets for an endpoint.
 *
 * Contexts: kpi_encap_in* run in the network softint, after reassembly.
 * Locking: kpi_encap_lock guards the list of endpoints.  No upcall runs once
 * encap_detach(9) or soclose(9) has returned: the first waits for passive
 * references that span the input call, the second takes the socket lock that
 * udp_input holds while it calls us.
 */
#include <sys/param.h>
#include <sys/proc.h>
#include <sys/socketvar.h>

#include <net/if.h>
#include <net/route.h>

#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/in_pcb.h>
#include <netinet/ip_encap.h>
#include <netinet/ip_var.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netinet6/ip6_var.h>

#include "kpi_impl.h"
#include "kpi_encap_impl.h"

static LIST_HEAD(, kpi_encap) kpi_encaps;
static kmutex_t kpi_encap_lock;

void
kpi_encap_init(void)
{

	LIST_INIT(&kpi_encaps);
	mutex_init(&kpi_encap_lock, MUTEX_DEFAULT, IPL_NONE);
}

int
kpi_encap_fini(void)
{

	if (!LIST_EMPTY(&kpi_encaps))
		return EBUSY;
	mutex_destroy(&kpi_encap_lock);
	return 0;
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
			return true;
	}
	return (*e->ke_ops->eo_input)(e->ke_arg, (struct kpi_mbuf **)mp, rx) ==
	    KPI_ENCAP_STOLEN;
}

static void
kpi_encap_addrs(const struct mbuf *m, bool v6, struct kpi_encap_rx *rx)
{

	/* The outer header is at the front: the kernel has looked at it there. */
	if (v6) {
		rx->kr_af = KPI_AF_INET6;
		m_copydata(__UNCONST(m), offsetof(struct ip6_hdr, ip6_src), 16,
		    rx->kr_src);
		m_copydata(__UNCONST(m), offsetof(struct ip6_hdr, ip6_dst), 16,
		    rx->kr_dst);
	} else {
		rx->kr_af = KPI_AF_INET;
		m_copydata(__UNCONST(m), offsetof(struct ip, ip_src), 4, rx->kr_src);
		m_copydata(__UNCONST(m), offsetof(struct ip, ip_dst), 4, rx->kr_dst);
	}
}

/*
 * How well a packet is ours: by its destination.  One less than an exact match
 * of both addresses, so that a tunnel of the kernel's own goes first.
 */
static int
kpi_encap_match(struct mbuf *m, int off __unused, int proto __unused, void *arg)
{
	const struct kpi_encap *e = arg;
	struct kpi_encap_rx rx;

	kpi_encap_addrs(m, e->ke_v6, &rx);
	if (e->ke_v6)
		return memcmp(rx.kr_dst, e->ke_addr, 16) == 0 ? 2 * 128 - 1 : 0;
	return memcmp(rx.kr_dst, e->ke_addr, 4) == 0 ? 2 * 32 - 1 : 0;
}

static void
kpi_encap_in4(struct mbuf *m, int off, int proto, void *arg)
{
	struct kpi_encap_rx rx;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(m, false, &rx);
	rx.kr_proto = (uint32_t)proto;
	rx.kr_off = (uint32_t)off;
	if (kpi_encap_upcall(arg, &m, &rx))
		return;
	/* Control packets and the like: to whoever has a raw socket. */
	SOFTNET_LOCK_IF_NET_MPSAFE();
	rip_input(m, off, proto);
	SOFTNET_UNLOCK_IF_NET_MPSAFE();
}

static int
kpi_encap_in6(struct mbuf **mp, int *offp, int proto, void *arg)
{
	struct kpi_encap_rx rx;
	int rv;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(*mp, true, &rx);
	rx.kr_proto = (uint32_t)proto;
	rx.kr_off = (uint32_t)*offp;
	if (kpi_encap_upcall(arg, mp, &rx))
		return IPPROTO_DONE;
	SOFTNET_LOCK_IF_NET_MPSAFE();
	rv = rip6_input(mp, offp, proto);
	SOFTNET_UNLOCK_IF_NET_MPSAFE();
	return rv;
}

static const struct encapsw kpi_encapsw4 = {
	.encapsw4 = { .pr_input = kpi_encap_in4, .pr_ctlinput = NULL },
};

static const struct encapsw kpi_encapsw6 = {
	.encapsw6 = { .pr_input = kpi_encap_in6, .pr_ctlinput = NULL },
};

/* off: bytes of IP and UDP header.  Returns what in_pcb.h says: 1, the packet is gone. */
static int
kpi_encap_inudp(struct mbuf **mp, int off, struct socket *so __unused,
    struct sockaddr *src, void *arg)
{
	struct kpi_encap *e = arg;
	struct kpi_encap_rx rx;

	memset(&rx, 0, sizeof(rx));
	kpi_encap_addrs(*mp, e->ke_v6, &rx);
	rx.kr_proto = KPI_PROTO_UDP;
	rx.kr_sport = ntohs(src->sa_family == AF_INET6 ?
	    satosin6(src)->sin6_port : satosin(src)->sin_port);
	rx.kr_dport = e->ke_port;
	rx.kr_off = (uint32_t)off;
	if (!kpi_encap_upcall(e, mp, &rx))
		/* Nobody reads from this socket: what is not ours ends here. */
		m_freem(*mp);
	*mp = NULL;
	return 1;
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
	struct socket *so;
	int error;

	error = socreate(e->ke_v6 ? AF_INET6 : AF_INET, &so, SOCK_DGRAM, 0,
	    curlwp, NULL);
	if (error != 0)
		return error;
	solock(so);
	inpcb_register_overudp_cb(sotoinpcb(so), kpi_encap_inudp, e);
	sounlock(so);
	error = sobind(so, sa, curlwp);
	if (error != 0) {
		soclose(so);
		return error;
	}
	e->ke_so = so;
	return 0;
}

static int
kpi_encap_open_ip(struct kpi_encap *e, const struct sockaddr *sa)
{
	struct ifaddr *ifa;
	struct psref psref;
	int error;

	ifa = ifa_ifwithaddr_psref(sa, &psref);
	if (ifa == NULL)
		return EADDRNOTAVAIL;
	ifa_release(ifa, &psref);
	error = encap_lock_enter();
	if (error != 0)
		return error;
	e->ke_tab = encap_attach_func(e->ke_v6 ? AF_INET6 : AF_INET,
	    (int)e->ke_proto, kpi_encap_match,
	    e->ke_v6 ? &kpi_encapsw6 : &kpi_encapsw4, e);
	encap_lock_exit();
	return e->ke_tab == NULL ? ENOMEM : 0;
}

struct kpi_encap *
kpi_encap_open(const struct kpi_endpoint *ep, const struct kpi_encapops *ops,
    void *arg, int32_t *error)
{
	struct kpi_encap *e, *other;
	struct sockaddr_storage ss;
	int bound;

	if (ep->ke_af != KPI_AF_INET && ep->ke_af != KPI_AF_INET6) {
		*error = EAFNOSUPPORT;
		return NULL;
	}
	e = kmem_zalloc(sizeof(*e), KM_SLEEP);
	e->ke_ops = ops;
	e->ke_arg = arg;
	e->ke_v6 = ep->ke_af == KPI_AF_INET6;
	e->ke_proto = ep->ke_proto;
	e->ke_port = ep->ke_port;
	memcpy(e->ke_addr, ep->ke_addr, e->ke_v6 ? 16 : 4);
	kpi_encap_sockaddr(e, &ss);

	/* In the list at once: two opens of one endpoint must not both pass. */
	mutex_enter(&kpi_encap_lock);
	LIST_FOREACH(other, &kpi_encaps, ke_list)
		if (other->ke_v6 == e->ke_v6 && other->ke_proto == e->ke_proto &&
		    other->ke_port == e->ke_port &&
		    memcmp(other->ke_addr, e->ke_addr, 16) == 0)
			break;
	if (other == NULL)
		LIST_INSERT_HEAD(&kpi_encaps, e, ke_list);
	mutex_exit(&kpi_encap_lock);
	if (other != NULL) {
		kmem_free(e, sizeof(*e));
		*error = EADDRINUSE;
		return NULL;
	}

	bound = curlwp_bind();
	if (e->ke_proto == KPI_PROTO_UDP)
		*error = kpi_encap_open_udp(e, sstosa(&ss));
	else
		*error = kpi_encap_open_ip(e, sstosa(&ss));
	curlwp_bindx(bound);
	if (*error == 0)
		return e;
	mutex_enter(&kpi_encap_lock);
	LIST_REMOVE(e, ke_list);
	mutex_exit(&kpi_encap_lock);
	kmem_free(e, sizeof(*e));
	return NULL;
}

void
kpi_encap_close(struct kpi_encap *e)
{

	if (e->ke_so != NULL)
		soclose(e->ke_so);
	if (e->ke_tab != NULL) {
		/* A signal may refuse us the lock; giving up is no choice here. */
		while (encap_lock_enter() != 0)
			(void)kpause("rwencap", false, 1, NULL);
		(void)encap_detach(e->ke_tab);
		encap_lock_exit();
	}
	mutex_enter(&kpi_encap_lock);
	LIST_REMOVE(e, ke_list);
	mutex_exit(&kpi_encap_lock);
	kmem_free(e, sizeof(*e));
}
