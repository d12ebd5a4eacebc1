/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Network interfaces: if_t, ether_ifattach, bpf.
 *
 * Contexts: a frame to send arrives at kpi_if_transmit in the net epoch, any
 * thread; so do frames for kpi_if_input.  kpi_if_detach waits for the epoch.
 * VNET: the stack sets curvnet for if_transmit; if_input sets it itself.
 */
#include "kpi_impl.h"

#include <sys/jail.h>
#include <sys/osd.h>

#include <net/if.h>
#include <net/if_types.h>
#include <net/bpf.h>
#include <net/if_vlan_var.h>

#include "kpi_ifnet.h"

/* Our mark on packets: which of our interfaces they have passed. */
#define	KPI_NESTING_MAX	8

struct kpi_nesting {
	uint16_t	 kn_count;
	uint16_t	 kn_index[KPI_NESTING_MAX];
};

struct kpi_ifnet_head kpi_ifnets = LIST_HEAD_INITIALIZER(kpi_ifnets);
struct sx kpi_ifnet_lock;
SX_SYSINIT(kpi_ifnet_lock, &kpi_ifnet_lock, "ropewalk interfaces");

int
kpi_if_fini(void)
{

	return (LIST_EMPTY(&kpi_ifnets) ? kpi_ifclone_fini() : EBUSY);
}

static int
kpi_if_transmit(if_t ifp, struct mbuf *m)
{
	struct kpi_ifnet *ki = if_getsoftc(ifp);

	NET_EPOCH_ASSERT();
	if (ki->ki_dying) {
		m_freem(m);
		return (ENXIO);
	}
	/* We offer no tag insertion, but a bridge member may hand one on. */
	if ((m->m_flags & M_VLANTAG) != 0) {
		m = ether_vlanencap(m, m->m_pkthdr.ether_vtag);
		if (m == NULL) {
			if_inc_counter(ifp, IFCOUNTER_OERRORS, 1);
			return (ENOBUFS);
		}
		m->m_flags &= ~M_VLANTAG;
	}
	return ((*ki->ki_ops->ifo_transmit)(ki->ki_sc, (struct kpi_mbuf *)m));
}

static void
kpi_if_qflush(if_t ifp __unused)
{
	/* Nothing is queued here. */
}

/* Called by ether_ioctl when an address is set: the interface is up then. */
static void
kpi_if_up(void *arg)
{
	struct kpi_ifnet *ki = arg;

	/* With ki_lock held: only kpi_ifioctl leads here. */
	(void)kpi_if_sync_up(ki);
}

#ifdef VIMAGE
static void
kpi_if_tunnel_del(struct kpi_ifnet *ki)
{

	sx_xlock(&ki->ki_lock);
	if (!ki->ki_dying)
		(void)(*ki->ki_ops->ifo_tunnel)(ki->ki_sc, KPI_TUNNEL_DEL, NULL);
	sx_xunlock(&ki->ki_lock);
}

/* Into another vnet: the outer addresses are not there. */
static void
kpi_if_reassign(if_t ifp, struct vnet *vnet __unused, char *unused __unused)
{

	kpi_if_tunnel_del(if_getsoftc(ifp));
}

/*
 * A jail goes.  The socket of an endpoint over UDP has its credentials, and so
 * would keep the jail, its vnet and our interface in that vnet for ever.
 */
static int
kpi_prison_remove(void *obj, void *data __unused)
{
	const struct prison *pr = obj;
	struct kpi_ifnet *ki;

	if ((pr->pr_flags & PR_VNET) == 0)
		return (0);
	sx_slock(&kpi_ifnet_lock);
	LIST_FOREACH(ki, &kpi_ifnets, ki_list)
		if (if_getvnet(ki->ki_ifp) == pr->pr_vnet) {
			CURVNET_SET(pr->pr_vnet);
			kpi_if_tunnel_del(ki);
			CURVNET_RESTORE();
		}
	sx_sunlock(&kpi_ifnet_lock);
	return (0);
}

static int kpi_prison_slot;

