/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernel memory over kmem(9).
 *
 * kmem(9) aligns to the coherency unit from that size up, and below it to the
 * cache's size, which divides the unit: a request of a multiple of 16 bytes is
 * so aligned as the contract says, also where a debug kernel adds a trailer.
 */
#include "kpi_impl.h"

CTASSERT(COHERENCY_UNIT >= 64);

/* More than this is a bug or an attack; KM_SLEEP would wait for ever. */
#define	KPI_ALLOC_MAX	(256UL * 1024 * 1024)

void *
kpi_alloc(size_t n, uint32_t flags)
{
	size_t size;
	void *p;

	if (n == 0 || n > KPI_ALLOC_MAX)
		return NULL;
	size = roundup2(n, 16);
	if (flags & KPI_M_SLEEP)
		p = kmem_alloc(size, KM_SLEEP);
	else
		p = kmem_intr_alloc(size, KM_NOSLEEP);
	if (p == NULL)
		return NULL;
	KASSERT(((uintptr_t)p & (n >= 64 ? 63 : 15)) == 0);
	if (flags & KPI_M_ZERO)
		memset(p, 0, size);
	return p;
}

void
kpi_free(void *p, size_t n)
{

	/* May be called from a softint, so not kmem_free(9). */
	kmem_intr_free(p, roundup2(n, 16));
}
