/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers.  The handler runs in softint context and may schedule its own callout.
 */
#ifndef _KPI_CALLOUT_H_
#define _KPI_CALLOUT_H_

struct kpi_callout;			/* opaque */

/*
 * kpi_callout_create: a timer that will call fn(arg); NULL without memory.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller destroys it; fn and arg stay valid until then
 *  netbsd: callout_init(9), CALLOUT_MPSAFE
 *  freebsd: callout_init(9), mpsafe
 *  host: callout.rs
 */
struct kpi_callout *kpi_callout_create(void (*fn)(void *arg), void *arg);

/*
 * kpi_callout_schedule: fire once, ms milliseconds from now; replaces an earlier schedule.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: callout_schedule(9)
 *  freebsd: callout_reset_sbt(9)
 *  host: callout.rs (virtual clock in tests)
 */
void	 kpi_callout_schedule(struct kpi_callout *c, uint32_t ms);

/*
 * kpi_callout_destroy: stop, wait for a handler that runs, and free.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none that the handler takes; not from the handler
 *  owns: consumes c
 *  netbsd: callout_halt(9), callout_destroy(9)
 *  freebsd: callout_drain(9)
 *  host: callout.rs
 */
void	 kpi_callout_destroy(struct kpi_callout *c);

#endif /* _KPI_CALLOUT_H_ */
