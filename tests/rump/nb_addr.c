/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses, a default route and the list of interfaces of a rump kernel. Compiled with NetBSD's
 * headers.
 */
#include <sys/param.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/sysctl.h>

#include <net/if.h>
#include <net/if_dl.h>
#include <net/if_types.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet6/in6_var.h>
#include <netinet6/nd6.h>

#include <rump/rump_syscalls.h>

#include "nb.h"
#include "nb_host.h"

static void
nb_sin(struct sockaddr_in *sin, const unsigned char *a)
{

	memset(sin, 0, sizeof(*sin));
	sin->sin_len = sizeof(*sin);
	sin->sin_family = AF_INET;
	if (a != NULL)
		memcpy(&sin->sin_addr, a, 4);
}

static void
nb_sin6(struct sockaddr_in6 *sin6, const unsigned char *a)
{

	memset(sin6, 0, sizeof(*sin6));
	sin6->sin6_len = sizeof(*sin6);
	sin6->sin6_family = AF_INET6;
	if (a != NULL)
		memcpy(&sin6->sin6_addr, a, 16);
}

static void
nb_mask(unsigned char *mask, int len, int bits)
{
	int i;

	for (i = 0; i < len; i++, bits -= 8)
		mask[i] = bits >= 8 ? 0xff : bits > 0 ? (unsigned char)(0xff << (8 - bits)) : 0;
}

static int
nb_once(int family, unsigned long cmd, void *arg)
{
	int error, s;

	s = rump_sys_socket(family, SOCK_DGRAM, 0);
	if (s == -1)
		return nb_errno();
	error = rump_sys_ioctl(s, cmd, arg) == -1 ? nb_errno() : 0;
	(void)rump_sys_close(s);
	return error;
}

int
nb_address(const char *name, int family, const unsigned char *a, int prefix)
{
	unsigned char mask[16];

	nb_mask(mask, family == 4 ? 4 : 16, prefix);
	if (family == 4) {
		struct ifaliasreq req;

		memset(&req, 0, sizeof(req));
		memcpy(req.ifra_name, name, MIN(strlen(name), IFNAMSIZ - 1));
		nb_sin((struct sockaddr_in *)&req.ifra_addr, a);
		nb_sin((struct sockaddr_in *)&req.ifra_mask, mask);
		return nb_once(PF_INET, SIOCAIFADDR, &req);
	} else {
		struct in6_aliasreq req;

		memset(&req, 0, sizeof(req));
		memcpy(req.ifra_name, name, MIN(strlen(name), IFNAMSIZ - 1));
		nb_sin6(&req.ifra_addr, a);
		nb_sin6(&req.ifra_prefixmask, mask);
		req.ifra_lifetime.ia6t_vltime = ND6_INFINITE_LIFETIME;
		req.ifra_lifetime.ia6t_pltime = ND6_INFINITE_LIFETIME;
		return nb_once(PF_INET6, SIOCAIFADDR_IN6, &req);
	}
}

static int
nb_route_message(const void *m, unsigned short len)
{
	int error, s;

	s = rump_sys_socket(PF_ROUTE, SOCK_RAW, 0);
	if (s == -1)
		return nb_errno();
	error = rump_sys_write(s, m, len) == -1 ? nb_errno() : 0;
	(void)rump_sys_close(s);
	return error;
}

static unsigned short
nb_index(const char *name)
{
	static struct nb_link links[16];
	int i, n = __arraycount(links);

	if (nb_links(links, &n) == 0)
		for (i = 0; i < n; i++)
			if (strcmp(links[i].name, name) == 0)
				return (unsigned short)links[i].index;
	return 0;
}

/* A neighbour by hand, as arp(8) and ndp(8) set it. */
int
nb_neighbour(const char *name, int family, const unsigned char *a, const unsigned char *mac)
{
	struct {
		struct rt_msghdr h;
		unsigned char space[sizeof(struct sockaddr_in6) + sizeof(struct sockaddr_dl) + 24];
	} m;
	unsigned char *p = m.space;
	struct sockaddr_dl *sdl;

	memset(&m, 0, sizeof(m));
	m.h.rtm_version = RTM_VERSION;
	m.h.rtm_type = RTM_ADD;
	m.h.rtm_flags = RTF_HOST | RTF_STATIC | RTF_LLDATA;
	m.h.rtm_addrs = RTA_DST | RTA_GATEWAY;
	m.h.rtm_inits = RTV_EXPIRE;
	if (family == 4) {
		nb_sin((struct sockaddr_in *)p, a);
		p += RT_ROUNDUP(sizeof(struct sockaddr_in));
	} else {
		nb_sin6((struct sockaddr_in6 *)p, a);
		p += RT_ROUNDUP(sizeof(struct sockaddr_in6));
	}
	sdl = (struct sockaddr_dl *)p;
	sdl->sdl_len = sizeof(*sdl);
	sdl->sdl_family = AF_LINK;
	sdl->sdl_index = nb_index(name);
	sdl->sdl_type = IFT_ETHER;
	sdl->sdl_alen = 6;
	memcpy(sdl->sdl_data, mac, 6);
	p += RT_ROUNDUP(sizeof(*sdl));
	m.h.rtm_msglen = (u_short)(p - (unsigned char *)&m);
	return nb_route_message(&m, m.h.rtm_msglen);
}

