/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The outer side of tunnels: builds IP and UDP headers and sends.
 *
 * Locking: a route cache per CPU with a lock.  A packet that comes back to the
 * same path on the same CPU finds the lock taken, and goes without a cache: to
 * wait for oneself would be the end.
 */
#include <sys/param.h>
#include <sys/cpu.h>
#include <sys/lwp.h>
#include <sys/percpu.h>

#include <net/if.h>
#include <net/route.h>

#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/in_pcb.h>
#include <netinet/ip_var.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netinet6/ip6_var.h>

#include "kpi_impl.h"
#include "kpi_encap_impl.h"

struct kpi_path_cpu {
	struct route	 pc_route;
	kmutex_t	 pc_lock;
};

struct kpi_path {
	struct kpi_encap *kp_encap;
	percpu_t	*kp_percpu;	/* of struct kpi_path_cpu * */
	uint8_t		 kp_dst[16];
	uint16_t	 kp_dport;	/* host order */
	uint8_t		 kp_ttl;
};

static void
kpi_path_cpu_init(void *p, void *arg __unused, struct cpu_info *ci __unused)
{
	struct kpi_path_cpu **pcp = p;

	*pcp = kmem_zalloc(sizeof(**pcp), KM_SLEEP);
	mutex_init(&(*pcp)->pc_lock, MUTEX_DEFAULT, IPL_SOFTNET);
}

static void
kpi_path_cpu_fini(void *p, void *arg __unused, struct cpu_info *ci __unused)
{
	struct kpi_path_cpu **pcp = p;

	rtcache_free(&(*pcp)->pc_route);
	mutex_destroy(&(*pcp)->pc_lock);
	kmem_free(*pcp, sizeof(**pcp));
}

struct kpi_path *
kpi_path_open(struct kpi_encap *e, const uint8_t dst[16], uint16_t dport,
    uint32_t ttl, int32_t *error)
{
	struct kpi_path *p;

	if (ttl == 0 || ttl > 255) {
		*error = EINVAL;
		return NULL;
	}
	p = kmem_zalloc(sizeof(*p), KM_SLEEP);
	p->kp_encap = e;
	memcpy(p->kp_dst, dst, e->ke_v6 ? 16 : 4);
	p->kp_dport = dport;
	p->kp_ttl = (uint8_t)ttl;
	p->kp_percpu = percpu_create(sizeof(struct kpi_path_cpu *),
	    kpi_path_cpu_init, kpi_path_cpu_fini, NULL);
	*error = 0;
	return p;
}

void
kpi_path_close(struct kpi_path *p)
{

	percpu_free(p->kp_percpu, sizeof(struct kpi_path_cpu *));
	kmem_free(p, sizeof(*p));
}

/* The headers are written here bytewise: m need not be aligned. */
static struct mbuf *
kpi_path_udp(const struct kpi_path *p, struct mbuf *m)
{
	const struct kpi_encap *e = p->kp_encap;
	struct udphdr uh;
	const int len = m->m_pkthdr.len + (int)sizeof(uh);

	M_PREPEND(m, (int)sizeof(uh), M_DONTWAIT);
	if (m == NULL)
		return NULL;
	uh.uh_sport = htons(e->ke_port);
	uh.uh_dport = htons(p->kp_dport);
	uh.uh_ulen = htons((uint16_t)len);
	uh.uh_sum = 0;
	if (!e->ke_v6) {
		/* ip_output lets the interface finish the sum, or does it. */
		struct in_addr src, dst;

		memcpy(&src, e->ke_addr, sizeof(src));
		memcpy(&dst, p->kp_dst, sizeof(dst));
		uh.uh_sum = in_cksum_phdr(src.s_addr, dst.s_addr,
		    htons((uint16_t)(len + IPPROTO_UDP)));
		m->m_pkthdr.csum_flags = M_CSUM_UDPv4;
		m->m_pkthdr.csum_data = offsetof(struct udphdr, uh_sum);
	}
	memcpy(mtod(m, void *), &uh, sizeof(uh));
	return m;
}

