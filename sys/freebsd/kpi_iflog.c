/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interfaces that only log: what is put in is seen by bpf(4), and by nobody else.
 * VNET: they are vnet0's.
 */
#include "kpi_impl.h"

#include <sys/sockio.h>

#include <net/if.h>
#include <net/if_types.h>
#include <net/if_var.h>
#include <net/bpf.h>
#include <net/route.h>
#include <net/vnet.h>

#define	KPI_IFLOG_MTU	65535

struct kpi_iflog {
	if_t		 il_ifp;
	char		 il_dname[IFNAMSIZ];	/* if_t points to it */
};

static int
kpi_iflog_output(if_t ifp __unused, struct mbuf *m,
    const struct sockaddr *dst __unused, struct route *ro __unused)
{

	m_freem(m);
	return (ENETDOWN);
}

static int
kpi_iflog_transmit(if_t ifp __unused, struct mbuf *m)
{

	m_freem(m);
	return (ENETDOWN);
}

static void
kpi_iflog_qflush(if_t ifp __unused)
{
	/* Nothing is queued here. */
}

static int
kpi_iflog_ioctl(if_t ifp __unused, u_long cmd, caddr_t data __unused)
{

	switch (cmd) {
	case SIOCSIFFLAGS:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return (0);
	default:
		/* Nobody lives here: no address. */
		return (EOPNOTSUPP);
	}
}

struct kpi_iflog *
kpi_iflog_attach(const char *name, uint32_t namelen, uint32_t dlt, int32_t *error)
{
	char copy[IFNAMSIZ] = "";
	struct kpi_iflog *l;
	uint32_t n;
	if_t other;
	int unit = 0;

	for (n = namelen; n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9'; n--)
		continue;
	if (n == 0 || namelen >= IFNAMSIZ || namelen - n > 4) {
		*error = EINVAL;
		return (NULL);
	}
	memcpy(copy, name, namelen);
	CURVNET_SET(vnet0);
	other = ifunit_ref(copy);
	if (other != NULL) {
		if_rele(other);
		*error = EEXIST;
		CURVNET_RESTORE();
		return (NULL);
	}
	l = malloc(sizeof(*l), M_ROPEWALK, M_WAITOK | M_ZERO);
	memcpy(l->il_dname, name, n);
	for (; n < namelen; n++)
		unit = unit * 10 + (name[n] - '0');
	l->il_ifp = if_alloc(IFT_PFLOG);
	if_initname(l->il_ifp, l->il_dname, unit);
	if_setmtu(l->il_ifp, KPI_IFLOG_MTU);
	if_setflags(l->il_ifp, IFF_UP);
	if_setdrvflagbits(l->il_ifp, IFF_DRV_RUNNING, 0);
	if_setioctlfn(l->il_ifp, kpi_iflog_ioctl);
	if_setoutputfn(l->il_ifp, kpi_iflog_output);
	if_settransmitfn(l->il_ifp, kpi_iflog_transmit);
	if_setqflushfn(l->il_ifp, kpi_iflog_qflush);
	if_attach(l->il_ifp);
	bpfattach(l->il_ifp, dlt, 0);
	CURVNET_RESTORE();
	*error = 0;
	return (l);
}

void
kpi_iflog_detach(struct kpi_iflog *l)
{

	CURVNET_SET(vnet0);
	bpfdetach(l->il_ifp);
	if_detach(l->il_ifp);
	if_free(l->il_ifp);
	CURVNET_RESTORE();
	free(l, M_ROPEWALK);
}

uint32_t
kpi_iflog_active(const struct kpi_iflog *l)
{

	return (bpf_peers_present_if(l->il_ifp));
}

void
kpi_iflog_tap(struct kpi_iflog *l, const uint8_t *hdr, uint32_t hdrlen,
    const struct kpi_mbuf *m)
{

	if (!bpf_peers_present_if(l->il_ifp))
		return;
	if_inc_counter(l->il_ifp, IFCOUNTER_IPACKETS, 1);
	if_inc_counter(l->il_ifp, IFCOUNTER_IBYTES, kpi_mbuf_len(m));
	bpf_mtap2_if(l->il_ifp, __DECONST(void *, hdr), hdrlen, kpi_ucm(m));
}
