/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packet filter hooks: a module sees every IP packet that comes in or goes out,
 * forwarded ones at both, and the interfaces that it names in its rules.
 *
 * Hooks run in the order in which they were attached, NetBSD's from the last to the
 * first.  A packet that goes on through kpi_pfil_resume or kpi_pfil_send is seen by
 * the hooks behind p only; one that goes back by kpi_pfil_reply, by no hook.
 */
#ifndef _KPI_PFIL_H_
#define _KPI_PFIL_H_

struct kpi_pfil;			/* opaque: a hook */

#define	KPI_PFIL_IN	1u		/* from the wire to us */
#define	KPI_PFIL_OUT	2u		/* from us to the wire */

/* TCP's or UDP's checksum field has the folded sum of the pseudo-header only: the kernel ends it */
#define	KPI_PFILF_CSUM_PARTIAL	0x1u
#define	KPI_PFILF_GSO		0x2u	/* more than the MTU: the kernel cuts it later */

/* How a packet came.  Plain data: a module may keep it with the packet. */
struct kpi_pfil_rx {
	uint32_t	 kx_af;		/* KPI_AF_* */
	uint32_t	 kx_dir;	/* KPI_PFIL_IN, KPI_PFIL_OUT */
	uint32_t	 kx_ifindex;	/* where it came in, or goes out */
	uint32_t	 kx_flags;	/* KPI_PFILF_* */
};

#define	KPI_PFIL_PASS	0		/* *mp goes on; it may be another packet than before */
#define	KPI_PFIL_STOLEN	1		/* *mp has been consumed */

struct kpi_pfilops {
	/*
	 * ctx: softint, any CPU, many at once.  *mp starts with the IP header, whose
	 * first 20 bytes (IPv6: 40) are contiguous; all in network byte order.  IPv4's
	 * header checksum is right when a packet comes in; when it goes out, a kernel
	 * may make it later.
	 */
	int32_t		(*po_packet)(void *arg, struct kpi_mbuf **mp, const struct kpi_pfil_rx *rx);
	/*
	 * ctx: thread, one at a time a hook.  An interface came, went, was renamed, went
	 * up or down, or its addresses or MTU changed: ask what holds now.
	 */
	void		(*po_ifchange)(void *arg, uint32_t ifindex);
};

#define	KPI_IFI_UP		0x1u
#define	KPI_IFI_LOOPBACK	0x2u

struct kpi_ifinfo {
	uint8_t		 ki_name[16];	/* filled up with NUL, at least one */
	uint32_t	 ki_index;
	uint32_t	 ki_mtu;
	uint32_t	 ki_flags;	/* KPI_IFI_* */
	uint32_t	 ki_pad;
};

/* Addresses in network order; IPv4 uses the first four bytes. */
struct kpi_ifaddr {
	uint32_t	 ka_af;		/* KPI_AF_* */
	uint32_t	 ka_prefixlen;
	uint8_t		 ka_addr[16];
};

/*
 * kpi_pfil_alloc: a hook that sees nothing yet; KPI_E* in *error on NULL.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller frees it with kpi_pfil_free
 *  netbsd: kmem_alloc(9)
 *  freebsd: malloc(9)
 *  host: pfil.rs
 */
struct kpi_pfil *kpi_pfil_alloc(int32_t *error);

/*
 * kpi_pfil_attach: let p see packets, behind the hooks that are attached; once in p's life.
 * ops may be called before this returns.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: ops and arg stay valid until kpi_pfil_detach has returned
 *  netbsd: pfil_add_hook(9), pfil_add_ihook(9), on inet_pfil_hook and inet6_pfil_hook
 *  freebsd: pfil_add_hook(9), pfil_link(9), EVENTHANDLER_REGISTER(9)
 *  host: pfil.rs
 */
int32_t	 kpi_pfil_attach(struct kpi_pfil *p, const struct kpi_pfilops *ops, void *arg);

