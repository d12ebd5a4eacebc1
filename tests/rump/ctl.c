/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests of ifconfig(8) and kstat(8) to a host kernel, answered by a rump kernel: what they ask
 * for becomes the ioctls and sysctls that they make on NetBSD itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kpi.h"

#include "ctl.h"
#include "nb.h"

/* NetBSD's numbers; they are the protocol's too. */
#define	NB_EINVAL	22
#define	NB_EAFNOSUPPORT	47
#define	NB_EOPNOTSUPP	45
#define	NB_ENOENT	2

#define	MAXIFS		1024
#define	SYSCTL_ROOT	"net.ropewalk"

static int
ctl_read(int s, void *to, size_t len)
{
	char *p = to;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = read(s, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

static int
ctl_write(int s, const void *from, size_t len)
{
	const char *p = from;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(s, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	return 0;
}

static int
ctl_tunnel(const char *name, struct ctl_tunnel *t)
{
	int error, family;

	memset(t, 0, sizeof(*t));
	error = nb_tunnel_get(name, &family, t->src, t->dst);
	if (error == 0)
		t->af = family == 4 ? CTL_AF_INET : CTL_AF_INET6;
	return error;
}

/* As many as fit into one reply; the tests have no more. */
static int
ctl_iflist(struct ctl_if *to, uint32_t *len)
{
	static struct nb_link links[MAXIFS];
	int error, i, n = CTL_PAYLOAD_MAX / (int)sizeof(*to);

	error = nb_links(links, &n);
	if (error != 0)
		return error;
	for (i = 0; i < n; i++, to++) {
		const struct nb_link *l = &links[i];

		memset(to, 0, sizeof(*to));
		memcpy(to->name, l->name, sizeof(to->name));
		to->index = l->index;
		to->mtu = l->mtu;
		to->flags = (l->up ? 0x1u : 0) | (l->running ? 0x40u : 0) |
		    (l->state == 2 ? CTL_IF_LINK_UP : l->state == 1 ? CTL_IF_LINK_DOWN : 0);
		memcpy(to->lladdr, l->lladdr, sizeof(to->lladdr));
		memcpy(to->stats, l->stats, sizeof(to->stats));
		(void)ctl_tunnel(l->name, &to->tunnel);
	}
	*len = (uint32_t)(n * (int)sizeof(*to));
	return 0;
}

/* A cloner without a number: the first that is free. */
static int
ctl_create(char *name)
{
	char numbered[NB_NAMELEN];
	int error, unit;

	if (*name != '\0' && strchr("0123456789", name[strlen(name) - 1]) != NULL)
		return nb_create(name);
	for (unit = 0; unit < MAXIFS; unit++) {
		if (snprintf(numbered, sizeof(numbered), "%s%d", name, unit) >= (int)sizeof(numbered))
			return NB_EINVAL;
		error = nb_create(numbered);
		if (error != 17 /* EEXIST */) {
			memcpy(name, numbered, sizeof(numbered));
			return error;
		}
	}
	return NB_EINVAL;
}

/* "how" is nb_join or nb_leave. */
static int
ctl_join(const char *name, const char *const *joins, int (*how)(const char *, const char *))
{
	char bridge[NB_NAMELEN];
	const char *colon;

	for (; *joins != NULL; joins++) {
		colon = strchr(*joins, ':');
		if (colon != NULL && strcmp(colon + 1, name) == 0 &&
		    (size_t)(colon - *joins) < sizeof(bridge)) {
			memcpy(bridge, *joins, (size_t)(colon - *joins));
			bridge[colon - *joins] = '\0';
			return (*how)(bridge, name);
		}
	}
	return 0;
}

static int
ctl_kstat(const struct ctl_kstat *req, char *to, uint32_t *len)
{
	char node[64];
	unsigned long n = CTL_PAYLOAD_MAX - sizeof(uint64_t);
	int error;

	memset(to, 0, sizeof(uint64_t));
	*len = sizeof(uint64_t);
	/* sysctl(3) gives all of it at once: the second read finds the end. */
	if (req->cursor != 0)
		return 0;
	if (memchr(req->name, '\0', sizeof(req->name)) == NULL)
		return NB_EINVAL;
	(void)snprintf(node, sizeof(node), SYSCTL_ROOT ".%s", req->name);
	error = nb_sysctl_read(node, to + sizeof(uint64_t), &n);
	if (error == 0) {
		to[0] = 1;
		*len += (uint32_t)n;
	}
	return error;
}

static int
ctl_names(int op, struct ctl_name *to, uint32_t *len)
{
	char cloners[256][NB_NAMELEN];
	int error, i, n = 256;

	memset(to, 0, 256 * sizeof(*to));
	if (op == CTL_OP_KSTATLIST) {
		error = nb_sysctl_children(SYSCTL_ROOT, &to[0].name, &n);
		if (error == NB_ENOENT)	/* no module of ours */
			error = n = 0;
	} else {
		error = nb_cloners(cloners, &n);
		for (i = 0; error == 0 && i < n; i++)
			memcpy(to[i].name, cloners[i], NB_NAMELEN);
	}
	*len = error == 0 ? (uint32_t)(n * (int)sizeof(*to)) : 0;
	return error;
}

/* The device's name, then what the command has; the reply has the latter only. */
static int
ctl_dev(unsigned cmd, char *buf, uint32_t *len)
{
	struct ctl_name dev;
	int error;

	if (*len < sizeof(dev))
		return NB_EINVAL;
	memcpy(&dev, buf, sizeof(dev));
	if (memchr(dev.name, '\0', sizeof(dev.name)) == NULL)
		return NB_EINVAL;
	*len -= (uint32_t)sizeof(dev);
	memmove(buf, buf + sizeof(dev), *len);
	/* The size stands in the command; what is copied out must have its room. */
	if ((cmd >> 16 & 0x1fff) != *len)
		return NB_EINVAL;
	error = nb_dev_ioctl(dev.name, cmd, buf);
	return error;
}

/* The request's payload is in buf, and the reply's afterwards. */
static int
ctl_answer(struct ctl_header *h, char *buf, const char *const *joins, int leave)
{
	struct ctl_tunnel *t = (struct ctl_tunnel *)(void *)buf;
	struct ctl_value *v = (struct ctl_value *)(void *)buf;
	const struct ctl_version version = { CTL_VERSION, KPI_VERSION, (uint32_t)getpid(), 0 };
	uint32_t len = h->len;
	int error;

	h->len = 0;
	switch (h->op) {
	case CTL_OP_VERSION:
		memcpy(buf, &version, sizeof(version));
		h->len = sizeof(version);
		return 0;
	case CTL_OP_MODLIST:
		return 0;
	case CTL_OP_MODUNLOAD:
		buf[len < 32 ? len : 31] = '\0';
		return nb_module_unload(buf);
	case CTL_OP_IFCREATE:
		return ctl_create(h->ifname);
	case CTL_OP_IFDESTROY:
		if (leave)
			(void)ctl_join(h->ifname, joins, nb_leave);
		return nb_destroy(h->ifname);
	case CTL_OP_IFLIST:
		return ctl_iflist((struct ctl_if *)(void *)buf, &h->len);
	case CTL_OP_IFIOCTL:
		h->len = len;
		return nb_data(h->ifname, h->cmd, buf);
	case CTL_OP_DEVIOCTL:
		error = ctl_dev(h->cmd, buf, &len);
		h->len = len;
		return error;
	case CTL_OP_TUNNELSET:
		if (len != sizeof(*t))
			return NB_EINVAL;
		if (t->af != CTL_AF_INET && t->af != CTL_AF_INET6)
			return NB_EAFNOSUPPORT;
		return nb_tunnel_set(h->ifname, t->af == CTL_AF_INET ? 4 : 6, t->src, t->dst);
	case CTL_OP_TUNNELGET:
		h->len = sizeof(*t);
		error = ctl_tunnel(h->ifname, t);
		return error == 49 /* EADDRNOTAVAIL: none is set */ ? 0 : error;
	case CTL_OP_TUNNELDEL:
		return nb_tunnel_del(h->ifname);
	case CTL_OP_IFSETMTU:
		return len == sizeof(*v) ? nb_set_mtu(h->ifname, v->value) : NB_EINVAL;
	case CTL_OP_IFSETUP:
		if (len != sizeof(*v))
			return NB_EINVAL;
		error = nb_set_up(h->ifname, v->value != 0);
		return error == 0 && v->value != 0 ? ctl_join(h->ifname, joins, nb_join) : error;
	case CTL_OP_IFCLONERS:
	case CTL_OP_KSTATLIST:
		return ctl_names(h->op, (struct ctl_name *)(void *)buf, &h->len);
	case CTL_OP_KSTATREAD:
		if (len != sizeof(struct ctl_kstat))
			return NB_EINVAL;
		struct ctl_kstat req;

		memcpy(&req, buf, sizeof(req));
		return ctl_kstat(&req, buf, &h->len);
	default:
		return NB_EOPNOTSUPP;
	}
}

void
ctl_serve(int s, const char *const *joins, int leave)
{
	static union {
		char	 bytes[CTL_PAYLOAD_MAX + 16];
		uint64_t align;
	} buf;
	struct ctl_header h;

	while (ctl_read(s, &h, sizeof(h)) == 0) {
		if (h.magic != CTL_MAGIC || h.version != CTL_VERSION || h.len > CTL_PAYLOAD_MAX ||
		    h.ifname[sizeof(h.ifname) - 1] != '\0' || ctl_read(s, buf.bytes, h.len) != 0)
			return;
		h.errnum = (uint32_t)ctl_answer(&h, buf.bytes, joins, leave);
		h.cmd = 0;
		if (h.errnum != 0)
			h.len = 0;
		if (ctl_write(s, &h, sizeof(h)) != 0 || ctl_write(s, buf.bytes, h.len) != 0)
			return;
	}
}
