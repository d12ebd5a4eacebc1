/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The part of rumpbench-iipf and rumpbench-npf that lives inside the rump kernel: an interface with
 * an address, and packets that go through the pfil(9) hooks of IPv4 as ip_input and ip_output would
 * call them. Nothing here knows which filter has hooked itself in.
 *
 * Compiled as a part of the kernel; see kern.c.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kmem.h>
#include <sys/mbuf.h>
#include <sys/proc.h>
#include <sys/socketvar.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <net/if_types.h>
#include <net/bpf.h>
#include <net/pfil.h>
#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

#include <rump-sys/kern.h>
#include <rump-sys/net.h>

#include "filter.h"

#define	PAYLOAD		26		/* UDP: a frame of 64 bytes with all around it */

extern pfil_head_t *inet_pfil_hook;
extern int ip_dad_count;

static struct ifnet *wan;

static int
wan_output(struct ifnet *ifp, struct mbuf *m, const struct sockaddr *dst, const struct rtentry *rt)
{

	m_freem(m);
	return 0;
}

static int
wan_ioctl(struct ifnet *ifp, u_long cmd, void *data)
{

	switch (cmd) {
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return 0;
	case SIOCINITIFADDR:
		ifp->if_flags |= IFF_UP | IFF_RUNNING;
		return 0;
	default:
		return ifioctl_common(ifp, cmd, data);
	}
}

RUMP_COMPONENT(RUMP_COMPONENT_NET_IF)
{

	wan = if_alloc(IFT_OTHER);
	if_initname(wan, "wan", 0);
	wan->if_mtu = 1500;
	wan->if_flags = IFF_POINTOPOINT | IFF_MULTICAST;
	wan->if_extflags = IFEF_MPSAFE;
	wan->if_type = IFT_OTHER;
	wan->if_dlt = DLT_NULL;
	wan->if_ioctl = wan_ioctl;
	wan->if_output = wan_output;
	IFQ_SET_READY(&wan->if_snd);
	if_initialize(wan);
	if_alloc_sadl(wan);
	if_register(wan);
}

static void
sin_of(void *to, uint32_t a)
{
	struct sockaddr_in *sin = to;

	memset(sin, 0, sizeof(*sin));
	sin->sin_len = sizeof(*sin);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(a);
}

int
rump_filter_setup(void)
{
	struct ifaliasreq ia;
	struct socket *so;
	int error;

	rump_schedule();
	ip_dad_count = 0;
	memset(&ia, 0, sizeof(ia));
	strlcpy(ia.ifra_name, FILTER_IF, sizeof(ia.ifra_name));
	sin_of(&ia.ifra_addr, FILTER_WAN);
	sin_of(&ia.ifra_dstaddr, FILTER_WAN + 1);
	sin_of(&ia.ifra_mask, 0xffffffff);
	error = socreate(AF_INET, &so, SOCK_DGRAM, 0, curlwp, NULL);
	if (error == 0) {
		error = ifioctl(so, SIOCAIFADDR, &ia, curlwp);
		soclose(so);
	}
	rump_unschedule();
	return error;
}

static uint32_t
sum_add(uint32_t sum, const void *data, int len)
{
	const uint8_t *p = data;
	int i;

	for (i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | (i + 1 < len ? p[i + 1] : 0));
	return sum;
}

static uint16_t
sum_end(uint32_t sum)
{

	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	return htons((uint16_t)~sum);
}

/* All sums are right: a filter may look. */
static struct mbuf *
packet(const struct filter_packet *p, int in)
{
	const int hlen = p->proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	const int l4len = hlen + PAYLOAD - (hlen - (int)sizeof(struct udphdr));
	struct mbuf *m = m_gethdr(M_DONTWAIT, MT_DATA);
	struct udphdr *uh;
	struct tcphdr *th;
	struct ip *ip;
	uint32_t sum;

	if (m == NULL)
		return NULL;
	m->m_data += 32;
	m->m_len = m->m_pkthdr.len = (int)sizeof(*ip) + l4len;
	ip = mtod(m, struct ip *);
	memset(ip, 0, m->m_len);
	ip->ip_v = 4;
	ip->ip_hl = 5;
	ip->ip_len = htons((uint16_t)m->m_len);
	ip->ip_ttl = 64;
	ip->ip_p = p->proto;
	ip->ip_src.s_addr = htonl(p->src);
	ip->ip_dst.s_addr = htonl(p->dst);
	ip->ip_sum = sum_end(sum_add(0, ip, sizeof(*ip)));
	uh = (struct udphdr *)(ip + 1);
	uh->uh_sport = htons(p->sport);
	uh->uh_dport = htons(p->dport);
	sum = sum_add((uint32_t)p->proto + (uint32_t)l4len, &ip->ip_src, 8);
	if (p->proto == IPPROTO_TCP) {
		th = (struct tcphdr *)(ip + 1);
		th->th_off = 5;
		th->th_flags = TH_ACK;
		th->th_win = htons(1024);
		th->th_sum = sum_end(sum_add(sum, th, l4len));
	} else {
		uh->uh_ulen = htons((uint16_t)l4len);
		uh->uh_sum = sum_end(sum_add(sum, uh, l4len));
	}
	if (in)
		m_set_rcvif(m, wan);
	return m;
}

static void
read_back(struct mbuf *m, struct filter_packet *p)
{
	const struct ip *ip = mtod(m, const struct ip *);
	const struct udphdr *uh = (const struct udphdr *)(ip + 1);

	p->src = ntohl(ip->ip_src.s_addr);
	p->dst = ntohl(ip->ip_dst.s_addr);
	p->sport = ntohs(uh->uh_sport);
	p->dport = ntohs(uh->uh_dport);
}

int
rump_filter_run(struct filter_packet *p, int n, int in, unsigned long (*now)(void),
    unsigned long *took)
{
	struct mbuf *m[FILTER_BATCH];
	const int dir = in ? PFIL_IN : PFIL_OUT;
	int bound, i, passed = 0, s;
	unsigned long start;

	rump_schedule();
	bound = curlwp_bind();
	for (i = 0; i < n; i++)
		m[i] = packet(&p[i], in);
	s = splsoftnet();
	start = now();
	for (i = 0; i < n; i++) {
		if (m[i] != NULL && pfil_run_hooks(inet_pfil_hook, &m[i], wan, dir) != 0)
			m[i] = NULL;
	}
	*took += now() - start;
	splx(s);
	for (i = 0; i < n; i++) {
		if (m[i] == NULL)
			continue;
		passed++;
		read_back(m[i], &p[i]);
		m_freem(m[i]);
	}
	curlwp_bindx(bound);
	rump_unschedule();
	return passed;
}

/* Gives other threads of the kernel some ticks. */
void
rump_filter_rest(void)
{

	rump_schedule();
	(void)kpause("bench", false, 5, NULL);
	rump_unschedule();
}