static int
kpi_path_output4(const struct kpi_path *p, struct mbuf *m, struct route *ro)
{
	const int len = m->m_pkthdr.len + (int)sizeof(struct ip);
	struct ip ip;

	if (len > IP_MAXPACKET) {
		m_freem(m);
		return EMSGSIZE;
	}
	M_PREPEND(m, (int)sizeof(ip), M_DONTWAIT);
	if (m == NULL)
		return ENOBUFS;
	/* Version, header length and id are ip_output's. */
	memset(&ip, 0, sizeof(ip));
	ip.ip_len = htons((uint16_t)len);
	ip.ip_ttl = p->kp_ttl;
	ip.ip_p = (uint8_t)p->kp_encap->ke_proto;
	memcpy(&ip.ip_src, p->kp_encap->ke_addr, 4);
	memcpy(&ip.ip_dst, p->kp_dst, 4);
	memcpy(mtod(m, void *), &ip, sizeof(ip));
	return ip_output(m, NULL, ro, 0, NULL, NULL);
}

static int
kpi_path_output6(const struct kpi_path *p, struct mbuf *m, struct route *ro)
{
	const int len = m->m_pkthdr.len;
	struct ip6_hdr ip6;
	uint16_t sum;

	if (len > IPV6_MAXPACKET) {
		m_freem(m);
		return EMSGSIZE;
	}
	M_PREPEND(m, (int)sizeof(ip6), M_DONTWAIT);
	if (m == NULL)
		return ENOBUFS;
	memset(&ip6, 0, sizeof(ip6));
	ip6.ip6_vfc = IPV6_VERSION;
	ip6.ip6_plen = htons((uint16_t)len);
	ip6.ip6_nxt = (uint8_t)p->kp_encap->ke_proto;
	ip6.ip6_hlim = p->kp_ttl;
	memcpy(&ip6.ip6_src, p->kp_encap->ke_addr, 16);
	memcpy(&ip6.ip6_dst, p->kp_dst, 16);
	memcpy(mtod(m, void *), &ip6, sizeof(ip6));
	if (p->kp_encap->ke_proto == IPPROTO_UDP) {
		/* IPv6 demands the sum, and 0 means that there is none. */
		sum = (uint16_t)in6_cksum(m, IPPROTO_UDP, sizeof(ip6),
		    (uint32_t)len);
		if (sum == 0)
			sum = 0xffff;
		m = m_copyback_cow(m, (int)(sizeof(ip6) +
		    offsetof(struct udphdr, uh_sum)), sizeof(sum), &sum,
		    M_DONTWAIT);
		if (m == NULL)
			return ENOBUFS;
	}
	return ip6_output(m, NULL, ro, 0, NULL, NULL, NULL);
}

int32_t
kpi_path_output(struct kpi_path *p, struct kpi_mbuf *km)
{
	struct kpi_path_cpu *pc;
	struct mbuf *m = kpi_m(km);
	struct route *ro = NULL;
	int error, bound;

	m->m_pkthdr.csum_flags = 0;
	m->m_flags &= ~(M_BCAST | M_MCAST);
	if (p->kp_encap->ke_proto == IPPROTO_UDP) {
		m = kpi_path_udp(p, m);
		if (m == NULL)
			return ENOBUFS;
	}
	KPI_NET_LOCK();
	bound = curlwp_bind();
	pc = *(struct kpi_path_cpu **)percpu_getref(p->kp_percpu);
	percpu_putref(p->kp_percpu);
	if (!mutex_owned(&pc->pc_lock) && mutex_tryenter(&pc->pc_lock))
		ro = &pc->pc_route;
	error = p->kp_encap->ke_v6 ? kpi_path_output6(p, m, ro) :
	    kpi_path_output4(p, m, ro);
	if (ro != NULL)
		mutex_exit(&pc->pc_lock);
	curlwp_bindx(bound);
	KPI_NET_UNLOCK();
	return error;
}
