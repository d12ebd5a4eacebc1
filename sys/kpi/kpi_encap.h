/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Outer headers.  An endpoint is our side of tunnels: family, protocol, address
 * and, for UDP, port.  A path is an endpoint with a peer.  Modules see what lies
 * behind the outer header only; the kernel builds and strips IP and UDP, and
 * reassembles fragments.
 */
#ifndef _KPI_ENCAP_H_
#define _KPI_ENCAP_H_

struct kpi_encap;			/* opaque: an endpoint */
struct kpi_path;			/* opaque: an endpoint with a peer */

#define	KPI_PROTO_UDP	17u
#define	KPI_PROTO_GRE	47u
#define	KPI_PROTO_ESP	50u
#define	KPI_PROTO_L2TP	115u

/* Addresses in network order, ports in host order. */
struct kpi_endpoint {
	uint32_t	 ke_af;		/* KPI_AF_* */
	uint32_t	 ke_proto;	/* KPI_PROTO_* */
	uint8_t		 ke_addr[16];
	uint16_t	 ke_port;	/* KPI_PROTO_UDP only, else 0 */
	uint16_t	 ke_pad[3];
};

/* Where a packet came from and was sent to. */
struct kpi_encap_rx {
	uint32_t	 kr_af;
	uint32_t	 kr_proto;
	uint8_t		 kr_src[16];
	uint8_t		 kr_dst[16];
	uint16_t	 kr_sport;
	uint16_t	 kr_dport;
	uint32_t	 kr_off;	/* bytes of outer headers still in front in m */
};

#define	KPI_ENCAP_PASS		0	/* not ours: m is as it was, its owner goes on */
#define	KPI_ENCAP_STOLEN	1	/* m has been consumed */

struct kpi_encapops {
	/*
	 * ctx: softint, any CPU, many at once.  The bytes up to kr_off + 4 are
	 * contiguous if the packet has as many.  *mp may be replaced (pullup).
	 */
	int32_t		(*eo_input)(void *arg, struct kpi_mbuf **mp, const struct kpi_encap_rx *rx);
};

/*
 * kpi_encap_open: start to receive for an endpoint; KPI_E* in *error on NULL.
 * KPI_EADDRINUSE when it is open already, KPI_EADDRNOTAVAIL when the address is not ours.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: ops and arg stay valid until kpi_encap_close has returned
 *  netbsd: encap_attach_func(9); a kernel UDP socket with inpcb_register_overudp_cb
 *  freebsd: ip_encap_attach(9), ip6_encap_attach(9); udp_set_kernel_tunneling(9)
 *  host: rawsock.rs, wire.rs
 */
struct kpi_encap *kpi_encap_open(const struct kpi_endpoint *ep, const struct kpi_encapops *ops,
    void *arg, int32_t *error);

/*
 * kpi_encap_close: stop receiving; no upcall runs once this has returned.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not within a read section; all paths of e are closed
 *  owns: consumes e
 *  netbsd: encap_detach(9), soclose(9)
 *  freebsd: ip_encap_detach(9), soclose(9)
 *  host: rawsock.rs, wire.rs
 */
void	 kpi_encap_close(struct kpi_encap *e);

/*
 * kpi_path_open: prepare to send from e to dst, of e's family; KPI_E* in *error on NULL.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller closes it before it closes e
 *  netbsd: struct route per CPU
 *  freebsd: struct route
 *  host: rawsock.rs, wire.rs
 */
struct kpi_path *kpi_path_open(struct kpi_encap *e, const uint8_t dst[16], uint16_t dport,
    uint32_t ttl, int32_t *error);

/*
 * kpi_path_close: free a path that nobody sends on.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: consumes p
 *  netbsd: rtcache_free(9)
 *  freebsd: RO_INVALIDATE_CACHE(9)
 *  host: rawsock.rs, wire.rs
 */
void	 kpi_path_close(struct kpi_path *p);

/*
 * kpi_path_output: put the outer headers before m and send it.
 *  ctx: softint
 *  sleeps: no
 *  locks: not within a read section
 *  owns: consumes m, also on an error
 *  netbsd: ip_output(9), ip6_output(9)
 *  freebsd: ip_output(9), ip6_output(9)
 *  host: rawsock.rs (batched), wire.rs
 */
int32_t	 kpi_path_output(struct kpi_path *p, struct kpi_mbuf *m);

#endif /* _KPI_ENCAP_H_ */
