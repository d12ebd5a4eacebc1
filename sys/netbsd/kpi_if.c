/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Network interfaces: ethercom, if_percpuq, bpf.
 *
 * Contexts: a frame to send arrives at kpi_if_transmit in softint or thread
 * context, with or without the kernel lock as IFEF_MPSAFE says.
 * Locking: a passive reference of our own spans each ifo_transmit, and a read
 * section each kpi_if_input, so that kpi_if_detach can wait for both.
 */
#include <sys/param.h>
#include <sys/ioctl.h>

#include <net/bpf.h>
#include <net/if_types.h>

#include "kpi_impl.h"
#include "kpi_ifnet.h"

/* Our mark on packets: which of our interfaces they have passed. */
#define	KPI_NESTING_MAX	8

struct kpi_nesting {
	uint16_t	 kn_count;
	uint16_t	 kn_index[KPI_NESTING_MAX];
};

struct kpi_ifnet_head kpi_ifnets;
kmutex_t kpi_ifnet_lock;

void
kpi_if_init(void)
{

	LIST_INIT(&kpi_ifnets);
	mutex_init(&kpi_ifnet_lock, MUTEX_DEFAULT, IPL_NONE);
}

int
kpi_if_fini(void)
{

	if (!LIST_EMPTY(&kpi_ifnets))
		return EBUSY;
	mutex_destroy(&kpi_ifnet_lock);
	return 0;
}

static int
kpi_if_transmit(struct ifnet *ifp, struct mbuf *m)
{
	struct kpi_ifnet *ki = kpi_ki(ifp);
	struct kpi_epoch e;
	struct kpi_psref r;
	int error;

	kpi_epoch_enter(&e);
	if (ki->ki_dying) {
		kpi_epoch_exit(&e);
		m_freem(m);
		return ENXIO;
	}
	kpi_psref_acquire(&r, &ki->ki_target);
	kpi_epoch_exit(&e);

	/* We offer no tag insertion, but a bridge member may hand one on. */
	if (vlan_has_tag(m)) {
		error = ether_inject_vlantag(&m, ETHERTYPE_VLAN, vlan_get_tag(m));
		if (error != 0 || m == NULL) {
			m_freem(m);
			if_statinc(ifp, if_oerrors);
			error = ENOBUFS;
			goto out;
		}
	}
	error = (*ki->ki_ops->ifo_transmit)(ki->ki_sc, (struct kpi_mbuf *)m);
out:
	kpi_psref_release(&r, &ki->ki_target);
	return error;
}

/* Only ALTQ queues on if_snd; everything else calls if_transmit. */
static void
kpi_if_start(struct ifnet *ifp)
{
	struct mbuf *m;

	for (;;) {
		IFQ_DEQUEUE(&ifp->if_snd, m);
		if (m == NULL)
			break;
		(void)kpi_if_transmit(ifp, m);
	}
}

static int
kpi_if_up(struct ifnet *ifp)
{

	return kpi_if_sync_up(kpi_ki(ifp));
}

static void
kpi_if_down(struct ifnet *ifp, int disable __unused)
{

	(void)kpi_if_sync_up(kpi_ki(ifp));
}

struct kpi_ifnet *
kpi_if_alloc(const struct kpi_ifparams *p, int32_t *error)
{
	static const uint8_t zero[ETHER_ADDR_LEN];
	struct kpi_ifnet *ki;
	struct ifnet *ifp;

	if (p->kf_namelen == 0 || p->kf_namelen >= IFNAMSIZ) {
		*error = EINVAL;
		return NULL;
	}
	ki = kmem_zalloc(sizeof(*ki), KM_SLEEP);
	ifp = kpi_ifp(ki);
	memcpy(ifp->if_xname, p->kf_name, p->kf_namelen);
	ifp->if_mtu = p->kf_mtu;
	memcpy(ki->ki_lladdr, p->kf_lladdr, ETHER_ADDR_LEN);
	ki->ki_haslladdr = memcmp(p->kf_lladdr, zero, ETHER_ADDR_LEN) != 0;
	*error = 0;
	return ki;
}

int32_t
kpi_if_attach(struct kpi_ifnet *ki, const struct kpi_ifops *ops, void *sc)
{
	struct ifnet *ifp = kpi_ifp(ki);
	const uint64_t mtu = ifp->if_mtu;

	ki->ki_ops = ops;
	ki->ki_sc = sc;
	kpi_psref_target_init(&ki->ki_target);

	ki->ki_ec.ec_capabilities = ETHERCAP_VLAN_MTU | ETHERCAP_JUMBO_MTU;
	ifp->if_softc = ki;
	ifp->if_flags = IFF_MULTICAST | IFF_SIMPLEX |
	    (ki->ki_haslladdr ? IFF_BROADCAST : IFF_POINTOPOINT);
	ifp->if_extflags = KPI_MPSAFE ? IFEF_MPSAFE : 0;
	ifp->if_ioctl = kpi_ifioctl;
	ifp->if_transmit = kpi_if_transmit;
	ifp->if_start = kpi_if_start;
	ifp->if_init = kpi_if_up;
	ifp->if_stop = kpi_if_down;
	IFQ_SET_MAXLEN(&ifp->if_snd, IFQ_MAXLEN);
	IFQ_SET_READY(&ifp->if_snd);

	if_initialize(ifp);
	/* Input through a softint: it ends the nesting of stacks and locks. */
	ifp->if_percpuq = if_percpuq_create(ifp);
	ether_ifattach(ifp, ki->ki_haslladdr ? ki->ki_lladdr : NULL);
	if (!ki->ki_haslladdr) {
		/* As l2tp(4): for bridge(4), which asks no address of it. */
		ifp->if_type = IFT_L2TP;
		ifp->if_addrlen = 0;
		if_alloc_sadl(ifp);
	}
	ifp->if_mtu = mtu;
	mutex_enter(&kpi_ifnet_lock);
	LIST_INSERT_HEAD(&kpi_ifnets, ki, ki_list);
	mutex_exit(&kpi_ifnet_lock);
	if_register(ifp);
	return 0;
}

