/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packet filter hooks over pfil(9): what comes in and what goes out.
 *
 * Contexts: kpi_pfil_hook4 and 6 run in the net epoch, any thread.
 * Locking: none; kpi_pfil_detach waits for the epoch.
 * VNET: the hooks are on vnet0's heads; other vnets go unfiltered.
 */
#include "kpi_impl.h"

#include <net/if.h>
#include <net/if_var.h>
#include <net/pfil.h>
#include <net/vnet.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_var.h>
#include <netinet6/ip6_var.h>

#include "kpi_pfil_impl.h"

#define	KPI_STR1(x)	#x
#define	KPI_STR(x)	KPI_STR1(x)

/* Has m been sent by p, or by a hook that p comes before? */
static bool
kpi_pfil_sent(const struct kpi_pfil *p, struct mbuf *m, uint32_t dir,
    uint32_t ifindex)
{
	struct kpi_ptag *pt = kpi_ptag(m, false);

	if (pt == NULL || pt->pt_serial == 0)
		return (false);
	if (pt->pt_serial == KPI_PFIL_NOHOOK) {
		if (pt->pt_ifindex == 0) {
			pt->pt_ifindex = ifindex;
			pt->pt_dir = dir;
		}
		/* What a tunnel makes of it elsewhere is another packet. */
		return (pt->pt_ifindex == ifindex && pt->pt_dir == dir);
	}
	if (pt->pt_dir != dir || p->kp_serial > pt->pt_serial)
		return (false);
	if (p->kp_serial == pt->pt_serial)
		pt->pt_serial = 0;
	return (true);
}

/* Sums that an interface which goes nowhere leaves out, so that nobody knows later. */
static void
kpi_pfil_finish(struct mbuf *m)
{
	const struct ip6_hdr *ip6;

	if ((m->m_pkthdr.csum_flags & CSUM_DELAY_DATA) != 0) {
		in_delayed_cksum(m);
		m->m_pkthdr.csum_flags &= ~CSUM_DELAY_DATA;
	}
	if ((m->m_pkthdr.csum_flags & CSUM_DELAY_DATA_IPV6) == 0)
		return;
	ip6 = mtod(m, const struct ip6_hdr *);
	if (ip6->ip6_nxt != IPPROTO_TCP && ip6->ip6_nxt != IPPROTO_UDP)
		return;
	in6_delayed_cksum(m, ntohs(ip6->ip6_plen), sizeof(*ip6));
	m->m_pkthdr.csum_flags &= ~CSUM_DELAY_DATA_IPV6;
}

/*
 * The bits of sums to be made are others than those of sums that were verified: also a
 * packet that comes in has them, if it never was on a wire (epair(4)).
 */
static uint32_t
kpi_pfil_flags(struct mbuf *m, if_t ifp, int dir)
{
	uint32_t flags = 0;

	if ((m->m_pkthdr.csum_flags & (CSUM_DELAY_DATA | CSUM_DELAY_DATA_IPV6 |
	    CSUM_TSO)) == 0)
		return (0);
	if ((m->m_pkthdr.csum_flags & CSUM_TSO) != 0)
		return (KPI_PFILF_CSUM_PARTIAL | KPI_PFILF_GSO);
	if ((dir & PFIL_OUT) != 0 && (if_getflags(ifp) & IFF_LOOPBACK) != 0)
		kpi_pfil_finish(m);
	if ((m->m_pkthdr.csum_flags & (CSUM_DELAY_DATA |
	    CSUM_DELAY_DATA_IPV6)) != 0)
		flags |= KPI_PFILF_CSUM_PARTIAL;
	return (flags);
}

static pfil_return_t
kpi_pfil_packet(struct kpi_pfil *p, struct mbuf **mp, if_t ifp, int dir,
    uint32_t af, int hlen)
{
	struct kpi_pfil_rx rx;
	struct mbuf *m = *mp;

	rx.kx_af = af;
	rx.kx_dir = (dir & PFIL_IN) != 0 ? KPI_PFIL_IN : KPI_PFIL_OUT;
	rx.kx_ifindex = if_getindex(ifp);
	if (kpi_pfil_sent(p, m, rx.kx_dir, rx.kx_ifindex))
		return (PFIL_PASS);
	if (m->m_len < hlen) {
		m = m_pullup(m, hlen);
		if (m == NULL) {
			*mp = NULL;
			return (PFIL_CONSUMED);
		}
	}
	rx.kx_flags = kpi_pfil_flags(m, ifp, dir);
	*mp = m;
	if ((*p->kp_ops->po_packet)(p->kp_arg, (struct kpi_mbuf **)mp, &rx) ==
	    KPI_PFIL_STOLEN) {
		*mp = NULL;
		return (PFIL_CONSUMED);
	}
	return (PFIL_PASS);
}