static void
kpi_prison_init(void *unused __unused)
{
	osd_method_t methods[PR_MAXMETHOD] = {
		[PR_METHOD_REMOVE] = kpi_prison_remove,
	};

	kpi_prison_slot = osd_jail_register(NULL, methods);
}
SYSINIT(kpi_prison_init, SI_SUB_PSEUDO, SI_ORDER_ANY, kpi_prison_init, NULL);

static void
kpi_prison_uninit(void *unused __unused)
{

	osd_jail_deregister(kpi_prison_slot);
}
SYSUNINIT(kpi_prison_uninit, SI_SUB_PSEUDO, SI_ORDER_ANY, kpi_prison_uninit,
    NULL);
#endif

struct kpi_ifnet *
kpi_if_alloc(const struct kpi_ifparams *p, int32_t *error)
{
	struct kpi_ifnet *ki;
	uint32_t n;

	if (p->kf_namelen == 0 || p->kf_namelen >= IFNAMSIZ) {
		*error = EINVAL;
		return (NULL);
	}
	ki = malloc(sizeof(*ki), M_ROPEWALK, M_WAITOK | M_ZERO);
	/* The name without its unit. */
	for (n = p->kf_namelen; n > 1 && p->kf_name[n - 1] >= '0' &&
	    p->kf_name[n - 1] <= '9'; n--)
		continue;
	memcpy(ki->ki_dname, p->kf_name, n);
	ki->ki_ifp = if_alloc(IFT_ETHER);
	sx_init(&ki->ki_lock, "ropewalk ioctl");
	/* Keeps the pointer: it must live as long as the interface. */
	if_initname(ki->ki_ifp, ki->ki_dname, (int)p->kf_unit);
	if_setmtu(ki->ki_ifp, (int)p->kf_mtu);
	memcpy(ki->ki_lladdr, p->kf_lladdr, ETHER_ADDR_LEN);
	*error = 0;
	return (ki);
}

int32_t
kpi_if_attach(struct kpi_ifnet *ki, const struct kpi_ifops *ops, void *sc)
{
	static const uint8_t zero[ETHER_ADDR_LEN];
	if_t ifp = ki->ki_ifp;
	const int mtu = (int)if_getmtu(ifp);

	ki->ki_ops = ops;
	ki->ki_sc = sc;
	if_setsoftc(ifp, ki);
	if_setflags(ifp, IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST);
	if_setcapabilities(ifp, IFCAP_VLAN_MTU | IFCAP_JUMBO_MTU | IFCAP_LINKSTATE);
	if_setcapenable(ifp, IFCAP_VLAN_MTU | IFCAP_JUMBO_MTU | IFCAP_LINKSTATE);
	if_setinitfn(ifp, kpi_if_up);
	if_setioctlfn(ifp, kpi_ifioctl);
	if_settransmitfn(ifp, kpi_if_transmit);
	if_setqflushfn(ifp, kpi_if_qflush);
	/* Every Ethernet interface has an address here. */
	if (memcmp(ki->ki_lladdr, zero, sizeof(zero)) == 0)
		ether_gen_addr(ifp, (struct ether_addr *)ki->ki_lladdr);
	sx_xlock(&kpi_ifnet_lock);
	LIST_INSERT_HEAD(&kpi_ifnets, ki, ki_list);
	sx_xunlock(&kpi_ifnet_lock);
	ether_ifattach(ifp, ki->ki_lladdr);
	if_setmtu(ifp, mtu);
#ifdef VIMAGE
	if_setreassignfn(ifp, kpi_if_reassign);
#endif
	return (0);
}

void
kpi_if_detach(struct kpi_ifnet *ki)
{

	/* Under the lock: no ioctl upcall runs, and none will. */
	sx_xlock(&ki->ki_lock);
	ki->ki_dying = true;
	sx_xunlock(&ki->ki_lock);
	sx_xlock(&kpi_ifnet_lock);
	LIST_REMOVE(ki, ki_list);
	sx_xunlock(&kpi_ifnet_lock);

	CURVNET_SET(if_getvnet(ki->ki_ifp));
	ether_ifdetach(ki->ki_ifp);
	CURVNET_RESTORE();
	/* Transmit and input run in the epoch: none is under way after this. */
	NET_EPOCH_WAIT();
}

