/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interfaces that only log: what is put in is seen by bpf(4), and by nobody else.
 */
#include <sys/param.h>
#include <sys/atomic.h>
#include <sys/ioctl.h>
#include <sys/lwp.h>
#include <sys/sockio.h>

#include <net/bpf.h>
#include <net/if.h>
#include <net/if_types.h>

#include "kpi_impl.h"

#define	KPI_IFLOG_MTU	65535

struct kpi_iflog {
	struct ifnet	 il_if;
};

static int
kpi_iflog_output(struct ifnet *ifp __unused, struct mbuf *m,
    const struct sockaddr *dst __unused, const struct rtentry *rt __unused)
{

	m_freem(m);
	return ENETDOWN;
}

static int
kpi_iflog_ioctl(struct ifnet *ifp, u_long cmd, void *data)
{

	/* Nobody lives here: no address, no group. */
	switch (cmd) {
	case SIOCINITIFADDR:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return EAFNOSUPPORT;
	default:
		return ifioctl_common(ifp, cmd, data);
	}
}

struct kpi_iflog *
kpi_iflog_attach(const char *name, uint32_t namelen, uint32_t dlt, int32_t *error)
{
	struct kpi_iflog *l;
	struct ifnet *ifp, *other;
	struct psref psref;
	int bound;

	if (namelen == 0 || namelen >= IFNAMSIZ) {
		*error = EINVAL;
		return NULL;
	}
	l = kmem_zalloc(sizeof(*l), KM_SLEEP);
	ifp = &l->il_if;
	memcpy(ifp->if_xname, name, namelen);
	bound = curlwp_bind();
	other = if_get(ifp->if_xname, &psref);
	if (other != NULL)
		if_put(other, &psref);
	curlwp_bindx(bound);
	if (other != NULL) {
		kmem_free(l, sizeof(*l));
		*error = EEXIST;
		return NULL;
	}
	ifp->if_softc = l;
	ifp->if_type = IFT_PFLOG;
	ifp->if_mtu = KPI_IFLOG_MTU;
	ifp->if_flags = IFF_UP;
	ifp->if_extflags = IFEF_MPSAFE;
	ifp->if_ioctl = kpi_iflog_ioctl;
	ifp->if_output = kpi_iflog_output;
	IFQ_SET_MAXLEN(&ifp->if_snd, IFQ_MAXLEN);
	IFQ_SET_READY(&ifp->if_snd);
	if_initialize(ifp);
	if_alloc_sadl(ifp);
	bpf_attach(ifp, dlt, 0);
	if_register(ifp);
	IFNET_LOCK(ifp);
	ifp->if_flags |= IFF_RUNNING;
	IFNET_UNLOCK(ifp);
	*error = 0;
	return l;
}

void
kpi_iflog_detach(struct kpi_iflog *l)
{

	bpf_detach(&l->il_if);
	if_detach(&l->il_if);
	kmem_free(l, sizeof(*l));
}

uint32_t
kpi_iflog_active(const struct kpi_iflog *l)
{

	return atomic_load_relaxed(&l->il_if.if_bpf) != NULL;
}

void
kpi_iflog_tap(struct kpi_iflog *l, const uint8_t *hdr, uint32_t hdrlen,
    const struct kpi_mbuf *m)
{
	/* Set while somebody listens; it may become NULL at any time. */
	struct bpf_if *bp = atomic_load_consume(&l->il_if.if_bpf);

	if (bp == NULL)
		return;
	if_statadd2(&l->il_if, if_ipackets, 1, if_ibytes, kpi_mbuf_len(m));
	bpf_mtap2(bp, __UNCONST(hdr), hdrlen, __UNCONST(kpi_cm(m)), BPF_D_IN);
}
