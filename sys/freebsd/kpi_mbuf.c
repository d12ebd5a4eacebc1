/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Packets over mbuf(9).
 */
#include "kpi_impl.h"

#define	KPI_CONTIG_MAX	128
#define	KPI_PACKET_MAX	(65535 + KPI_CONTIG_MAX)

_Static_assert(KPI_CONTIG_MAX <= MHLEN, "m_pullup(9) cannot do what kpi.h says");

/* Flags that describe the buffer rather than what is in it. */
#define	KPI_KEEP_FLAGS	(M_PKTHDR | M_EXT | M_RDONLY | M_NOFREE | M_EXTPG)

struct kpi_mbuf *
kpi_mbuf_get(uint32_t len, uint32_t headroom)
{
	struct mbuf *m;
	size_t room;

	if (len > KPI_PACKET_MAX || headroom > KPI_CONTIG_MAX)
		return (NULL);
	room = (size_t)len + headroom;
	/*
	 * One segment up to a page; kpi_mbuf_append adds more.  Larger clusters
	 * need contiguous memory, which a router that has run for a year lacks.
	 */
	if (room <= MJUMPAGESIZE)
		m = m_get2((int)room, M_NOWAIT, MT_DATA, M_PKTHDR);
	else
		m = m_getjcl(M_NOWAIT, MT_DATA, M_PKTHDR, MJUMPAGESIZE);
	if (m == NULL)
		return (NULL);
	m->m_data += headroom;
	m->m_len = 0;
	m->m_pkthdr.len = 0;
	return ((struct kpi_mbuf *)m);
}

void
kpi_mbuf_free(struct kpi_mbuf *m)
{

	m_freem(kpi_m(m));
}

uint32_t
kpi_mbuf_len(const struct kpi_mbuf *m)
{

	return ((uint32_t)kpi_cm(m)->m_pkthdr.len);
}

const uint8_t *
kpi_mbuf_head(const struct kpi_mbuf *m, uint32_t *len)
{

	*len = (uint32_t)kpi_cm(m)->m_len;
	return (mtod(kpi_cm(m), const uint8_t *));
}

uint8_t *
kpi_mbuf_head_mut(struct kpi_mbuf *km, uint32_t *len)
{
	struct mbuf *m = kpi_m(km);

	if (!M_WRITABLE(m))
		return (NULL);
	*len = (uint32_t)m->m_len;
	return (mtod(m, uint8_t *));
}

struct kpi_mbuf *
kpi_mbuf_pullup(struct kpi_mbuf *km, uint32_t n)
{
	struct mbuf *m = kpi_m(km);

	if ((uint32_t)m->m_len >= n)
		return (km);
	return ((struct kpi_mbuf *)m_pullup(m, (int)n));
}

struct kpi_mbuf *
kpi_mbuf_writable(struct kpi_mbuf *km, uint32_t n)
{
	struct mbuf *m = kpi_m(km);

	/* What m_pullup(9) gathers lies in the mbuf itself, and so is nobody else's. */
	if ((uint32_t)m->m_len < n)
		return ((struct kpi_mbuf *)m_pullup(m, (int)n));
	if (M_WRITABLE(m))
		return (km);
	return ((struct kpi_mbuf *)m_copyup(m, (int)n,
	    (int)MIN(max_linkhdr, MHLEN - n)));
}

struct kpi_mbuf *
kpi_mbuf_prepend(struct kpi_mbuf *km, uint32_t n)
{
	struct mbuf *m = kpi_m(km);

	M_PREPEND(m, (int)n, M_NOWAIT);
	return ((struct kpi_mbuf *)m);
}

void
kpi_mbuf_trim_front(struct kpi_mbuf *m, uint32_t n)
{

	m_adj(kpi_m(m), (int)n);
}

void
kpi_mbuf_trim_back(struct kpi_mbuf *m, uint32_t n)
{

	m_adj(kpi_m(m), -(int)n);
}

int32_t
kpi_mbuf_copydata(const struct kpi_mbuf *m, uint32_t off, uint32_t len,
    uint8_t *buf)
{
	uint32_t total = kpi_mbuf_len(m);

	if (off > total || len > total - off)
		return (KPI_EINVAL);
	m_copydata(kpi_ucm(m), (int)off, (int)len, buf);
	return (0);
}

