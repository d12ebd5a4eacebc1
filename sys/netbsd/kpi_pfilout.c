/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets that a hook sends: those that it kept, and its own.
 *
 * Contexts: any; what goes in waits in the queue of the protocol, so that nothing nests
 * without end.
 * A tag says which hook has sent a packet: see kpi_pfil_sent.
 */
#include <sys/param.h>
#include <sys/lwp.h>
#include <sys/socketvar.h>

#include <net/if.h>
#include <net/pktqueue.h>

#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/ip_var.h>
#include <netinet/ip6.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_var.h>
#include <netinet6/scope6_var.h>

#include "kpi_impl.h"
#include "kpi_pfil_impl.h"

/* One flow, one CPU: the addresses decide. */
static u_int
kpi_pfil_hash(const struct mbuf *m, bool v6)
{
	uint32_t w[8], hash = 0;
	size_t i, n = v6 ? 8 : 2;

	m_copydata(__UNCONST(m), v6 ? offsetof(struct ip6_hdr, ip6_src) :
	    offsetof(struct ip, ip_src), (int)(n * sizeof(w[0])), w);
	for (i = 0; i < n; i++)
		hash ^= w[i];
	hash ^= hash >> 16;
	return hash ^ hash >> 8;
}

/* Up the stack, as if it had come in by ifp. */
static int
kpi_pfil_up(const struct ifnet *ifp, struct mbuf *m, bool v6)
{
	const u_int hash = kpi_pfil_hash(m, v6);
	bool queued;

	m_set_rcvif(m, ifp);
	kpreempt_disable();
	queued = pktq_enqueue(v6 ? ip6_pktq : ip_pktq, m, hash);
	kpreempt_enable();
	if (queued)
		return 0;
	m_freem(m);
	return ENOBUFS;
}

static int
kpi_pfil_down4(const struct ifnet *ifp, struct mbuf *m)
{
	struct ip_moptions imo;

	/* For multicast, whose way and hop count the route does not give. */
	memset(&imo, 0, sizeof(imo));
	imo.imo_multicast_if_index = ifp->if_index;
	imo.imo_multicast_ttl = mtod(m, const struct ip *)->ip_ttl;
	/* As forwarded: the header is whole, and the source anybody's. */
	return ip_output(m, NULL, NULL, IP_FORWARDING | IP_ALLOWBROADCAST, &imo,
	    NULL);
}

static int
kpi_pfil_down6(const struct ifnet *ifp, struct mbuf *m)
{
	struct ip6_moptions im6o;
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	/* Hooks see addresses as they are on the wire, ip6_output wants its own form. */
	if (in6_setscope(&ip6->ip6_src, ifp, NULL) != 0 ||
	    in6_setscope(&ip6->ip6_dst, ifp, NULL) != 0) {
		m_freem(m);
		return EADDRNOTAVAIL;
	}
	memset(&im6o, 0, sizeof(im6o));
	im6o.im6o_multicast_if_index = ifp->if_index;
	im6o.im6o_multicast_hlim = ip6->ip6_hlim;
	return ip6_output(m, NULL, NULL, IPV6_FORWARDING | IPV6_UNSPECSRC, &im6o,
	    NULL, NULL);
}

/* Is the packet's destination an address of ours, seen from ifp? */
static bool
kpi_pfil_to_us(const struct ifnet *ifp, const struct mbuf *m, bool v6)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;
	struct sockaddr *sa;
	struct ifaddr *ifa;
	struct psref psref;

	if (v6) {
		memset(&sin6, 0, sizeof(sin6));
		sin6.sin6_len = sizeof(sin6);
		sin6.sin6_family = AF_INET6;
		sin6.sin6_addr = mtod(m, const struct ip6_hdr *)->ip6_dst;
		(void)in6_setscope(&sin6.sin6_addr, ifp, NULL);
		sa = (struct sockaddr *)&sin6;
	} else {
		memset(&sin, 0, sizeof(sin));
		sin.sin_len = sizeof(sin);
		sin.sin_family = AF_INET;
		sin.sin_addr = mtod(m, const struct ip *)->ip_dst;
		sa = (struct sockaddr *)&sin;
	}
	ifa = ifa_ifwithaddr_psref(sa, &psref);
	if (ifa == NULL)
		return false;
	ifa_release(ifa, &psref);
	return true;
}

/* With serial in its tag; consumes m.  up: where it goes; reply: where it belongs. */
static int32_t
kpi_pfil_go(struct kpi_pfil *p, const struct kpi_pfil_rx *rx, struct mbuf *m,
    uint64_t serial)
{
	const bool v6 = rx->kx_af == KPI_AF_INET6;
	const int hlen = v6 ? sizeof(struct ip6_hdr) : sizeof(struct ip);
	struct kpi_ptag *pt;
	struct ifnet *ifp;
	struct psref psref;
	bool up;
	int bound, error;

	if (!p->kp_live) {
		m_freem(m);
		return KPI_ENXIO;
	}
	if (m->m_pkthdr.len < hlen) {
		m_freem(m);
		return KPI_EINVAL;
	}
	/* The stack writes into the header. */
	m = kpi_m(kpi_mbuf_writable((struct kpi_mbuf *)m, (uint32_t)hlen));
	if (m == NULL)
		return KPI_ENOBUFS;
	pt = kpi_ptag(m, true);
	if (pt == NULL) {
		m_freem(m);
		return KPI_ENOBUFS;
	}
	pt->pt_serial = serial;
	pt->pt_dir = rx->kx_dir;
	pt->pt_ifindex = 0;

	KPI_NET_LOCK();
	bound = curlwp_bind();
	ifp = if_get_byindex(rx->kx_ifindex, &psref);
	if (ifp == NULL) {
		m_freem(m);
		error = KPI_ENXIO;
		goto out;
	}
	up = serial == KPI_PFIL_NOHOOK ? kpi_pfil_to_us(ifp, m, v6) :
	    rx->kx_dir == KPI_PFIL_IN;
	if (up)
		error = kpi_pfil_up(ifp, m, v6);
	else
		error = v6 ? kpi_pfil_down6(ifp, m) : kpi_pfil_down4(ifp, m);
	if_put(ifp, &psref);
out:
	curlwp_bindx(bound);
	KPI_NET_UNLOCK();
	return error;
}

/* A packet of the module's own: its sums are complete. */
static struct mbuf *
kpi_pfil_fresh(struct kpi_mbuf *km)
{
	struct mbuf *m = kpi_m(km);

	m->m_pkthdr.csum_flags = 0;
	m->m_flags &= ~(M_BCAST | M_MCAST);
	return m;
}

int32_t
kpi_pfil_resume(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    struct kpi_mbuf *m)
{

	return kpi_pfil_go(p, rx, kpi_m(m), p->kp_serial);
}

int32_t
kpi_pfil_reply(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig __unused, struct kpi_mbuf *m)
{

	return kpi_pfil_go(p, rx, kpi_pfil_fresh(m), KPI_PFIL_NOHOOK);
}

int32_t
kpi_pfil_send(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig __unused, struct kpi_mbuf *m)
{

	return kpi_pfil_go(p, rx, kpi_pfil_fresh(m), p->kp_serial);
}
