/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interfaces of a rump kernel, by the ioctls that NetBSD's ifconfig(8) and brconfig(8) make.
 * Compiled with NetBSD's headers.
 */
#include <sys/param.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include <net/if.h>
#include <net/if_ether.h>
#include <net/if_bridgevar.h>
#include <netinet/in.h>

#include <rump/rump_syscalls.h>

#include "nb.h"
#include "nb_host.h"

static int nb_inet = -1, nb_inet6 = -1;

int
nb_open(void)
{

	nb_inet = rump_sys_socket(PF_INET, SOCK_DGRAM, 0);
	if (nb_inet == -1)
		return nb_errno();
	nb_inet6 = rump_sys_socket(PF_INET6, SOCK_DGRAM, 0);
	return nb_inet6 == -1 ? nb_errno() : 0;
}

static int
nb_ioctl(int s, unsigned long cmd, void *arg)
{

	return rump_sys_ioctl(s, cmd, arg) == -1 ? nb_errno() : 0;
}

static int
nb_ifreq(struct ifreq *ifr, const char *name)
{

	memset(ifr, 0, sizeof(*ifr));
	if (strlen(name) >= sizeof(ifr->ifr_name))
		return EINVAL;
	memcpy(ifr->ifr_name, name, strlen(name));
	return 0;
}

/* A request that needs nothing but the name. */
static int
nb_named(const char *name, unsigned long cmd)
{
	struct ifreq ifr;
	int error;

	error = nb_ifreq(&ifr, name);
	return error != 0 ? error : nb_ioctl(nb_inet, cmd, &ifr);
}

int
nb_create(const char *name)
{

	return nb_named(name, SIOCIFCREATE);
}

int
nb_destroy(const char *name)
{

	return nb_named(name, SIOCIFDESTROY);
}

/* A driver's own command: its number and its bytes come from the caller as they are. */
int
nb_data(const char *name, unsigned cmd, void *data)
{
	struct ifreq ifr;
	int error;

	error = nb_ifreq(&ifr, name);
	if (error != 0)
		return error;
	ifr.ifr_data = data;
	return nb_ioctl(nb_inet, cmd, &ifr);
}

int
nb_set_up(const char *name, int up)
{
	struct ifreq ifr;
	int error;

	error = nb_ifreq(&ifr, name);
	if (error == 0)
		error = nb_ioctl(nb_inet, SIOCGIFFLAGS, &ifr);
	if (error != 0)
		return error;
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= ~IFF_UP;
	return nb_ioctl(nb_inet, SIOCSIFFLAGS, &ifr);
}

int
nb_set_mtu(const char *name, unsigned mtu)
{
	struct ifreq ifr;
	int error;

	error = nb_ifreq(&ifr, name);
	if (error != 0)
		return error;
	ifr.ifr_mtu = (int)mtu;
	return nb_ioctl(nb_inet, SIOCSIFMTU, &ifr);
}

static void
nb_sockaddr(struct sockaddr_storage *ss, int family, const unsigned char *a)
{

	memset(ss, 0, sizeof(*ss));
	if (family == 4) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ss;

		sin->sin_len = sizeof(*sin);
		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, a, 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

		sin6->sin6_len = sizeof(*sin6);
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, a, 16);
	}
}

static int
nb_laddrreq(struct if_laddrreq *req, const char *name)
{

	memset(req, 0, sizeof(*req));
	if (strlen(name) >= sizeof(req->iflr_name))
		return EINVAL;
	memcpy(req->iflr_name, name, strlen(name));
	return 0;
}

int
nb_tunnel_set(const char *name, int family, const unsigned char *src, const unsigned char *dst)
{
	struct if_laddrreq req;
	int error;

	error = nb_laddrreq(&req, name);
	if (error != 0)
		return error;
	nb_sockaddr(&req.addr, family, src);
	nb_sockaddr(&req.dstaddr, family, dst);
	return nb_ioctl(family == 4 ? nb_inet : nb_inet6, SIOCSLIFPHYADDR, &req);
}

int
nb_tunnel_get(const char *name, int *family, unsigned char *src, unsigned char *dst)
{
	struct if_laddrreq req;
	int error;

	error = nb_laddrreq(&req, name);
	if (error == 0)
		error = nb_ioctl(nb_inet, SIOCGLIFPHYADDR, &req);
	if (error != 0)
		return error;
	switch (req.addr.ss_family) {
	case AF_INET:
		*family = 4;
		memcpy(src, &((struct sockaddr_in *)&req.addr)->sin_addr, 4);
		memcpy(dst, &((struct sockaddr_in *)&req.dstaddr)->sin_addr, 4);
		return 0;
	case AF_INET6:
		*family = 6;
		memcpy(src, &((struct sockaddr_in6 *)&req.addr)->sin6_addr, 16);
		memcpy(dst, &((struct sockaddr_in6 *)&req.dstaddr)->sin6_addr, 16);
		return 0;
	default:
		return EADDRNOTAVAIL;
	}
}

int
nb_tunnel_del(const char *name)
{

	return nb_named(name, SIOCDIFPHYADDR);
}

/* At most *n names; *n: how many there are. */
int
nb_cloners(char (*names)[NB_NAMELEN], int *n)
{
	struct if_clonereq req;
	int error;

	memset(&req, 0, sizeof(req));
	req.ifcr_count = *n;
	req.ifcr_buffer = &names[0][0];
	error = nb_ioctl(nb_inet, SIOCIFGCLONERS, &req);
	if (error == 0 && req.ifcr_total < *n)
		*n = req.ifcr_total;
	return error;
}

static int
nb_bridge(const char *bridge, const char *member, unsigned long cmd)
{
	struct ifbreq breq;
	struct ifdrv ifd;

	memset(&breq, 0, sizeof(breq));
	memset(&ifd, 0, sizeof(ifd));
	if (strlen(bridge) >= sizeof(ifd.ifd_name) || strlen(member) >= sizeof(breq.ifbr_ifsname))
		return EINVAL;
	memcpy(breq.ifbr_ifsname, member, strlen(member));
	memcpy(ifd.ifd_name, bridge, strlen(bridge));
	ifd.ifd_cmd = cmd;
	ifd.ifd_len = sizeof(breq);
	ifd.ifd_data = &breq;
	return nb_ioctl(nb_inet, SIOCSDRVSPEC, &ifd);
}

/* As brconfig(8) "add"; a member already is no error. */
int
nb_join(const char *bridge, const char *member)
{
	int error;

	error = nb_bridge(bridge, member, BRDGADD);
	return error == EEXIST ? 0 : error;
}

/* As brconfig(8) "delete". */
int
nb_leave(const char *bridge, const char *member)
{

	return nb_bridge(bridge, member, BRDGDEL);
}
