/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Tasks: a timeout_task each, on a taskqueue(9) of its own: one that sleeps holds up
 * no other.
 */
#include "kpi_impl.h"

#include <sys/priority.h>
#include <sys/taskqueue.h>

struct kpi_task {
	struct taskqueue *kt_queue;
	struct timeout_task kt_task;
	void		(*kt_fn)(void *);
	void		*kt_arg;
};

static void
kpi_task_run(void *arg, int pending __unused)
{
	struct kpi_task *t = arg;

	(*t->kt_fn)(t->kt_arg);
}

struct kpi_task *
kpi_task_create(void (*fn)(void *), void *arg)
{
	struct kpi_task *t;

	t = malloc(sizeof(*t), M_ROPEWALK, M_WAITOK | M_ZERO);
	t->kt_fn = fn;
	t->kt_arg = arg;
	t->kt_queue = taskqueue_create("ropewalk", M_WAITOK,
	    taskqueue_thread_enqueue, &t->kt_queue);
	TIMEOUT_TASK_INIT(t->kt_queue, &t->kt_task, 0, kpi_task_run, t);
	if (taskqueue_start_threads(&t->kt_queue, 1, PWAIT, "ropewalk") != 0) {
		taskqueue_free(t->kt_queue);
		free(t, M_ROPEWALK);
		return (NULL);
	}
	return (t);
}

void
kpi_task_schedule(struct kpi_task *t, uint32_t ms)
{

	/* By the timer always: without, one that is set already would run as well. */
	(void)taskqueue_enqueue_timeout_sbt(t->kt_queue, &t->kt_task,
	    MAX(ms, 1) * SBT_1MS, 0, 0);
}

void
kpi_task_destroy(struct kpi_task *t)
{

	/* While it drains it cannot schedule itself. */
	while (taskqueue_cancel_timeout(t->kt_queue, &t->kt_task, NULL) != 0)
		taskqueue_drain_timeout(t->kt_queue, &t->kt_task);
	taskqueue_free(t->kt_queue);
	free(t, M_ROPEWALK);
}
