/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The control protocol of a host kernel (sys/abi, ctl.rs), as this program answers it.
 */
#ifndef RUMPKERN_CTL_H
#define RUMPKERN_CTL_H

#include <stdint.h>

#define	CTL_MAGIC	0x526f7065u
#define	CTL_VERSION	1
#define	CTL_PAYLOAD_MAX	65536

enum ctl_op {
	CTL_OP_VERSION = 1, CTL_OP_MODLOAD, CTL_OP_MODUNLOAD, CTL_OP_MODLIST, CTL_OP_IFCREATE,
	CTL_OP_IFDESTROY, CTL_OP_IFLIST, CTL_OP_IFCLONERS, CTL_OP_IFIOCTL, CTL_OP_TUNNELSET,
	CTL_OP_TUNNELGET, CTL_OP_TUNNELDEL, CTL_OP_IFSETMTU, CTL_OP_IFSETUP, CTL_OP_IFRENAME,
	CTL_OP_KSTATLIST, CTL_OP_KSTATREAD, CTL_OP_MONITOR, CTL_OP_SHUTDOWN, CTL_OP_DEVIOCTL
};

struct ctl_header {
	uint32_t magic;
	uint16_t version;
	uint16_t op;
	uint32_t len;
	uint32_t seq;
	uint32_t errnum;
	uint32_t cmd;
	char	 ifname[16];
};

struct ctl_version {
	uint32_t protocol, kpi, pid, pad;
};

struct ctl_name {
	char	 name[32];
};

struct ctl_mod {
	char	 name[32];
	uint32_t loaded, kpi;
};

struct ctl_tunnel {
	uint32_t af, pad;
	uint8_t	 src[16], dst[16];
};

struct ctl_value {
	uint32_t value, pad;
};

struct ctl_if {
	char	 name[16];
	uint32_t index, mtu, flags;
	uint8_t	 lladdr[6], pad[6];
	uint64_t stats[9];
	struct ctl_tunnel tunnel;
};

struct ctl_kstat {
	char	 name[32];
	uint64_t cursor;
};

#define	CTL_AF_INET	2
#define	CTL_AF_INET6	10
#define	CTL_IF_LINK_UP	0x10000u
#define	CTL_IF_LINK_DOWN 0x20000u

/*
 * Answers the requests of one client until it goes. "joins" is a list of "bridge:member" that ends
 * with NULL: such an interface becomes a port of such a bridge once it is up, and, with "leave", none
 * before it is destroyed.
 */
void	ctl_serve(int, const char *const *joins, int leave);

#endif
