/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets.  A struct kpi_mbuf * is one whole packet: a chain of segments with a
 * packet header.  Clusters can be shared between packets; bytes of a shared
 * cluster are read-only.
 */
#ifndef _KPI_MBUF_H_
#define _KPI_MBUF_H_

struct kpi_mbuf;			/* opaque */

#define	KPI_MF_BCAST	0x1u		/* link-layer broadcast */
#define	KPI_MF_MCAST	0x2u		/* link-layer multicast */

/*
 * kpi_mbuf_get: an empty packet with room for len bytes behind headroom free bytes.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: the caller owns the packet; NULL when there is no memory
 *  netbsd: m_gethdr(9), m_getcl(9), MEXTMALLOC
 *  freebsd: m_get2(9), m_getm2(9)
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_get(uint32_t len, uint32_t headroom);

/*
 * kpi_mbuf_free: free a whole packet.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: consumes m
 *  netbsd: m_freem(9)
 *  freebsd: m_freem(9)
 *  host: mbuf.rs
 */
void	 kpi_mbuf_free(struct kpi_mbuf *m);

/*
 * kpi_mbuf_len: bytes in the packet.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_pkthdr.len
 *  freebsd: m_pkthdr.len
 *  host: mbuf.rs
 */
uint32_t kpi_mbuf_len(const struct kpi_mbuf *m);

/*
 * kpi_mbuf_head: the first segment's bytes and, in *len, their number.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: the bytes are valid until m is next passed to a kpi_mbuf function
 *  netbsd: mtod(9), m_len
 *  freebsd: mtod(9), m_len
 *  host: mbuf.rs
 */
const uint8_t *kpi_mbuf_head(const struct kpi_mbuf *m, uint32_t *len);

/*
 * kpi_mbuf_head_mut: as kpi_mbuf_head, or NULL when the segment is shared or read-only.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: the bytes are valid until m is next passed to a kpi_mbuf function
 *  netbsd: mtod(9), M_READONLY
 *  freebsd: mtod(9), M_WRITABLE
 *  host: mbuf.rs
 */
uint8_t	*kpi_mbuf_head_mut(struct kpi_mbuf *m, uint32_t *len);

/*
 * kpi_mbuf_pullup: make the first n bytes contiguous; n is at most 128 and at most the length.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: consumes m and returns the packet; on NULL m is already freed
 *  netbsd: m_pullup(9)
 *  freebsd: m_pullup(9)
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_pullup(struct kpi_mbuf *m, uint32_t n);

/*
 * kpi_mbuf_writable: make the first n bytes contiguous and writable, copying what is shared;
 * n is at most 128 and at most the length.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: consumes m and returns the packet; on NULL m is already freed
 *  netbsd: M_READONLY, m_copyup(9)
 *  freebsd: M_WRITABLE, m_copyup(9)
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_writable(struct kpi_mbuf *m, uint32_t n);

/*
 * kpi_mbuf_prepend: n writable contiguous bytes in front, contents unspecified; n is at most 128.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: consumes m and returns the packet; on NULL m is already freed
 *  netbsd: M_PREPEND(9), m_pullup(9)
 *  freebsd: M_PREPEND(9), m_pullup(9)
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_prepend(struct kpi_mbuf *m, uint32_t n);

/*
 * kpi_mbuf_trim_front: cut n bytes off the front; n is at most the length.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_adj(9)
 *  freebsd: m_adj(9)
 *  host: mbuf.rs
 */
void	 kpi_mbuf_trim_front(struct kpi_mbuf *m, uint32_t n);

/*
 * kpi_mbuf_trim_back: cut n bytes off the end; n is at most the length.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_adj(9)
 *  freebsd: m_adj(9)
 *  host: mbuf.rs
 */
void	 kpi_mbuf_trim_back(struct kpi_mbuf *m, uint32_t n);

/*
 * kpi_mbuf_copydata: copy len bytes from off into buf; KPI_EINVAL when out of range.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_copydata(9)
 *  freebsd: m_copydata(9)
 *  host: mbuf.rs
 */
int32_t	 kpi_mbuf_copydata(const struct kpi_mbuf *m, uint32_t off, uint32_t len, uint8_t *buf);

/*
 * kpi_mbuf_append: add len bytes at the end; KPI_ENOBUFS leaves m as it was.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_copyback_cow(9)
 *  freebsd: m_append(9)
 *  host: mbuf.rs
 */
int32_t	 kpi_mbuf_append(struct kpi_mbuf *m, const uint8_t *buf, uint32_t len);

/*
 * kpi_mbuf_dup: a second packet over the same bytes, clusters shared; NULL without memory.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: the caller owns both packets
 *  netbsd: m_copypacket(9)
 *  freebsd: m_copypacket(9)
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_dup(const struct kpi_mbuf *m);

/*
 * kpi_mbuf_next: the packet queued behind m, or NULL.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_nextpkt
 *  freebsd: m_nextpkt
 *  host: mbuf.rs
 */
struct kpi_mbuf *kpi_mbuf_next(const struct kpi_mbuf *m);

/*
 * kpi_mbuf_set_next: queue next, which may be NULL, behind m.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: the link does not own; whoever walks the queue frees
 *  netbsd: m_nextpkt
 *  freebsd: m_nextpkt
 *  host: mbuf.rs
 */
void	 kpi_mbuf_set_next(struct kpi_mbuf *m, struct kpi_mbuf *next);

/*
 * kpi_mbuf_flags: KPI_MF_* of the packet.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_flags
 *  freebsd: m_flags
 *  host: mbuf.rs
 */
uint32_t kpi_mbuf_flags(const struct kpi_mbuf *m);

/*
 * kpi_mbuf_mark: the number that kpi_mbuf_set_mark left on the packet; 0: none.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_tag(9), a tag of our own
 *  freebsd: m_tag(9), a tag of our own
 *  host: mbuf.rs
 */
uint32_t kpi_mbuf_mark(const struct kpi_mbuf *m);

/*
 * kpi_mbuf_set_mark: a number that stays with the packet between hooks; KPI_ENOBUFS leaves
 * the one before.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_tag(9), a tag of our own
 *  freebsd: m_tag(9), a tag of our own
 *  host: mbuf.rs
 */
int32_t	 kpi_mbuf_set_mark(struct kpi_mbuf *m, uint32_t mark);

/*
 * kpi_mbuf_renew: forget what belonged to the old headers: flags, checksum and offload state,
 * flow id, mark, filter tags.  Loop tags (kpi_if_check_nesting) stay.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: m_flags, m_pkthdr.csum_flags, m_tag(9)
 *  freebsd: m_flags, m_pkthdr.csum_flags, m_tag(9)
 *  host: mbuf.rs
 */
void	 kpi_mbuf_renew(struct kpi_mbuf *m);

#endif /* _KPI_MBUF_H_ */
