/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Locks for writers, read sections and passive references for readers, and the
 * CPU that we run on.
 *
 * The order of a writer who retires a value: unpublish it, kpi_epoch_wait(),
 * kpi_psref_target_destroy(), free it.  A reader takes a passive reference only
 * within a read section in which it saw the value published; so once
 * kpi_epoch_wait() has returned no new reference can appear.
 */
#ifndef _KPI_SYNC_H_
#define _KPI_SYNC_H_

struct kpi_mutex;			/* opaque */

/* Room for the OS's lock.  Does not move from kpi_spin_init to kpi_spin_destroy. */
struct kpi_spin {
	uint64_t	 ks_opaque[8];
};

/* Room for the OS's record of one read section; lives on the stack. */
struct kpi_epoch {
	uint64_t	 ke_opaque[8];
};

/* Embedded in what is referenced. */
struct kpi_psref_target {
	uint64_t	 kt_opaque[2];
};

/* One reference held; lives on the stack of its holder. */
struct kpi_psref {
	uint64_t	 kp_opaque[6];
};

/*
 * kpi_mutex_create: a mutex for thread context, or NULL.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller destroys it with kpi_mutex_destroy
 *  netbsd: mutex_obj_alloc(9), IPL_NONE
 *  freebsd: sx_init(9) in allocated memory
 *  host: sync.rs
 */
struct kpi_mutex *kpi_mutex_create(const char *name, uint32_t namelen);

/*
 * kpi_mutex_destroy: free a mutex that nobody holds.
 *  ctx: thread
 *  sleeps: no
 *  locks: not held
 *  owns: consumes mtx
 *  netbsd: mutex_obj_free(9)
 *  freebsd: sx_destroy(9)
 *  host: sync.rs
 */
void	 kpi_mutex_destroy(struct kpi_mutex *mtx);

/*
 * kpi_mutex_enter: lock; recursion is a bug that debug kernels report.
 *  ctx: thread
 *  sleeps: yes
 *  locks: mtx not held by the caller; not within a read section
 *  owns: nothing
 *  netbsd: mutex_enter(9)
 *  freebsd: sx_xlock(9)
 *  host: sync.rs
 */
void	 kpi_mutex_enter(struct kpi_mutex *mtx);

/*
 * kpi_mutex_exit: unlock, by the thread that locked.
 *  ctx: thread
 *  sleeps: no
 *  locks: mtx held
 *  owns: nothing
 *  netbsd: mutex_exit(9)
 *  freebsd: sx_xunlock(9)
 *  host: sync.rs
 */
void	 kpi_mutex_exit(struct kpi_mutex *mtx);

/*
 * kpi_spin_init: a lock for a few instructions, among the packet path and threads.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: s is in use until kpi_spin_destroy
 *  netbsd: mutex_init(9), IPL_VM
 *  freebsd: mtx_init(9), MTX_DEF
 *  host: spin.rs
 */
void	 kpi_spin_init(struct kpi_spin *s);

/*
 * kpi_spin_destroy: the end of a lock that nobody holds.
 *  ctx: any
 *  sleeps: no
 *  locks: not held
 *  owns: s may be reused
 *  netbsd: mutex_destroy(9)
 *  freebsd: mtx_destroy(9)
 *  host: spin.rs
 */
void	 kpi_spin_destroy(struct kpi_spin *s);

/*
 * kpi_spin_enter: lock.  Until it is left nothing that sleeps, sends or waits may be called.
 *  ctx: any
 *  sleeps: no
 *  locks: s not held by the caller; of several spins the one at the lower address comes first
 *  owns: nothing
 *  netbsd: mutex_enter(9)
 *  freebsd: mtx_lock(9)
 *  host: spin.rs
 */
void	 kpi_spin_enter(struct kpi_spin *s);

/*
 * kpi_spin_exit: unlock, by the thread that locked.
 *  ctx: any
 *  sleeps: no
 *  locks: s held
 *  owns: nothing
 *  netbsd: mutex_exit(9)
 *  freebsd: mtx_unlock(9)
 *  host: spin.rs
 */
void	 kpi_spin_exit(struct kpi_spin *s);

/*
 * kpi_epoch_enter: begin a read section; sections nest and end in LIFO order.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: e stays where it is, on this thread, until kpi_epoch_exit
 *  netbsd: pserialize_read_enter(9)
 *  freebsd: epoch_enter_preempt(9) on net_epoch_preempt
 *  host: epoch.rs
 */
void	 kpi_epoch_enter(struct kpi_epoch *e);

/*
 * kpi_epoch_exit: end the read section that e began.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: e may be reused
 *  netbsd: pserialize_read_exit(9)
 *  freebsd: epoch_exit_preempt(9)
 *  host: epoch.rs
 */
void	 kpi_epoch_exit(struct kpi_epoch *e);

/*
 * kpi_epoch_wait: return when every read section that was open has ended.
 *  ctx: thread
 *  sleeps: yes
 *  locks: no spin lock; not within a read section
 *  owns: nothing
 *  netbsd: pserialize_perform(9)
 *  freebsd: epoch_wait_preempt(9)
 *  host: epoch.rs
 */
void	 kpi_epoch_wait(void);

/*
 * kpi_psref_target_init: make t referable.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: psref_target_init(9)
 *  freebsd: sys/psref
 *  host: sys/psref
 */
void	 kpi_psref_target_init(struct kpi_psref_target *t);

/*
 * kpi_psref_target_destroy: wait until nobody references t.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not within a read section; the caller holds no reference to t
 *  owns: t is dead; unpublish it and call kpi_epoch_wait before
 *  netbsd: psref_target_destroy(9)
 *  freebsd: sys/psref
 *  host: sys/psref
 */
void	 kpi_psref_target_destroy(struct kpi_psref_target *t);

/*
 * kpi_psref_acquire: reference t; r does not move until it is released.
 *  ctx: any
 *  sleeps: no
 *  locks: within a read section in which t was seen published
 *  owns: r is in use until kpi_psref_release, by the same thread
 *  netbsd: psref_acquire(9), curlwp_bind(9)
 *  freebsd: sys/psref
 *  host: sys/psref
 */
void	 kpi_psref_acquire(struct kpi_psref *r, struct kpi_psref_target *t);

/*
 * kpi_psref_release: drop the reference r.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: r may be reused
 *  netbsd: psref_release(9), curlwp_bindx(9)
 *  freebsd: sys/psref
 *  host: sys/psref
 */
void	 kpi_psref_release(struct kpi_psref *r, struct kpi_psref_target *t);

/*
 * kpi_pause: sleep for at least us microseconds of real time.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none; not within a read section
 *  owns: nothing
 *  netbsd: kpause(9)
 *  freebsd: pause_sbt(9)
 *  host: sync.rs
 */
void	 kpi_pause(uint32_t us);

/*
 * kpi_ncpu: how many CPUs there can be; constant, at least 1.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: maxcpus
 *  freebsd: mp_maxid + 1
 *  host: sync.rs
 */
uint32_t kpi_ncpu(void);

/*
 * kpi_cpu_index: a hint which CPU runs us, below kpi_ncpu; stale at once if preempted.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: cpu_index(9)
 *  freebsd: curcpu
 *  host: sync.rs (one number a thread)
 */
uint32_t kpi_cpu_index(void);

#endif /* _KPI_SYNC_H_ */
