/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The outer side of tunnels: builds IP and UDP headers and sends.
 *
 * Contexts: any thread; the net epoch is entered here.
 * VNET: that of the endpoint, which need not be the caller's (a callout has none).
 * The route is looked up for each packet: there is no lock to take for it.
 */
#include "kpi_impl.h"

#include <net/if.h>
#include <net/if_var.h>
#include <net/vnet.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_var.h>
#include <netinet/udp.h>
#include <netinet6/ip6_var.h>

#include <machine/in_cksum.h>

#include "kpi_encap_impl.h"

struct kpi_path {
	struct kpi_encap *kp_encap;
	uint8_t		 kp_dst[16];
	uint16_t	 kp_dport;	/* host order */
	uint8_t		 kp_ttl;
};

struct kpi_path *
kpi_path_open(struct kpi_encap *e, const uint8_t dst[16], uint16_t dport,
    uint32_t ttl, int32_t *error)
{
	struct kpi_path *p;

	if (ttl == 0 || ttl > 255) {
		*error = EINVAL;
		return (NULL);
	}
	p = malloc(sizeof(*p), M_ROPEWALK, M_WAITOK | M_ZERO);
	p->kp_encap = e;
	memcpy(p->kp_dst, dst, e->ke_v6 ? 16 : 4);
	p->kp_dport = dport;
	p->kp_ttl = (uint8_t)ttl;
	*error = 0;
	return (p);
}

void
kpi_path_close(struct kpi_path *p)
{

	free(p, M_ROPEWALK);
}

/* The headers are written here bytewise: m need not be aligned. */
static struct mbuf *
kpi_path_udp(const struct kpi_path *p, struct mbuf *m)
{
	const struct kpi_encap *e = p->kp_encap;
	struct udphdr uh;
	const int len = m->m_pkthdr.len + (int)sizeof(uh);

	M_PREPEND(m, (int)sizeof(uh), M_NOWAIT);
	if (m == NULL)
		return (NULL);
	uh.uh_sport = htons(e->ke_port);
	uh.uh_dport = htons(p->kp_dport);
	uh.uh_ulen = htons((uint16_t)len);
	/* The outer header's function finishes this with the addresses. */
	uh.uh_sum = 0;
	memcpy(mtod(m, void *), &uh, sizeof(uh));
	return (m);
}

/* Put sum into the UDP header behind hlen bytes that were just prepended. */
static void
kpi_path_set_sum(struct mbuf *m, size_t hlen, uint16_t sum, int flag)
{

	m_copyback(m, (int)(hlen + offsetof(struct udphdr, uh_sum)), sizeof(sum),
	    (c_caddr_t)&sum);
	m->m_pkthdr.csum_flags = flag;
	m->m_pkthdr.csum_data = offsetof(struct udphdr, uh_sum);
}

static int
kpi_path_output4(const struct kpi_path *p, struct mbuf *m)
{
	const int len = m->m_pkthdr.len + (int)sizeof(struct ip);
	struct ip ip;
	uint16_t sum;

	if (len > IP_MAXPACKET) {
		m_freem(m);
		return (EMSGSIZE);
	}
	M_PREPEND(m, (int)sizeof(ip), M_NOWAIT);
	if (m == NULL)
		return (ENOBUFS);
	/* Version, header length and id are ip_output's. */
	memset(&ip, 0, sizeof(ip));
	ip.ip_len = htons((uint16_t)len);
	ip.ip_ttl = p->kp_ttl;
	ip.ip_p = (uint8_t)p->kp_encap->ke_proto;
	memcpy(&ip.ip_src, p->kp_encap->ke_addr, 4);
	memcpy(&ip.ip_dst, p->kp_dst, 4);
	if (p->kp_encap->ke_proto == IPPROTO_UDP) {
		/* ip_output lets the interface finish the sum, or does it. */
		sum = in_pseudo(ip.ip_src.s_addr, ip.ip_dst.s_addr,
		    htons((uint16_t)(len - (int)sizeof(ip)) + IPPROTO_UDP));
		kpi_path_set_sum(m, sizeof(ip), sum, CSUM_UDP);
	}
	memcpy(mtod(m, void *), &ip, sizeof(ip));
	return (ip_output(m, NULL, NULL, 0, NULL, NULL));
}

static int
kpi_path_output6(const struct kpi_path *p, struct mbuf *m)
{
	const int len = m->m_pkthdr.len;
	struct ip6_hdr ip6;
	uint16_t sum;

	if (len > IPV6_MAXPACKET) {
		m_freem(m);
		return (EMSGSIZE);
	}
	M_PREPEND(m, (int)sizeof(ip6), M_NOWAIT);
	if (m == NULL)
		return (ENOBUFS);
	memset(&ip6, 0, sizeof(ip6));
	ip6.ip6_vfc = IPV6_VERSION;
	ip6.ip6_plen = htons((uint16_t)len);
	ip6.ip6_nxt = (uint8_t)p->kp_encap->ke_proto;
	ip6.ip6_hlim = p->kp_ttl;
	memcpy(&ip6.ip6_src, p->kp_encap->ke_addr, 16);
	memcpy(&ip6.ip6_dst, p->kp_dst, 16);
	memcpy(mtod(m, void *), &ip6, sizeof(ip6));
	if (p->kp_encap->ke_proto == IPPROTO_UDP) {
		sum = in6_cksum_pseudo(&ip6, (uint32_t)len, IPPROTO_UDP, 0);
		kpi_path_set_sum(m, sizeof(ip6), sum, CSUM_UDP_IPV6);
	}
	return (ip6_output(m, NULL, NULL, 0, NULL, NULL, NULL));
}

int32_t
kpi_path_output(struct kpi_path *p, struct kpi_mbuf *km)
{
	struct epoch_tracker et;
	struct mbuf *m = kpi_m(km);
	int error;

	m->m_pkthdr.csum_flags = 0;
	m->m_flags &= ~(M_BCAST | M_MCAST);
	if (p->kp_encap->ke_proto == IPPROTO_UDP) {
		m = kpi_path_udp(p, m);
		if (m == NULL)
			return (KPI_ENOBUFS);
	}
	CURVNET_SET(p->kp_encap->ke_vnet);
	NET_EPOCH_ENTER(et);
	error = p->kp_encap->ke_v6 ? kpi_path_output6(p, m) :
	    kpi_path_output4(p, m);
	NET_EPOCH_EXIT(et);
	CURVNET_RESTORE();
	return (error);
}
