/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Locks, read sections and passive references: mutex(9), pserialize(9), psref(9).
 * A spin is of IPL_VM: an adaptive mutex could sleep within a read section.
 *
 * Locking: kpi_psz_lock serialises pserialize_perform(9), which allows one
 * caller at a time on a pserialize_t.
 */
#include <sys/param.h>
#include <sys/cpu.h>
#include <sys/lwp.h>
#include <sys/percpu.h>
#include <sys/proc.h>

#include "kpi_impl.h"

/* A psref remembers beside itself whether its holder had been bound before. */
struct kpi_psref_impl {
	struct psref	 pi_psref;
	int		 pi_bound;
};

CTASSERT(sizeof(kmutex_t) <= sizeof(struct kpi_spin));
CTASSERT(__alignof(kmutex_t) <= __alignof(struct kpi_spin));
CTASSERT(sizeof(struct kpi_psref_impl) <= sizeof(struct kpi_psref));
CTASSERT(sizeof(struct psref_target) <= sizeof(struct kpi_psref_target));
CTASSERT(__alignof(struct kpi_psref_impl) <= __alignof(struct kpi_psref));
CTASSERT(__alignof(struct psref_target) <= __alignof(struct kpi_psref_target));

struct psref_class *kpi_psref_class __read_mostly;

static pserialize_t kpi_psz __read_mostly;
static kmutex_t kpi_psz_lock;
static percpu_t *kpi_cpu_numbers __read_mostly;
static volatile uint32_t kpi_cpu_next;

static void
kpi_cpu_number_init(void *p, void *arg __unused, struct cpu_info *ci __unused)
{
	uint32_t *number = p;

	*number = kpi_cpu_next++;
}

int
kpi_sync_init(void)
{

	kpi_psref_class = psref_class_create("ropewalk", IPL_SOFTNET);
	kpi_psz = pserialize_create();
	mutex_init(&kpi_psz_lock, MUTEX_DEFAULT, IPL_NONE);
	/* Numbers of our own: the layout of cpu_info is the kernel's business. */
	kpi_cpu_next = 0;
	kpi_cpu_numbers = percpu_create(sizeof(uint32_t), kpi_cpu_number_init,
	    NULL, NULL);
	return 0;
}

void
kpi_sync_fini(void)
{

	percpu_free(kpi_cpu_numbers, sizeof(uint32_t));
	mutex_destroy(&kpi_psz_lock);
	pserialize_destroy(kpi_psz);
	psref_class_destroy(kpi_psref_class);
}

struct kpi_mutex *
kpi_mutex_create(const char *name __unused, uint32_t namelen __unused)
{

	/* LOCKDEBUG knows a mutex by its address and where it was made. */
	return (struct kpi_mutex *)mutex_obj_alloc(MUTEX_DEFAULT, IPL_NONE);
}

void
kpi_mutex_destroy(struct kpi_mutex *mtx)
{

	mutex_obj_free((kmutex_t *)mtx);
}

void
kpi_mutex_enter(struct kpi_mutex *mtx)
{

	mutex_enter((kmutex_t *)mtx);
}

void
kpi_mutex_exit(struct kpi_mutex *mtx)
{

	mutex_exit((kmutex_t *)mtx);
}

void
kpi_spin_init(struct kpi_spin *s)
{

	mutex_init((kmutex_t *)s, MUTEX_DEFAULT, IPL_VM);
}

void
kpi_spin_destroy(struct kpi_spin *s)
{

	mutex_destroy((kmutex_t *)s);
}

void
kpi_spin_enter(struct kpi_spin *s)
{

	mutex_enter((kmutex_t *)s);
}

void
kpi_spin_exit(struct kpi_spin *s)
{

	mutex_exit((kmutex_t *)s);
}

void
kpi_epoch_enter(struct kpi_epoch *e)
{

	e->ke_opaque[0] = (uint64_t)(unsigned int)pserialize_read_enter();
}

void
kpi_epoch_exit(struct kpi_epoch *e)
{

	pserialize_read_exit((int)(unsigned int)e->ke_opaque[0]);
}

void
kpi_epoch_wait(void)
{

	mutex_enter(&kpi_psz_lock);
	pserialize_perform(kpi_psz);
	mutex_exit(&kpi_psz_lock);
}

void
kpi_psref_target_init(struct kpi_psref_target *t)
{

	psref_target_init((struct psref_target *)t, kpi_psref_class);
}

void
kpi_psref_target_destroy(struct kpi_psref_target *t)
{

	psref_target_destroy((struct psref_target *)t, kpi_psref_class);
}

void
kpi_psref_acquire(struct kpi_psref *r, struct kpi_psref_target *t)
{
	struct kpi_psref_impl *pi = (struct kpi_psref_impl *)r;

	/*
	 * Passive references are per CPU: the holder must stay on this one.
	 * The caller is in a read section, so it cannot move before it is bound.
	 */
	pi->pi_bound = curlwp_bind();
	psref_acquire(&pi->pi_psref, (struct psref_target *)t, kpi_psref_class);
}

void
kpi_psref_release(struct kpi_psref *r, struct kpi_psref_target *t)
{
	struct kpi_psref_impl *pi = (struct kpi_psref_impl *)r;

	psref_release(&pi->pi_psref, (struct psref_target *)t, kpi_psref_class);
	/* References of one thread end in LIFO order, so this nests. */
	curlwp_bindx(pi->pi_bound);
}

void
kpi_pause(uint32_t us)
{
	uint64_t ticks;

	/* One more: the tick that runs now is partly over. */
	ticks = ((uint64_t)us * hz + 999999) / 1000000 + 1;
	(void)kpause("ropewalk", false, (int)MIN(ticks, INT_MAX), NULL);
}

uint32_t
kpi_ncpu(void)
{

	return maxcpus;
}

uint32_t
kpi_cpu_index(void)
{
	const uint32_t *number;
	uint32_t n;

	number = percpu_getref(kpi_cpu_numbers);
	n = *number;
	percpu_putref(kpi_cpu_numbers);
	return n;
}
