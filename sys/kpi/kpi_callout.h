/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers.  A callout's handler runs in softint context, a task's in thread context;
 * both may schedule themselves again.
 */
#ifndef _KPI_CALLOUT_H_
#define _KPI_CALLOUT_H_

struct kpi_callout;			/* opaque */
struct kpi_task;			/* opaque */

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

/*
 * kpi_task_create: work that may sleep and wait for readers, done by fn(arg), one run at a
 * time; NULL without memory.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller destroys it; fn and arg stay valid until then
 *  netbsd: kthread_create(9), cv_timedwait(9)
 *  freebsd: TIMEOUT_TASK_INIT(9) on a taskqueue(9) of ours
 *  host: callout.rs, a thread of its own
 */
struct kpi_task *kpi_task_create(void (*fn)(void *arg), void *arg);

/*
 * kpi_task_schedule: run once, ms milliseconds from now; replaces an earlier schedule.  While
 * it runs: once more afterwards.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: cv_signal(9)
 *  freebsd: taskqueue_enqueue_timeout(9)
 *  host: callout.rs (virtual clock in tests)
 */
void	 kpi_task_schedule(struct kpi_task *t, uint32_t ms);

/*
 * kpi_task_destroy: forget what is scheduled, wait for a run, and free.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none that the run takes; not from the run
 *  owns: consumes t
 *  netbsd: kthread_join(9)
 *  freebsd: taskqueue_cancel_timeout(9), taskqueue_drain_timeout(9)
 *  host: callout.rs
 */
void	 kpi_task_destroy(struct kpi_task *t);

#endif /* _KPI_CALLOUT_H_ */
