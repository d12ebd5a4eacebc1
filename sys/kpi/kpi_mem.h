/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Kernel memory.  Every allocation can fail; the caller says whether it can wait.
 */
#ifndef _KPI_MEM_H_
#define _KPI_MEM_H_

#define	KPI_M_NOWAIT	0x0u	/* fail rather than sleep */
#define	KPI_M_SLEEP	0x1u	/* may sleep; may still fail when the size is absurd */
#define	KPI_M_ZERO	0x2u	/* zeroed; otherwise the contents are unspecified */

/*
 * kpi_alloc: n bytes aligned to 16 (64 for n >= 64), or NULL; n is at least 1.
 *  ctx: any
 *  sleeps: with KPI_M_SLEEP
 *  locks: none
 *  owns: the caller owns the memory and frees it with kpi_free(p, n)
 *  netbsd: kmem_alloc(9), kmem_intr_alloc(9)
 *  freebsd: malloc(9)
 *  host: mem.rs
 */
void	*kpi_alloc(size_t n, uint32_t flags);

/*
 * kpi_free: give memory back; n is the size that was asked for.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: consumes p, which must not be NULL
 *  netbsd: kmem_free(9), kmem_intr_free(9)
 *  freebsd: free(9)
 *  host: mem.rs
 */
void	 kpi_free(void *p, size_t n);

#endif /* _KPI_MEM_H_ */
