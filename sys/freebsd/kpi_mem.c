/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernel memory over malloc(9).
 */
#include "kpi_impl.h"

MALLOC_DEFINE(M_ROPEWALK, "ropewalk", "Ropewalk kernel modules");

/* More than this is a bug or an attack; M_WAITOK would wait for ever. */
#define	KPI_ALLOC_MAX	(256UL * 1024 * 1024)

void *
kpi_alloc(size_t n, uint32_t flags)
{
	int how;

	if (n == 0 || n > KPI_ALLOC_MAX)
		return (NULL);
	how = (flags & KPI_M_SLEEP) != 0 ? M_WAITOK : M_NOWAIT;
	if ((flags & KPI_M_ZERO) != 0)
		how |= M_ZERO;
	return (malloc_aligned(n, n >= 64 ? 64 : 16, M_ROPEWALK, how));
}

void
kpi_free(void *p, size_t n __unused)
{

	free(p, M_ROPEWALK);
}
