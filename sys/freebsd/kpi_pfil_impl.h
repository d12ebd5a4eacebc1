/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hook, as kpi_pfil.c (packets seen), kpi_pfilout.c (packets sent) and kpi_iflist.c
 * (interfaces) see it.
 */
#ifndef _FREEBSD_KPI_PFIL_IMPL_H_
#define _FREEBSD_KPI_PFIL_IMPL_H_

struct kpi_ifwatch;
struct pfil_hook;

/* All but kp_live is set before packets can come. */
struct kpi_pfil {
	const struct kpi_pfilops *kp_ops;
	void		*kp_arg;
	uint64_t	 kp_serial;	/* when it was attached: its place among hooks */
	struct kpi_ifwatch *kp_watch;
	struct pfil_hook *kp_hook4;
	struct pfil_hook *kp_hook6;
	volatile bool	 kp_live;
};

/* kpi_iflist.c: call fn(arg, ifindex) in a thread whenever an interface changes. */
struct kpi_ifwatch *kpi_ifwatch_start(void (*fn)(void *, uint32_t), void *arg);
void	kpi_ifwatch_stop(struct kpi_ifwatch *);

#endif /* _FREEBSD_KPI_PFIL_IMPL_H_ */
