/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers over callout(9).
 */
#include "kpi_impl.h"

#include <sys/callout.h>

struct kpi_callout {
	struct callout	 kc_callout;
	void		(*kc_fn)(void *);
	void		*kc_arg;
};

struct kpi_callout *
kpi_callout_create(void (*fn)(void *), void *arg)
{
	struct kpi_callout *c;

	c = malloc(sizeof(*c), M_ROPEWALK, M_WAITOK | M_ZERO);
	c->kc_fn = fn;
	c->kc_arg = arg;
	callout_init(&c->kc_callout, 1);
	return (c);
}

void
kpi_callout_schedule(struct kpi_callout *c, uint32_t ms)
{

	/* While callout_drain(9) waits, this is refused: it ends there. */
	(void)callout_reset_sbt(&c->kc_callout, ms * SBT_1MS, 0, c->kc_fn,
	    c->kc_arg, 0);
}

void
kpi_callout_destroy(struct kpi_callout *c)
{

	(void)callout_drain(&c->kc_callout);
	free(c, M_ROPEWALK);
}
