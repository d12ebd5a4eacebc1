/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Network interfaces and their cloners.
 *
 * The shims turn each OS's ioctls into what stands here, so that a module sees
 * no sockaddr, no ifreq and no user pointer:
 *  - SIOCSIFPHYADDR, SIOCSIFPHYADDR_IN6, SIOCSLIFPHYADDR, SIOCDIFPHYADDR,
 *    SIOCGIFPSRCADDR and its kin            ifo_tunnel
 *  - SIOCSIFMTU                             ifo_set_mtu
 *  - SIOCSIFFLAGS                           ifo_set_up
 *  - the driver's own, listed in ifo_cmds   ifo_ioctl, with the bytes that
 *    ifr_data points to copied in, and out again, by the shim.
 */
#ifndef _KPI_IF_H_
#define _KPI_IF_H_

struct kpi_ifnet;			/* opaque */
struct kpi_ifclone;			/* opaque */

#define	KPI_IFNAMSIZ	16u

/* Addresses in network order; IPv4 uses the first four bytes. */
struct kpi_tunnel {
	uint32_t	 kt_af;		/* KPI_AF_*, 0: no tunnel */
	uint32_t	 kt_pad;
	uint8_t		 kt_src[16];	/* outer address of this end */
	uint8_t		 kt_dst[16];	/* outer address of the other end */
};

#define	KPI_TUNNEL_SET	1u		/* t is the new tunnel */
#define	KPI_TUNNEL_GET	2u		/* t is filled; KPI_EADDRNOTAVAIL if none */
#define	KPI_TUNNEL_DEL	3u		/* t is ignored */

#define	KPI_IFC_IN	0x1u		/* bytes go in (_IOW) */
#define	KPI_IFC_OUT	0x2u		/* bytes come out (_IOR) */
#define	KPI_IFC_PRIV	0x4u		/* for the superuser only */

/* A private command of a driver: its number and the size behind ifr_data. */
struct kpi_ifcmd {
	uint32_t	 kc_cmd;
	uint32_t	 kc_size;	/* at most 4096 */
	uint32_t	 kc_flags;	/* KPI_IFC_* */
	uint32_t	 kc_pad;
};

/* Upcalls.  sc is what kpi_if_attach was given. */
struct kpi_ifops {
	/* ctx: softint, any CPU, many at once.  Consumes m, also on error. */
	int32_t		(*ifo_transmit)(void *sc, struct kpi_mbuf *m);
	/* ctx: thread, one at a time an interface, as are all below. */
	int32_t		(*ifo_ioctl)(void *sc, uint32_t cmd, uint8_t *data, uint32_t len);
	int32_t		(*ifo_tunnel)(void *sc, uint32_t op, struct kpi_tunnel *t);
	int32_t		(*ifo_set_mtu)(void *sc, uint32_t mtu);
	int32_t		(*ifo_set_up)(void *sc, uint32_t up);
	const struct kpi_ifcmd *ifo_cmds;
	uint32_t	 ifo_ncmds;
	uint32_t	 ifo_pad;
};

/* What an Ethernet-like interface starts with. */
struct kpi_ifparams {
	const char	*kf_name;	/* "l2tp0" */
	uint32_t	 kf_namelen;	/* below KPI_IFNAMSIZ */
	uint32_t	 kf_mtu;
	uint32_t	 kf_unit;
	uint8_t		 kf_lladdr[6];	/* all zero: none wanted */
	uint8_t		 kf_pad[2];
};

/* Upcalls of a cloner; arg is what kpi_ifclone_attach was given. */
struct kpi_ifcloneops {
	/* ctx: thread.  Makes and attaches the interface, or fails and leaves nothing. */
	int32_t		(*ico_create)(void *arg, const char *name, uint32_t namelen, uint32_t unit);
	/* ctx: thread.  sc as given to kpi_if_attach.  Detaches and frees. */
	int32_t		(*ico_destroy)(void *arg, void *sc);
};

#define	KPI_IFS_IPACKETS	0u
#define	KPI_IFS_IERRORS		1u
#define	KPI_IFS_IBYTES		2u
#define	KPI_IFS_IQDROPS		3u
#define	KPI_IFS_NOPROTO		4u
#define	KPI_IFS_OPACKETS	5u
#define	KPI_IFS_OERRORS		6u
#define	KPI_IFS_OBYTES		7u
#define	KPI_IFS_OQDROPS		8u
#define	KPI_IFS_COUNT		9u

/*
 * kpi_if_alloc: an interface that the system does not yet know; KPI_E* in *error on NULL.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller frees it with kpi_if_free; the strings in p are copied
 *  netbsd: struct ethercom, if_initname, if_initialize(9)
 *  freebsd: if_alloc(9), if_initname
 *  host: ifnet.rs
 */
