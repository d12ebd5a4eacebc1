/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The part of rumpbench that lives inside the rump kernel: an Ethernet interface that answers ARP
 * and swallows what it is given, pseudowires over it by the ioctls of ifconfig(8), and packets put
 * in at either end. Nothing in it knows which if_l2tp it drives.
 *
 * Compiled as a part of the kernel. What the program calls is named rump_*, as the linker script
 * of a component wants it.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/atomic.h>
#include <sys/kmem.h>
#include <sys/mbuf.h>
#include <sys/proc.h>
#include <sys/socket.h>
#include <sys/socketvar.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <net/if_arp.h>
#include <net/if_ether.h>
#include <net/if_l2tp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>

#include <rump-sys/kern.h>
#include <rump-sys/net.h>

#include "bench.h"

static struct wan {
	struct ethercom	 ec;
	volatile uint64_t out;		/* packets swallowed */
} *wan;
static struct socket *so;
static struct ifnet **wires;		/* the pseudowires */
static volatile uint64_t in;		/* frames that came out of them */
static const uint8_t wan_mac[ETHER_ADDR_LEN] = { 2, 0, 0, 0, 0xbb, 1 };
static const uint8_t gw_mac[ETHER_ADDR_LEN] = { 2, 0, 0, 0, 0xee, 1 };

#define	WAN_ADDR	0x0a010001	/* 10.1.0.1 */
#define	WAN_GW		0x0a010002
#define	PEER(i)		(0x0a020000 + (i))

extern int ip_dad_count, ip6_auto_linklocal;

/* Answers who-has for anything but us: the way out leads to one neighbour. */
static void
wan_arp(struct ifnet *ifp, struct mbuf *m)
{
	struct ether_header *eh;
	struct arphdr *ah;
	struct mbuf *r;
	uint8_t target[4];

	r = m_gethdr(M_DONTWAIT, MT_DATA);
	if (r == NULL || m->m_pkthdr.len < 42 || m->m_pkthdr.len > MHLEN)
		return;
	m_copydata(m, 0, 42, mtod(r, void *));
	r->m_len = r->m_pkthdr.len = 60;
	eh = mtod(r, struct ether_header *);
	ah = (struct arphdr *)(eh + 1);
	memcpy(target, ar_tpa(ah), 4);
	if (ntohs(ah->ar_op) != ARPOP_REQUEST || be32dec(target) == WAN_ADDR) {
		m_freem(r);
		return;
	}
	memcpy(eh->ether_dhost, eh->ether_shost, ETHER_ADDR_LEN);
	memcpy(eh->ether_shost, gw_mac, ETHER_ADDR_LEN);
	ah->ar_op = htons(ARPOP_REPLY);
	memcpy(ar_tha(ah), ar_sha(ah), ETHER_ADDR_LEN);
	memcpy(ar_tpa(ah), ar_spa(ah), 4);
	memcpy(ar_sha(ah), gw_mac, ETHER_ADDR_LEN);
	memcpy(ar_spa(ah), target, 4);
	m_set_rcvif(r, ifp);
	if_percpuq_enqueue(ifp->if_percpuq, r);
}

static int
wan_transmit(struct ifnet *ifp, struct mbuf *m)
{

	if (mtod(m, struct ether_header *)->ether_type == htons(ETHERTYPE_ARP))
		wan_arp(ifp, m);
	else
		atomic_inc_64(&wan->out);
	m_freem(m);
	return 0;
}

static void
wan_start(struct ifnet *ifp)
{
	struct mbuf *m;

	for (;;) {
		IFQ_DEQUEUE(&ifp->if_snd, m);
		if (m == NULL)
			break;
		(void)wan_transmit(ifp, m);
	}
}

static int
wan_init(struct ifnet *ifp)
{

	ifp->if_flags |= IFF_RUNNING;
	return 0;
}

