/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets that a hook sends: those that it kept, and its own.
 *
 * Contexts: any; the net epoch is entered here.  What goes in waits in the queue of the
 * protocol, so that nothing nests without end, and no lock of a socket is in the way.
 * VNET: vnet0.
 * A tag says which hook has sent a packet: see kpi_pfil_sent.
 */
#include "kpi_impl.h"

#include <net/if.h>
#include <net/if_var.h>
#include <net/netisr.h>
#include <net/vnet.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_var.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_var.h>
#include <netinet6/scope6_var.h>

#include "kpi_pfil_impl.h"

static int
kpi_pfil_down4(if_t ifp, struct mbuf *m)
{
	const struct ip *ip = mtod(m, const struct ip *);
	int flags = IP_RAWOUTPUT | IP_ALLOWBROADCAST;
	struct ip_moptions imo;

	/* For multicast, whose way and hop count the route does not give. */
	memset(&imo, 0, sizeof(imo));
	imo.imo_multicast_ifp = ifp;
	imo.imo_multicast_vif = (u_long)-1;
	imo.imo_multicast_ttl = ip->ip_ttl;
	if (IN_MULTICAST(ntohl(ip->ip_dst.s_addr)))
		flags |= IP_FORWARDING;
	return (ip_output(m, NULL, NULL, flags, &imo, NULL));
}

static int
kpi_pfil_down6(if_t ifp, struct mbuf *m)
{
	struct ip6_moptions im6o;
	struct ip6_hdr *ip6 = mtod(m, struct ip6_hdr *);

	/* Hooks see addresses as they are on the wire, ip6_output wants its own form. */
	if (in6_setscope(&ip6->ip6_src, ifp, NULL) != 0 ||
	    in6_setscope(&ip6->ip6_dst, ifp, NULL) != 0) {
		m_freem(m);
		return (EADDRNOTAVAIL);
	}
	memset(&im6o, 0, sizeof(im6o));
	im6o.im6o_multicast_ifp = ifp;
	im6o.im6o_multicast_hlim = ip6->ip6_hlim;
	return (ip6_output(m, NULL, NULL, IPV6_FORWARDING | IPV6_UNSPECSRC, &im6o,
	    NULL, NULL));
}

/* Is the packet's destination an address of ours, seen from ifp? */
static bool
kpi_pfil_to_us(if_t ifp, const struct mbuf *m, bool v6)
{
	struct in6_addr dst;

	if (!v6)
		return (in_localip(mtod(m, const struct ip *)->ip_dst));
	dst = mtod(m, const struct ip6_hdr *)->ip6_dst;
	return (in6_setscope(&dst, ifp, NULL) == 0 && in6_localip(&dst) != 0);
}

/* Within the epoch; consumes m. */
static int
kpi_pfil_to(if_t ifp, const struct kpi_pfil_rx *rx, struct mbuf *m,
    uint64_t serial)
{
	const bool v6 = rx->kx_af == KPI_AF_INET6;
	bool up;

	up = serial == KPI_PFIL_NOHOOK ? kpi_pfil_to_us(ifp, m, v6) :
	    rx->kx_dir == KPI_PFIL_IN;
	if (up) {
		m->m_pkthdr.rcvif = ifp;
		M_SETFIB(m, if_getfib(ifp));
		/* From ourselves: else ip6_input would call it spoofed. */
		if ((if_getflags(ifp) & IFF_LOOPBACK) != 0)
			m->m_flags |= M_LOOP;
		return (netisr_queue(v6 ? NETISR_IPV6 : NETISR_IP, m));
	}
	return (v6 ? kpi_pfil_down6(ifp, m) : kpi_pfil_down4(ifp, m));
}

/* With serial in its tag; consumes m. */
static int32_t
kpi_pfil_go(struct kpi_pfil *p, const struct kpi_pfil_rx *rx, struct mbuf *m,
    uint64_t serial)
{
	const int hlen = rx->kx_af == KPI_AF_INET6 ? sizeof(struct ip6_hdr) :
	    sizeof(struct ip);
	struct epoch_tracker et;
	struct kpi_ptag *pt;
	if_t ifp;
	int error;

	if (!p->kp_live) {
		m_freem(m);
		return (KPI_ENXIO);
	}
	if (m->m_pkthdr.len < hlen) {
		m_freem(m);
		return (KPI_EINVAL);
	}
	/* The stack writes into the header. */
	m = kpi_m(kpi_mbuf_writable((struct kpi_mbuf *)m, (uint32_t)hlen));
	if (m == NULL)
		return (KPI_ENOBUFS);
	pt = kpi_ptag(m, true);
	if (pt == NULL) {
		m_freem(m);
		return (KPI_ENOBUFS);
	}
	pt->pt_serial = serial;
	pt->pt_dir = rx->kx_dir;
	pt->pt_ifindex = 0;

	CURVNET_SET(vnet0);
	NET_EPOCH_ENTER(et);
	ifp = ifnet_byindex(rx->kx_ifindex);
	if (ifp == NULL) {
		m_freem(m);
		error = KPI_ENXIO;
	} else
		error = kpi_pfil_to(ifp, rx, m, serial);
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
	return (error);
}

/* A packet of the module's own: its sums are complete. */
static struct mbuf *
kpi_pfil_fresh(struct kpi_mbuf *km)
{
	struct mbuf *m = kpi_m(km);

	m->m_pkthdr.csum_flags = 0;
	m->m_flags &= ~(M_BCAST | M_MCAST);
	return (m);
}

int32_t
kpi_pfil_resume(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    struct kpi_mbuf *m)
{

	return (kpi_pfil_go(p, rx, kpi_m(m), p->kp_serial));
}

int32_t
kpi_pfil_reply(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig __unused, struct kpi_mbuf *m)
{

	return (kpi_pfil_go(p, rx, kpi_pfil_fresh(m), KPI_PFIL_NOHOOK));
}

int32_t
kpi_pfil_send(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig __unused, struct kpi_mbuf *m)
{

	return (kpi_pfil_go(p, rx, kpi_pfil_fresh(m), p->kp_serial));
}