static int
kpi_m_append(struct mbuf *m, const uint8_t *buf, size_t len)
{
	struct mbuf *fresh = NULL, *last, **tail = &fresh, *n;
	const uint8_t *p = buf;
	size_t chunk, here, left;

	for (last = m; last->m_next != NULL; last = last->m_next)
		continue;
	here = (size_t)MAX(M_TRAILINGSPACE(last), 0);
	here = MIN(here, len);

	/* Get all the memory before the packet is touched. */
	for (left = len - here; left > 0; left -= chunk) {
		n = m_get(M_NOWAIT, MT_DATA);
		if (n == NULL)
			goto fail;
		*tail = n;
		tail = &n->m_next;
		chunk = MLEN;
		if (left > MLEN) {
			MCLGET(n, M_NOWAIT);
			if ((n->m_flags & M_EXT) == 0)
				goto fail;
			chunk = MCLBYTES;
		}
		chunk = MIN(chunk, left);
		n->m_len = (int)chunk;
	}
	memcpy(mtod(last, uint8_t *) + last->m_len, p, here);
	last->m_len += (int)here;
	p += here;
	for (n = fresh; n != NULL; n = n->m_next) {
		memcpy(mtod(n, void *), p, (size_t)n->m_len);
		p += n->m_len;
	}
	last->m_next = fresh;
	m->m_pkthdr.len += (int)len;
	return (0);
fail:
	m_freem(fresh);
	return (ENOBUFS);
}

int32_t
kpi_mbuf_append(struct kpi_mbuf *m, const uint8_t *buf, uint32_t len)
{

	return (kpi_m_append(kpi_m(m), buf, len));
}

struct kpi_mbuf *
kpi_mbuf_dup(const struct kpi_mbuf *m)
{

	return ((struct kpi_mbuf *)m_copypacket(kpi_ucm(m), M_NOWAIT));
}

struct kpi_mbuf *
kpi_mbuf_next(const struct kpi_mbuf *m)
{

	return ((struct kpi_mbuf *)kpi_cm(m)->m_nextpkt);
}

void
kpi_mbuf_set_next(struct kpi_mbuf *m, struct kpi_mbuf *next)
{

	kpi_m(m)->m_nextpkt = kpi_m(next);
}

uint32_t
kpi_mbuf_flags(const struct kpi_mbuf *m)
{
	uint32_t flags = 0;

	if (kpi_cm(m)->m_flags & M_BCAST)
		flags |= KPI_MF_BCAST;
	if (kpi_cm(m)->m_flags & M_MCAST)
		flags |= KPI_MF_MCAST;
	return (flags);
}

struct kpi_ptag *
kpi_ptag(struct mbuf *m, bool make)
{
	struct kpi_ptag *pt;
	struct m_tag *t;

	t = m_tag_locate(m, KPI_MTAG_COOKIE, KPI_MTAG_PFIL, NULL);
	if (t == NULL && make) {
		t = m_tag_alloc(KPI_MTAG_COOKIE, KPI_MTAG_PFIL, sizeof(*pt),
		    M_NOWAIT);
		if (t == NULL)
			return (NULL);
		memset(t + 1, 0, sizeof(*pt));
		m_tag_prepend(m, t);
	}
	return (t == NULL ? NULL : (struct kpi_ptag *)(t + 1));
}

uint32_t
kpi_mbuf_mark(const struct kpi_mbuf *m)
{
	const struct kpi_ptag *pt = kpi_ptag(kpi_ucm(m), false);

	return (pt == NULL ? 0 : pt->pt_mark);
}

int32_t
kpi_mbuf_set_mark(struct kpi_mbuf *m, uint32_t mark)
{
	struct kpi_ptag *pt = kpi_ptag(kpi_m(m), mark != 0);

	if (pt != NULL)
		pt->pt_mark = mark;
	return (pt != NULL || mark == 0 ? 0 : KPI_ENOBUFS);
}

void
kpi_mbuf_renew(struct kpi_mbuf *km)
{
	struct mbuf *m = kpi_m(km);
	struct m_tag *t, *next;

	m->m_flags &= KPI_KEEP_FLAGS;
	if ((m->m_pkthdr.csum_flags & CSUM_SND_TAG) != 0)
		m_snd_tag_rele(m->m_pkthdr.snd_tag);
	m->m_pkthdr.rcvif = NULL;
	m->m_pkthdr.csum_flags = 0;
	m->m_pkthdr.csum_data = 0;
	m->m_pkthdr.flowid = 0;
	m->m_pkthdr.ether_vtag = 0;
	M_HASHTYPE_CLEAR(m);
	/* The loop tags (kpi_if.c) and those of mac(9) stay. */
	SLIST_FOREACH_SAFE(t, &m->m_pkthdr.tags, m_tag_link, next) {
		if (t->m_tag_cookie == KPI_MTAG_COOKIE ?
		    t->m_tag_id != KPI_MTAG_NESTING :
		    (t->m_tag_id & MTAG_PERSISTENT) == 0)
			m_tag_delete(m, t);
	}
}