static int
wan_ioctl(struct ifnet *ifp, u_long cmd, void *data)
{
	int error;

	if (cmd == SIOCADDMULTI || cmd == SIOCDELMULTI)
		return 0;
	error = ether_ioctl(ifp, cmd, data);
	return error == ENETRESET ? 0 : error;
}

RUMP_COMPONENT(RUMP_COMPONENT_NET_IF)
{
	struct ifnet *ifp;

	wan = kmem_zalloc(sizeof(*wan), KM_SLEEP);
	ifp = &wan->ec.ec_if;
	if_initname(ifp, "wan", 0);
	ifp->if_softc = wan;
	ifp->if_flags = IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST;
	ifp->if_extflags = IFEF_MPSAFE;
	ifp->if_ioctl = wan_ioctl;
	ifp->if_start = wan_start;
	ifp->if_transmit = wan_transmit;
	ifp->if_init = wan_init;
	IFQ_SET_MAXLEN(&ifp->if_snd, 4096);
	IFQ_SET_READY(&ifp->if_snd);
	if_initialize(ifp);
	ifp->if_percpuq = if_percpuq_create(ifp);
	ether_ifattach(ifp, wan_mac);
	if_register(ifp);
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

static int
up(const char *name)
{
	struct ifreq ifr;
	int error;

	memset(&ifr, 0, sizeof(ifr));
	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	error = ifioctl(so, SIOCGIFFLAGS, &ifr, curlwp);
	ifr.ifr_flags |= IFF_UP;
	return error != 0 ? error : ifioctl(so, SIOCSIFFLAGS, &ifr, curlwp);
}

static int
wan_address(void)
{
	struct ifaliasreq ia;
	struct sockaddr_in dst, gw, mask;
	int error;

	ip_dad_count = 0;
	/* Ten thousand interfaces that greet their neighbours are another test. */
	ip6_auto_linklocal = 0;
	error = up("wan0");
	if (error != 0)
		return error;
	memset(&ia, 0, sizeof(ia));
	strlcpy(ia.ifra_name, "wan0", sizeof(ia.ifra_name));
	sin_of(&ia.ifra_addr, WAN_ADDR);
	sin_of(&ia.ifra_mask, 0xffffff00);
	error = ifioctl(so, SIOCAIFADDR, &ia, curlwp);
	if (error != 0)
		return error;
	sin_of(&dst, 0);
	sin_of(&mask, 0);
	sin_of(&gw, WAN_GW);
	return rtrequest(RTM_ADD, (struct sockaddr *)&dst, (struct sockaddr *)&gw,
	    (struct sockaddr *)&mask, RTF_UP | RTF_GATEWAY | RTF_STATIC, NULL);
}

/* Where decapsulated frames end: counted and gone. */
static void
sink(struct ifnet *ifp, struct mbuf *m)
{

	in++;
	m_freem(m);
}

static int
wire(unsigned i)
{
	struct if_laddrreq la;
	struct l2tp_req lr;
	struct ifreq ifr;
	int error, s;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "l2tp%u", i);
	error = ifioctl(so, SIOCIFCREATE, &ifr, curlwp);
	if (error != 0)
		return error;
	memset(&la, 0, sizeof(la));
	strlcpy(la.iflr_name, ifr.ifr_name, sizeof(la.iflr_name));
	sin_of(&la.addr, WAN_ADDR);
	sin_of(&la.dstaddr, PEER(i));
	error = ifioctl(so, SIOCSLIFPHYADDR, &la, curlwp);
	if (error != 0)
		return error;
	memset(&lr, 0, sizeof(lr));
	lr.my_sess_id = BENCH_SESSION(i);
	lr.peer_sess_id = BENCH_SESSION(i) + 1;
	ifr.ifr_data = &lr;
	error = ifioctl(so, SIOCSL2TPSESSION, &ifr, curlwp);
	if (error != 0)
		return error;
	lr.state = L2TP_STATE_UP;
	error = ifioctl(so, SIOCSL2TPSTATE, &ifr, curlwp);
	if (error == 0)
		error = up(ifr.ifr_name);
	if (error != 0)
		return error;
	s = pserialize_read_enter();
	wires[i] = ifunit(ifr.ifr_name);
	pserialize_read_exit(s);
	wires[i]->_if_input = sink;
	return 0;
}