/* The default route, as route(8) sets it. */
int
nb_gateway(int family, const unsigned char *gateway)
{
	struct {
		struct rt_msghdr h;
		unsigned char space[3 * sizeof(struct sockaddr_in6) + 24];
	} m;
	unsigned char *p = m.space;
	int i;

	memset(&m, 0, sizeof(m));
	m.h.rtm_version = RTM_VERSION;
	m.h.rtm_type = RTM_ADD;
	m.h.rtm_flags = RTF_UP | RTF_GATEWAY | RTF_STATIC;
	m.h.rtm_addrs = RTA_DST | RTA_GATEWAY | RTA_NETMASK;
	/* Destination ::/0 or 0/0, gateway, mask of zeros. */
	for (i = 0; i < 3; i++) {
		if (family == 4) {
			nb_sin((struct sockaddr_in *)p, i == 1 ? gateway : NULL);
			p += RT_ROUNDUP(sizeof(struct sockaddr_in));
		} else {
			nb_sin6((struct sockaddr_in6 *)p, i == 1 ? gateway : NULL);
			p += RT_ROUNDUP(sizeof(struct sockaddr_in6));
		}
	}
	m.h.rtm_msglen = (u_short)(p - (unsigned char *)&m);
	return nb_route_message(&m, m.h.rtm_msglen);
}

static void
nb_link_of(struct nb_link *l, const struct if_msghdr *ifm)
{
	const struct sockaddr_dl *sdl = (const struct sockaddr_dl *)(ifm + 1);
	const struct if_data *d = &ifm->ifm_data;
	const unsigned long stats[NB_STATS] = {
		d->ifi_ipackets, d->ifi_ierrors, d->ifi_ibytes, d->ifi_iqdrops, d->ifi_noproto,
		d->ifi_opackets, d->ifi_oerrors, d->ifi_obytes, 0
	};

	memset(l, 0, sizeof(*l));
	memcpy(l->name, sdl->sdl_data, MIN(sdl->sdl_nlen, NB_NAMELEN - 1));
	l->index = ifm->ifm_index;
	l->mtu = (unsigned)d->ifi_mtu;
	l->up = (ifm->ifm_flags & IFF_UP) != 0;
	l->running = (ifm->ifm_flags & IFF_RUNNING) != 0;
	l->state = d->ifi_link_state;
	if (sdl->sdl_alen == sizeof(l->lladdr))
		memcpy(l->lladdr, sdl->sdl_data + sdl->sdl_nlen, sizeof(l->lladdr));
	memcpy(l->stats, stats, sizeof(stats));
}

/* At most *n; *n: how many there are. */
int
nb_links(struct nb_link *links, int *n)
{
	const int mib[] = { CTL_NET, PF_ROUTE, 0, 0, NET_RT_IFLIST, 0 };
	const struct if_msghdr *ifm;
	char *buf, *p;
	size_t len = 0;
	int count = 0, error = 0;

	if (rump_sys___sysctl(mib, __arraycount(mib), NULL, &len, NULL, 0) == -1)
		return nb_errno();
	/* Interfaces may come while we look. */
	len += 4096;
	buf = malloc(len);
	if (buf == NULL)
		return ENOMEM;
	if (rump_sys___sysctl(mib, __arraycount(mib), buf, &len, NULL, 0) == -1) {
		error = nb_errno();
		goto out;
	}
	for (p = buf; p + sizeof(*ifm) <= buf + len; p += ifm->ifm_msglen) {
		ifm = (const struct if_msghdr *)p;
		if (ifm->ifm_msglen == 0)
			break;
		if (ifm->ifm_type == RTM_IFINFO && count < *n)
			nb_link_of(&links[count++], ifm);
	}
	*n = count;
out:
	free(buf);
	return error;
}
