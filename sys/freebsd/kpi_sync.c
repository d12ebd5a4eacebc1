/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Locks and read sections: sx(9), mutex(9), epoch(9).  Passive references come from the
 * Rust crate sys/psref, which is linked into the same object.
 */
#include "kpi_impl.h"

#include <sys/mutex.h>
#include <sys/pcpu.h>
#include <sys/smp.h>

/* A lock and its name, which sx(9) keeps a pointer to. */
struct kpi_mutex {
	struct sx	 km_sx;
	char		 km_name[32];
};

_Static_assert(sizeof(struct epoch_tracker) <= sizeof(struct kpi_epoch),
    "struct kpi_epoch has no room for an epoch_tracker");
_Static_assert(_Alignof(struct epoch_tracker) <= _Alignof(struct kpi_epoch),
    "struct kpi_epoch is not aligned as an epoch_tracker");

_Static_assert(sizeof(struct mtx) <= sizeof(struct kpi_spin),
    "struct kpi_spin has no room for a mtx");
_Static_assert(_Alignof(struct mtx) <= _Alignof(struct kpi_spin),
    "struct kpi_spin is not aligned as a mtx");

struct kpi_mutex *
kpi_mutex_create(const char *name, uint32_t namelen)
{
	struct kpi_mutex *mtx;

	mtx = malloc(sizeof(*mtx), M_ROPEWALK, M_WAITOK | M_ZERO);
	memcpy(mtx->km_name, name, MIN(namelen, sizeof(mtx->km_name) - 1));
	/*
	 * One name may stand for many locks; those are taken in the order
	 * that their owner gives, which witness(4) cannot know.
	 */
	sx_init_flags(&mtx->km_sx, mtx->km_name, SX_DUPOK);
	return (mtx);
}

void
kpi_mutex_destroy(struct kpi_mutex *mtx)
{

	sx_destroy(&mtx->km_sx);
	free(mtx, M_ROPEWALK);
}

void
kpi_mutex_enter(struct kpi_mutex *mtx)
{

	sx_xlock(&mtx->km_sx);
}

void
kpi_mutex_exit(struct kpi_mutex *mtx)
{

	sx_xunlock(&mtx->km_sx);
}

/*
 * A thread that waits for one may be preempted and the holder run: it may be taken
 * in a read section and by an interrupt thread.  Several are taken by address.
 */
void
kpi_spin_init(struct kpi_spin *s)
{

	mtx_init((struct mtx *)s, "ropewalk spin", NULL,
	    MTX_DEF | MTX_DUPOK | MTX_NEW);
}

void
kpi_spin_destroy(struct kpi_spin *s)
{

	mtx_destroy((struct mtx *)s);
}

void
kpi_spin_enter(struct kpi_spin *s)
{

	mtx_lock((struct mtx *)s);
}

void
kpi_spin_exit(struct kpi_spin *s)
{

	mtx_unlock((struct mtx *)s);
}

void
kpi_epoch_enter(struct kpi_epoch *e)
{

	epoch_enter_preempt(net_epoch_preempt, (epoch_tracker_t)e);
}

void
kpi_epoch_exit(struct kpi_epoch *e)
{

	epoch_exit_preempt(net_epoch_preempt, (epoch_tracker_t)e);
}

void
kpi_epoch_wait(void)
{

	epoch_wait_preempt(net_epoch_preempt);
}

void
kpi_pause(uint32_t us)
{

	(void)pause_sbt("ropewalk", us * SBT_1US, 0, C_PREL(1));
}

uint32_t
kpi_ncpu(void)
{

	return ((uint32_t)mp_maxid + 1);
}

uint32_t
kpi_cpu_index(void)
{

	return ((uint32_t)curcpu);
}
