/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A hook, as kpi_pfil.c (packets seen), kpi_pfilout.c (packets sent) and kpi_iflist.c
 * (interfaces) see it.
 */
#ifndef _NETBSD_KPI_PFIL_IMPL_H_
#define _NETBSD_KPI_PFIL_IMPL_H_

struct kpi_ifwatch;
struct kpi_pfil;

/* All but kp_live is set before packets can come. */
struct kpi_pfil {
	const struct kpi_pfilops *kp_ops;
	void		*kp_arg;
	uint64_t	 kp_serial;	/* when it was attached: its place among hooks */
	struct kpi_ifwatch *kp_watch;
	volatile bool	 kp_live;
};

/* kpi_pfil.c: after pfil_remove_hook(9); no call of the hook runs any more. */
void	kpi_pfil_fence(void);

/* kpi_iflist.c: call fn(arg, ifindex) in a thread whenever an interface changes. */
struct kpi_ifwatch *kpi_ifwatch_start(void (*fn)(void *, uint32_t), void *arg);
void	kpi_ifwatch_stop(struct kpi_ifwatch *);

#endif /* _NETBSD_KPI_PFIL_IMPL_H_ */