void
kpi_if_detach(struct kpi_ifnet *ki)
{
	struct ifnet *ifp = kpi_ifp(ki);

	/* Under the lock: no ioctl upcall runs, and none will. */
	IFNET_LOCK(ifp);
	ki->ki_dying = true;
	IFNET_UNLOCK(ifp);

	/* No transmit and no input begins; wait for those under way. */
	kpi_epoch_wait();
	kpi_psref_target_destroy(&ki->ki_target);

	mutex_enter(&kpi_ifnet_lock);
	LIST_REMOVE(ki, ki_list);
	mutex_exit(&kpi_ifnet_lock);
	ether_ifdetach(ifp);
	if_detach(ifp);
}

void
kpi_if_free(struct kpi_ifnet *ki)
{

	kmem_free(ki, sizeof(*ki));
}

void
kpi_if_input(struct kpi_ifnet *ki, struct kpi_mbuf *km)
{
	struct ifnet *ifp = kpi_ifp(ki);
	struct mbuf *m = kpi_m(km);
	struct kpi_epoch e;

	if (m->m_pkthdr.len < (int)sizeof(struct ether_header)) {
		if_statinc(ifp, if_ierrors);
		m_freem(m);
		return;
	}
	kpi_epoch_enter(&e);
	if (ki->ki_dying) {
		kpi_epoch_exit(&e);
		m_freem(m);
		return;
	}
	m_set_rcvif(m, ifp);
	/* Counts the packet, and shows it to bpf, in its softint. */
	if_percpuq_enqueue(ifp->if_percpuq, m);
	kpi_epoch_exit(&e);
}

void
kpi_if_tap(struct kpi_ifnet *ki, const struct kpi_mbuf *m)
{

	bpf_mtap(kpi_ifp(ki), __UNCONST(kpi_cm(m)), BPF_D_OUT);
}

void
kpi_if_count(struct kpi_ifnet *ki, uint32_t which, uint64_t n)
{
	static const if_stat_t stats[KPI_IFS_COUNT] = {
		[KPI_IFS_IPACKETS] = if_ipackets,
		[KPI_IFS_IERRORS] = if_ierrors,
		[KPI_IFS_IBYTES] = if_ibytes,
		[KPI_IFS_IQDROPS] = if_iqdrops,
		[KPI_IFS_NOPROTO] = if_noproto,
		[KPI_IFS_OPACKETS] = if_opackets,
		[KPI_IFS_OERRORS] = if_oerrors,
		[KPI_IFS_OBYTES] = if_obytes,
		[KPI_IFS_OQDROPS] = if_oerrors,	/* NetBSD has no count of its own */
	};

	if (which < KPI_IFS_COUNT)
		if_statadd(kpi_ifp(ki), stats[which], n);
}

void
kpi_if_set_running(struct kpi_ifnet *ki, uint32_t running)
{
	struct ifnet *ifp = kpi_ifp(ki);
	bool held;

	/* In an ioctl upcall it is ours already. */
	held = IFNET_LOCKED(ifp);
	if (!held)
		IFNET_LOCK(ifp);
	if (running)
		ifp->if_flags |= IFF_RUNNING;
	else
		ifp->if_flags &= ~IFF_RUNNING;
	if (!held)
		IFNET_UNLOCK(ifp);
}

void
kpi_if_set_link(struct kpi_ifnet *ki, uint32_t up)
{

	if_link_state_change(kpi_ifp(ki), up ? LINK_STATE_UP : LINK_STATE_DOWN);
}

uint32_t
kpi_if_mtu(const struct kpi_ifnet *ki)
{

	return (uint32_t)ki->ki_ec.ec_if.if_mtu;
}

int32_t
kpi_if_check_nesting(struct kpi_ifnet *ki, struct kpi_mbuf *km, uint32_t limit)
{
	const uint16_t index = (uint16_t)kpi_ifp(ki)->if_index;
	struct mbuf *m = kpi_m(km);
	struct kpi_nesting *kn;
	struct m_tag *t;
	uint16_t i;

	/* if_tunnel_check_nesting(9) counts, but does not know who it passed. */
	t = m_tag_find(m, KPI_TAG_NESTING);
	if (t == NULL) {
		t = m_tag_get(KPI_TAG_NESTING, sizeof(*kn), M_NOWAIT);
		if (t == NULL)
			return KPI_ENOBUFS;
		kn = (struct kpi_nesting *)(t + 1);
		kn->kn_count = 0;
		m_tag_prepend(m, t);
	}
	kn = (struct kpi_nesting *)(t + 1);
	for (i = 0; i < kn->kn_count; i++)
		if (kn->kn_index[i] == index)
			return KPI_ELOOP;
	if (kn->kn_count > limit || kn->kn_count == KPI_NESTING_MAX)
		return KPI_ELOOP;
	kn->kn_index[kn->kn_count++] = index;
	return 0;
}