int
rump_bench_setup(unsigned have, unsigned n)
{
	int error = 0;

	rump_schedule();
	if (have == 0) {
		wires = kmem_zalloc(BENCH_MAX * sizeof(*wires), KM_SLEEP);
		error = socreate(AF_INET, &so, SOCK_DGRAM, 0, curlwp, NULL);
		if (error == 0)
			error = wan_address();
	}
	for (; error == 0 && have < n; have++)
		error = wire(have);
	rump_unschedule();
	return error;
}

static struct mbuf *
packet(int len)
{
	struct mbuf *m = m_gethdr(M_DONTWAIT, MT_DATA);

	if (m != NULL && len + 64 > MHLEN)
		m_clget(m, M_DONTWAIT);
	if (m == NULL)
		return NULL;
	/* Room before it, as a driver leaves for a tunnel's header. */
	m->m_data += 64;
	m->m_len = m->m_pkthdr.len = len;
	return m;
}

/* Of a header without options. */
static uint16_t
ip_sum(const uint16_t *p)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < 10; i++)
		sum += p[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

/* Frames out of the pseudowires of "order", as bridge(4) sends them. */
void
rump_bench_encap(const unsigned *order, int n, const void *frame, int len)
{
	struct mbuf *m;
	int bound, s;

	rump_schedule();
	bound = curlwp_bind();
	s = splsoftnet();
	while (n-- > 0) {
		m = packet(len);
		if (m == NULL)
			break;
		memcpy(mtod(m, void *), frame, len);
		(void)if_transmit_lock(wires[*order++], m);
	}
	splx(s);
	curlwp_bindx(bound);
	rump_unschedule();
}

/* Outer packets into the WAN interface, one for each session of "order". */
void
rump_bench_decap(const unsigned *order, int n, const void *frame, int len)
{
	struct ifnet *ifp = &wan->ec.ec_if;
	struct ether_header *eh;
	struct ip *ip;
	struct mbuf *m;
	uint32_t id;
	int bound, s;

	rump_schedule();
	bound = curlwp_bind();
	s = splsoftnet();
	for (; n-- > 0; order++) {
		m = packet((int)sizeof(*eh) + BENCH_OUTER + len);
		if (m == NULL)
			break;
		eh = mtod(m, struct ether_header *);
		memcpy(eh->ether_dhost, wan_mac, ETHER_ADDR_LEN);
		memcpy(eh->ether_shost, gw_mac, ETHER_ADDR_LEN);
		eh->ether_type = htons(ETHERTYPE_IP);
		ip = (struct ip *)(eh + 1);
		memset(ip, 0, sizeof(*ip));
		ip->ip_v = 4;
		ip->ip_hl = 5;
		ip->ip_len = htons(BENCH_OUTER + len);
		ip->ip_ttl = 64;
		ip->ip_p = 115;
		ip->ip_src.s_addr = htonl(PEER(*order));
		ip->ip_dst.s_addr = htonl(WAN_ADDR);
		ip->ip_sum = ip_sum((const uint16_t *)ip);
		id = htonl(BENCH_SESSION(*order));
		memcpy(ip + 1, &id, sizeof(id));
		memcpy((char *)(ip + 1) + sizeof(id), frame, len);
		m_set_rcvif(m, ifp);
		ifp->_if_input(ifp, m);
	}
	splx(s);
	curlwp_bindx(bound);
	rump_unschedule();
}

unsigned long
rump_bench_done(int decap)
{

	return decap ? in : wan->out;
}