struct kpi_ifnet *kpi_if_alloc(const struct kpi_ifparams *p, int32_t *error);

/*
 * kpi_if_attach: make ifp known; ops may be called before this returns.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: ops and sc stay valid until kpi_if_detach has returned
 *  netbsd: ether_ifattach(9), if_register(9), bpf_attach(9)
 *  freebsd: ether_ifattach(9)
 *  host: ifnet.rs, tap.rs
 */
int32_t	 kpi_if_attach(struct kpi_ifnet *ifp, const struct kpi_ifops *ops, void *sc);

/*
 * kpi_if_detach: take ifp from the system; no upcall runs once this has returned.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not within a read section; the caller holds no passive reference
 *  owns: ifp stays allocated; packets put into it are freed and not delivered
 *  netbsd: bpf_detach(9), ether_ifdetach(9), if_detach(9)
 *  freebsd: ether_ifdetach(9), epoch_wait_preempt(9)
 *  host: ifnet.rs
 */
void	 kpi_if_detach(struct kpi_ifnet *ifp);

/*
 * kpi_if_free: free an interface that was never attached or is detached.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: consumes ifp
 *  netbsd: kmem_free(9)
 *  freebsd: if_free(9)
 *  host: ifnet.rs
 */
void	 kpi_if_free(struct kpi_ifnet *ifp);

/*
 * kpi_if_input: a frame that came in from the wire side goes up the stack; counted as input.
 *  ctx: softint
 *  sleeps: no
 *  locks: not within a read section
 *  owns: consumes m
 *  netbsd: m_set_rcvif, if_percpuq_enqueue(9)
 *  freebsd: if_input(9)
 *  host: ifnet.rs, tap.rs
 */
void	 kpi_if_input(struct kpi_ifnet *ifp, struct kpi_mbuf *m);

/*
 * kpi_if_tap: show a frame that goes out to whoever listens (bpf).
 *  ctx: softint
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: bpf_mtap(9)
 *  freebsd: ether_bpf_mtap_if(9)
 *  host: ifnet.rs
 */
void	 kpi_if_tap(struct kpi_ifnet *ifp, const struct kpi_mbuf *m);

/*
 * kpi_if_count: add n to one of KPI_IFS_*.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: if_statadd(9)
 *  freebsd: if_inc_counter(9)
 *  host: ifnet.rs
 */
void	 kpi_if_count(struct kpi_ifnet *ifp, uint32_t which, uint64_t n);

/*
 * kpi_if_set_running: whether ifp has what it needs to carry packets (IFF_RUNNING).
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: nothing
 *  netbsd: if_flags under IFNET_LOCK
 *  freebsd: if_setdrvflagbits(9)
 *  host: ifnet.rs
 */
void	 kpi_if_set_running(struct kpi_ifnet *ifp, uint32_t running);

/*
 * kpi_if_set_link: the link state that the stack and the routing socket report.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: nothing
 *  netbsd: if_link_state_change(9)
 *  freebsd: if_link_state_change(9)
 *  host: ifnet.rs, tap.rs
 */
void	 kpi_if_set_link(struct kpi_ifnet *ifp, uint32_t up);

/*
 * kpi_if_mtu: the MTU as it is set now.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: if_mtu
 *  freebsd: if_getmtu(9)
 *  host: ifnet.rs
 */
uint32_t kpi_if_mtu(const struct kpi_ifnet *ifp);

/*
 * kpi_if_check_nesting: mark m as having passed ifp; KPI_ELOOP when it has passed ifp before
 * or passed more than limit interfaces so marked.
 *  ctx: softint
 *  sleeps: no
 *  locks: none
 *  owns: nothing; on an error the caller still owns m
 *  netbsd: m_tag(9), a tag of our own
 *  freebsd: m_tag(9), a tag of our own
 *  host: ifnet.rs
 */
int32_t	 kpi_if_check_nesting(struct kpi_ifnet *ifp, struct kpi_mbuf *m, uint32_t limit);

/*
 * kpi_ifclone_attach: let `ifconfig NAMEn create' work; KPI_E* in *error on NULL.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: ops and arg stay valid until kpi_ifclone_detach has returned
 *  netbsd: if_clone_attach(9)
 *  freebsd: ifc_attach_cloner(9)
 *  host: clone.rs
 */
struct kpi_ifclone *kpi_ifclone_attach(const char *name, uint32_t namelen,
    const struct kpi_ifcloneops *ops, void *arg, int32_t *error);

/*
 * kpi_ifclone_detach: no more creates; interfaces that exist are destroyed through ico_destroy.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: consumes ifc
 *  netbsd: if_clone_detach(9)
 *  freebsd: ifc_detach_cloner(9)
 *  host: clone.rs
 */
void	 kpi_ifclone_detach(struct kpi_ifclone *ifc);

#endif /* _KPI_IF_H_ */
