/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packet filter hooks over pfil(9): what comes in and what goes out.
 *
 * Contexts: kpi_pfil_hook4 and 6 run in the network softint, or in a thread that
 * sends.  pfil(9) puts the hook that came last before the others, in both directions.
 * Locking: pfil(9) holds a passive reference across a call, and pfil_remove_hook(9)
 * waits for it; without NET_MPSAFE softnet_lock is held instead.
 *
 * A kernel with `options GATEWAY' forwards packets of flows that it knows past all
 * hooks.  What it knows is forgotten when a hook of ours is attached, and it gets to
 * know none while there is one.
 */
#include <sys/param.h>
#include <sys/socketvar.h>
#include <sys/sysctl.h>

#include <net/if.h>
#include <net/pfil.h>

#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/in_offload.h>
#include <netinet6/in6_offload.h>

#include "kpi_impl.h"
#include "kpi_pfil_impl.h"

extern pfil_head_t *inet_pfil_hook;
extern pfil_head_t *inet6_pfil_hook;

#define	KPI_CSUM4	(M_CSUM_TCPv4 | M_CSUM_UDPv4)
#define	KPI_CSUM6	(M_CSUM_TCPv6 | M_CSUM_UDPv6)
#define	KPI_TSO		(M_CSUM_TSOv4 | M_CSUM_TSOv6)

/* Has m been sent by p, or by a hook that p would come before? */
static bool
kpi_pfil_sent(const struct kpi_pfil *p, struct mbuf *m, uint32_t dir,
    uint32_t ifindex)
{
	struct kpi_ptag *pt = kpi_ptag(m, false);

	if (pt == NULL || pt->pt_serial == 0)
		return false;
	if (pt->pt_serial == KPI_PFIL_NOHOOK) {
		if (pt->pt_ifindex == 0) {
			pt->pt_ifindex = ifindex;
			pt->pt_dir = dir;
		}
		/* What a tunnel makes of it elsewhere is another packet. */
		return pt->pt_ifindex == ifindex && pt->pt_dir == dir;
	}
	if (pt->pt_dir != dir || p->kp_serial < pt->pt_serial)
		return false;
	if (p->kp_serial == pt->pt_serial)
		pt->pt_serial = 0;
	return true;
}

/*
 * The sums that the interface shall compute.  lo0 never does, and says no more, when
 * the packet comes in, that they were left out: so here they are made.
 */
static uint32_t
kpi_pfil_flags(struct mbuf *m, const struct ifnet *ifp, int dir)
{
	const int flags = m->m_pkthdr.csum_flags;

	/* On a packet that came in the same bits say what the hardware has verified. */
	if (dir != PFIL_OUT || (flags & (KPI_CSUM4 | KPI_CSUM6 | KPI_TSO)) == 0)
		return 0;
	if ((flags & KPI_TSO) != 0)
		return KPI_PFILF_CSUM_PARTIAL | KPI_PFILF_GSO;
	if ((ifp->if_flags & IFF_LOOPBACK) == 0)
		return KPI_PFILF_CSUM_PARTIAL;
	if ((flags & KPI_CSUM4) != 0)
		in_undefer_cksum_tcpudp(m);
	else
		in6_undefer_cksum_tcpudp(m);
	m->m_pkthdr.csum_flags &= ~(KPI_CSUM4 | KPI_CSUM6);
	return 0;
}

static int
kpi_pfil_packet(struct kpi_pfil *p, struct mbuf **mp, const struct ifnet *ifp,
    int dir, uint32_t af, int hlen)
{
	struct kpi_pfil_rx rx;
	struct mbuf *m = *mp;

	/* To be forwarded fast is to be seen by no hook. */
	m->m_flags &= ~M_CANFASTFWD;
	rx.kx_af = af;
	rx.kx_dir = dir == PFIL_IN ? KPI_PFIL_IN : KPI_PFIL_OUT;
	rx.kx_ifindex = ifp->if_index;
	if (kpi_pfil_sent(p, m, rx.kx_dir, rx.kx_ifindex))
		return 0;
	if (m->m_len < hlen) {
		m = m_pullup(m, hlen);
		if (m == NULL) {
			*mp = NULL;
			return 0;
		}
	}
	rx.kx_flags = kpi_pfil_flags(m, ifp, dir);
	*mp = m;
	if ((*p->kp_ops->po_packet)(p->kp_arg, (struct kpi_mbuf **)mp, &rx) ==
	    KPI_PFIL_STOLEN)
		*mp = NULL;
	return 0;
}

static int
kpi_pfil_hook4(void *arg, struct mbuf **mp, struct ifnet *ifp, int dir)
{

	return kpi_pfil_packet(arg, mp, ifp, dir, KPI_AF_INET, sizeof(struct ip));
}

static int
kpi_pfil_hook6(void *arg, struct mbuf **mp, struct ifnet *ifp, int dir)
{

	return kpi_pfil_packet(arg, mp, ifp, dir, KPI_AF_INET6,
	    sizeof(struct ip6_hdr));
}

static void
kpi_pfil_ifchange(void *arg, uint32_t ifindex)
{
	const struct kpi_pfil *p = arg;

	(*p->kp_ops->po_ifchange)(p->kp_arg, ifindex);
}

/*
 * Forget the flows of a family, if the kernel has such: their table is made anew when
 * its size is set, be it to what it is.
 */
static void
kpi_pfil_forget(int family, int proto)
{
	int name[4] = { CTL_NET, family, proto, 0 };
	const struct sysctlnode *node = NULL;
	size_t len = sizeof(int), none = 0;
	int error, size;
	u_int i;

	sysctl_lock(true);
	error = sysctl_locate(NULL, name, 3, &node, NULL);
	for (i = 0; error == 0 && i < node->sysctl_clen; i++)
		if (strncmp(node->sysctl_child[i].sysctl_name, "hashsize",
		    sizeof("hashsize")) == 0)
			break;
	if (error == 0 && i < node->sysctl_clen) {
		name[3] = node->sysctl_child[i].sysctl_num;
		error = sysctl_dispatch(name, 4, &size, &len, NULL, 0, name, NULL,
		    NULL);
		if (error == 0)
			(void)sysctl_dispatch(name, 4, NULL, &none, &size,
			    sizeof(size), name, NULL, NULL);
	}
	sysctl_unlock();
}

struct kpi_pfil *
kpi_pfil_alloc(int32_t *error)
{

	*error = 0;
	return kmem_zalloc(sizeof(struct kpi_pfil), KM_SLEEP);
}

void
kpi_pfil_free(struct kpi_pfil *p)
{

	kmem_free(p, sizeof(*p));
}

void
kpi_pfil_fence(void)
{

#ifndef NET_MPSAFE
	/* Whoever is in a hook has these, also while asleep in it. */
	KERNEL_LOCK(1, NULL);
	mutex_enter(softnet_lock);
	mutex_exit(softnet_lock);
	KERNEL_UNLOCK_ONE(NULL);
#endif
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
		return ENOMEM;
	}
	error = pfil_add_hook(kpi_pfil_hook4, p, PFIL_ALL, inet_pfil_hook);
	if (error == 0)
		error = pfil_add_hook(kpi_pfil_hook6, p, PFIL_ALL,
		    inet6_pfil_hook);
	if (error != 0) {
		kpi_pfil_detach(p);
		return error;
	}
	/* Packets that had passed the hooks before ours have gone their way now. */
	kpi_epoch_wait();
	kpi_pfil_forget(PF_INET, IPPROTO_IP);
	kpi_pfil_forget(PF_INET6, IPPROTO_IPV6);
	return 0;
}

void
kpi_pfil_detach(struct kpi_pfil *p)
{

	p->kp_live = false;
	(void)pfil_remove_hook(kpi_pfil_hook4, p, PFIL_ALL, inet_pfil_hook);
	(void)pfil_remove_hook(kpi_pfil_hook6, p, PFIL_ALL, inet6_pfil_hook);
	kpi_pfil_fence();
	kpi_ifwatch_stop(p->kp_watch);
	p->kp_watch = NULL;
}