void
kpi_if_free(struct kpi_ifnet *ki)
{

	if_free(ki->ki_ifp);
	sx_destroy(&ki->ki_lock);
	free(ki, M_ROPEWALK);
}

void
kpi_if_input(struct kpi_ifnet *ki, struct kpi_mbuf *km)
{
	struct epoch_tracker et;
	struct mbuf *m = kpi_m(km);
	if_t ifp = ki->ki_ifp;

	NET_EPOCH_ENTER(et);
	if (ki->ki_dying || m->m_pkthdr.len < ETHER_HDR_LEN) {
		if (!ki->ki_dying)
			if_inc_counter(ifp, IFCOUNTER_IERRORS, 1);
		m_freem(m);
	} else {
		m->m_pkthdr.rcvif = ifp;
		M_SETFIB(m, if_getfib(ifp));
		/* Bytes are counted, and bpf served, by ether_input. */
		if_inc_counter(ifp, IFCOUNTER_IPACKETS, 1);
		if_input(ifp, m);
	}
	NET_EPOCH_EXIT(et);
}

void
kpi_if_tap(struct kpi_ifnet *ki, const struct kpi_mbuf *m)
{

	ETHER_BPF_MTAP(ki->ki_ifp, kpi_ucm(m));
}

void
kpi_if_count(struct kpi_ifnet *ki, uint32_t which, uint64_t n)
{
	static const ift_counter counters[KPI_IFS_COUNT] = {
		[KPI_IFS_IPACKETS] = IFCOUNTER_IPACKETS,
		[KPI_IFS_IERRORS] = IFCOUNTER_IERRORS,
		[KPI_IFS_IBYTES] = IFCOUNTER_IBYTES,
		[KPI_IFS_IQDROPS] = IFCOUNTER_IQDROPS,
		[KPI_IFS_NOPROTO] = IFCOUNTER_NOPROTO,
		[KPI_IFS_OPACKETS] = IFCOUNTER_OPACKETS,
		[KPI_IFS_OERRORS] = IFCOUNTER_OERRORS,
		[KPI_IFS_OBYTES] = IFCOUNTER_OBYTES,
		[KPI_IFS_OQDROPS] = IFCOUNTER_OQDROPS,
	};

	if (which < KPI_IFS_COUNT)
		if_inc_counter(ki->ki_ifp, counters[which], (int64_t)n);
}

void
kpi_if_set_running(struct kpi_ifnet *ki, uint32_t running)
{

	if_setdrvflagbits(ki->ki_ifp, running ? IFF_DRV_RUNNING : 0,
	    running ? 0 : IFF_DRV_RUNNING);
}

void
kpi_if_set_link(struct kpi_ifnet *ki, uint32_t up)
{

	if_link_state_change(ki->ki_ifp, up ? LINK_STATE_UP : LINK_STATE_DOWN);
}

uint32_t
kpi_if_mtu(const struct kpi_ifnet *ki)
{

	return ((uint32_t)if_getmtu(ki->ki_ifp));
}

int32_t
kpi_if_check_nesting(struct kpi_ifnet *ki, struct kpi_mbuf *km, uint32_t limit)
{
	const uint16_t index = (uint16_t)if_getindex(ki->ki_ifp);
	struct mbuf *m = kpi_m(km);
	struct kpi_nesting *kn;
	struct m_tag *t;
	uint16_t i;

	t = m_tag_locate(m, KPI_MTAG_COOKIE, KPI_MTAG_NESTING, NULL);
	if (t == NULL) {
		t = m_tag_alloc(KPI_MTAG_COOKIE, KPI_MTAG_NESTING, sizeof(*kn),
		    M_NOWAIT);
		if (t == NULL)
			return (KPI_ENOBUFS);
		kn = (struct kpi_nesting *)(t + 1);
		kn->kn_count = 0;
		m_tag_prepend(m, t);
	}
	kn = (struct kpi_nesting *)(t + 1);
	for (i = 0; i < kn->kn_count; i++)
		if (kn->kn_index[i] == index)
			return (KPI_ELOOP);
	if (kn->kn_count > limit || kn->kn_count == KPI_NESTING_MAX)
		return (KPI_ELOOP);
	kn->kn_index[kn->kn_count++] = index;
	return (0);
}
