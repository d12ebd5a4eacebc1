/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Tasks: a kthread(9) each, asleep on a cv(9) until it is due.
 *
 * Locking: kt_lock guards kt_due and kt_dying.  It is a spin mutex, since work is
 * scheduled from the packet path as well.
 */
#include <sys/param.h>
#include <sys/condvar.h>
#include <sys/kthread.h>
#include <sys/lwp.h>

#include "kpi_impl.h"

struct kpi_task {
	kmutex_t	 kt_lock;
	kcondvar_t	 kt_cv;
	void		(*kt_fn)(void *);
	void		*kt_arg;
	struct lwp	*kt_lwp;
	uint64_t	 kt_due;	/* uptime in ns; 0: nothing is scheduled */
	bool		 kt_dying;
};

/* Sleep until t is due, once; false: it is. */
static bool
kpi_task_sleep(struct kpi_task *t)
{
	uint64_t now, ticks;

	if (t->kt_due == 0) {
		cv_wait(&t->kt_cv, &t->kt_lock);
		return true;
	}
	now = kpi_uptime_ns();
	if (now >= t->kt_due)
		return false;
	ticks = ((t->kt_due - now) / 1000 * hz + 999999) / 1000000;
	(void)cv_timedwait(&t->kt_cv, &t->kt_lock,
	    (int)MIN(MAX(ticks, 1), INT_MAX));
	return true;
}

static void
kpi_task_thread(void *arg)
{
	struct kpi_task *t = arg;

	mutex_enter(&t->kt_lock);
	while (!t->kt_dying) {
		if (kpi_task_sleep(t))
			continue;
		t->kt_due = 0;
		mutex_exit(&t->kt_lock);
		(*t->kt_fn)(t->kt_arg);
		mutex_enter(&t->kt_lock);
	}
	mutex_exit(&t->kt_lock);
	kthread_exit(0);
}

struct kpi_task *
kpi_task_create(void (*fn)(void *), void *arg)
{
	struct kpi_task *t;
	int error;

	t = kmem_zalloc(sizeof(*t), KM_SLEEP);
	t->kt_fn = fn;
	t->kt_arg = arg;
	mutex_init(&t->kt_lock, MUTEX_DEFAULT, IPL_VM);
	cv_init(&t->kt_cv, "ropewalk");
	error = kthread_create(PRI_NONE, KTHREAD_MPSAFE | KTHREAD_MUSTJOIN, NULL,
	    kpi_task_thread, t, &t->kt_lwp, "ropewalk");
	if (error == 0)
		return t;
	cv_destroy(&t->kt_cv);
	mutex_destroy(&t->kt_lock);
	kmem_free(t, sizeof(*t));
	return NULL;
}

void
kpi_task_schedule(struct kpi_task *t, uint32_t ms)
{

	mutex_enter(&t->kt_lock);
	t->kt_due = kpi_uptime_ns() + (uint64_t)ms * 1000000;
	cv_signal(&t->kt_cv);
	mutex_exit(&t->kt_lock);
}

void
kpi_task_destroy(struct kpi_task *t)
{

	mutex_enter(&t->kt_lock);
	t->kt_dying = true;
	cv_signal(&t->kt_cv);
	mutex_exit(&t->kt_lock);
	(void)kthread_join(t->kt_lwp);
	cv_destroy(&t->kt_cv);
	mutex_destroy(&t->kt_lock);
	kmem_free(t, sizeof(*t));
}