/*
 * kpi_pfil_detach: no upcall runs once this has returned.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not within a read section; not from an upcall of p
 *  owns: p stays allocated; packets put into it are freed and go nowhere (KPI_ENXIO)
 *  netbsd: pfil_remove_hook(9), pserialize_perform(9), psref_target_destroy(9)
 *  freebsd: pfil_remove_hook(9), epoch_wait_preempt(9)
 *  host: pfil.rs (counted)
 */
void	 kpi_pfil_detach(struct kpi_pfil *p);

/*
 * kpi_pfil_free: free a hook that was never attached or is detached.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: consumes p
 *  netbsd: kmem_free(9)
 *  freebsd: free(9)
 *  host: pfil.rs
 */
void	 kpi_pfil_free(struct kpi_pfil *p);

/*
 * kpi_pfil_resume: m, which po_packet kept with rx, goes on as if it were passed now.
 *  ctx: any
 *  sleeps: no
 *  locks: no spin; not within a read section
 *  owns: consumes m, also on an error
 *  netbsd: pktq_enqueue(9), ip_output(9), ip6_output(9); a tag of our own
 *  freebsd: netisr_queue(9), ip_output(9), ip6_output(9); a tag of our own
 *  host: pfil.rs
 */
int32_t	 kpi_pfil_resume(struct kpi_pfil *p, const struct kpi_pfil_rx *rx, struct kpi_mbuf *m);

/*
 * kpi_pfil_reply: m, a whole new IP packet, goes back to where orig, seen with rx, came from.
 *  ctx: any
 *  sleeps: no
 *  locks: no spin; not within a read section
 *  owns: consumes m, also on an error; orig stays the caller's
 *  netbsd: ip_output(9), ip6_output(9), to ourselves pktq_enqueue(9); a tag of our own
 *  freebsd: ip_output(9), ip6_output(9), to ourselves netisr_queue(9); a tag of our own
 *  host: pfil.rs
 */
int32_t	 kpi_pfil_reply(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig, struct kpi_mbuf *m);

/*
 * kpi_pfil_send: m, a whole new IP packet, goes the way of rx: its interface, its direction.
 *  ctx: any
 *  sleeps: no
 *  locks: no spin; not within a read section
 *  owns: consumes m, also on an error; orig, a packet seen with rx or NULL, stays the caller's
 *  netbsd: pktq_enqueue(9), ip_output(9), ip6_output(9); a tag of our own
 *  freebsd: netisr_queue(9), ip_output(9), ip6_output(9); a tag of our own
 *  host: pfil.rs (orig's link header; KPI_EHOSTUNREACH where none is known)
 */
int32_t	 kpi_pfil_send(struct kpi_pfil *p, const struct kpi_pfil_rx *rx,
    const struct kpi_mbuf *orig, struct kpi_mbuf *m);

/*
 * kpi_if_next: the lowest index of an interface above after; 0: there is none.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: nothing
 *  netbsd: IFNET_READER_FOREACH
 *  freebsd: if_foreach(9)
 *  host: ifreg.rs
 */
uint32_t kpi_if_next(uint32_t after);

/*
 * kpi_if_info: what an interface is now; KPI_ENXIO when there is none of this index.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: fills info
 *  netbsd: if_byindex(9)
 *  freebsd: ifnet_byindex(9)
 *  host: ifreg.rs
 */
int32_t	 kpi_if_info(uint32_t index, struct kpi_ifinfo *info);

/*
 * kpi_if_addr: the nth address of an interface; KPI_ENOENT behind the last, KPI_ENXIO.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: fills addr
 *  netbsd: IFADDR_READER_FOREACH
 *  freebsd: if_foreach_addr_type(9)
 *  host: ifreg.rs
 */
int32_t	 kpi_if_addr(uint32_t index, uint32_t n, struct kpi_ifaddr *addr);

#endif /* _KPI_PFIL_H_ */