static pfil_return_t
kpi_pfil_hook4(struct mbuf **mp, struct ifnet *ifp, int dir, void *arg,
    struct inpcb *inp __unused)
{

	return (kpi_pfil_packet(arg, mp, ifp, dir, KPI_AF_INET,
	    sizeof(struct ip)));
}

static pfil_return_t
kpi_pfil_hook6(struct mbuf **mp, struct ifnet *ifp, int dir, void *arg,
    struct inpcb *inp __unused)
{

	return (kpi_pfil_packet(arg, mp, ifp, dir, KPI_AF_INET6,
	    sizeof(struct ip6_hdr)));
}

static void
kpi_pfil_ifchange(void *arg, uint32_t ifindex)
{
	const struct kpi_pfil *p = arg;

	(*p->kp_ops->po_ifchange)(p->kp_arg, ifindex);
}

struct kpi_pfil *
kpi_pfil_alloc(int32_t *error)
{

	*error = 0;
	return (malloc(sizeof(struct kpi_pfil), M_ROPEWALK, M_WAITOK | M_ZERO));
}

void
kpi_pfil_free(struct kpi_pfil *p)
{

	free(p, M_ROPEWALK);
}

static int
kpi_pfil_hook(struct kpi_pfil *p, enum pfil_types type, const char *head,
    pfil_mbuf_chk_t chk, struct pfil_hook **hookp)
{
	struct pfil_hook_args pha = {
		.pa_version = PFIL_VERSION,
		.pa_flags = PFIL_IN | PFIL_OUT,
		.pa_type = type,
		.pa_mbuf_chk = chk,
		.pa_ruleset = p,
		.pa_modname = KPI_STR(KPI_MODULE),
		.pa_rulname = head,
	};
	struct pfil_link_args pla = {
		.pa_version = PFIL_VERSION,
		.pa_flags = PFIL_IN | PFIL_OUT | PFIL_HOOKPTR | PFIL_APPEND,
	};

	*hookp = pfil_add_hook(&pha);
	/* The head by its name: the variable is a vnet's. */
	pla.pa_headname = head;
	pla.pa_hook = *hookp;
	return (pfil_link(&pla));
}

int32_t
kpi_pfil_attach(struct kpi_pfil *p, const struct kpi_pfilops *ops, void *arg)
{
	int error;

	p->kp_ops = ops;
	p->kp_arg = arg;
	p->kp_serial = kpi_uptime_ns();
	p->kp_live = true;
	p->kp_watch = kpi_ifwatch_start(kpi_pfil_ifchange, p);
	if (p->kp_watch == NULL) {
		p->kp_live = false;
		return (ENOMEM);
	}
	CURVNET_SET(vnet0);
	error = kpi_pfil_hook(p, PFIL_TYPE_IP4, PFIL_INET_NAME, kpi_pfil_hook4,
	    &p->kp_hook4);
	if (error == 0)
		error = kpi_pfil_hook(p, PFIL_TYPE_IP6, PFIL_INET6_NAME,
		    kpi_pfil_hook6, &p->kp_hook6);
	CURVNET_RESTORE();
	if (error != 0)
		kpi_pfil_detach(p);
	return (error);
}

void
kpi_pfil_detach(struct kpi_pfil *p)
{

	p->kp_live = false;
	CURVNET_SET(vnet0);
	if (p->kp_hook4 != NULL)
		pfil_remove_hook(p->kp_hook4);
	if (p->kp_hook6 != NULL)
		pfil_remove_hook(p->kp_hook6);
	CURVNET_RESTORE();
	p->kp_hook4 = p->kp_hook6 = NULL;
	/* Hooks are called in the epoch: none is under way after this. */
	NET_EPOCH_WAIT();
	kpi_ifwatch_stop(p->kp_watch);
	p->kp_watch = NULL;
}
