/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Timers over callout(9).
 */
#include <sys/param.h>
#include <sys/atomic.h>
#include <sys/callout.h>

#include "kpi_impl.h"

struct kpi_callout {
	callout_t	 kc_callout;
	volatile unsigned int kc_dying;
};

struct kpi_callout *
kpi_callout_create(void (*fn)(void *), void *arg)
{
	struct kpi_callout *c;

	c = kmem_zalloc(sizeof(*c), KM_SLEEP);
	callout_init(&c->kc_callout, CALLOUT_MPSAFE);
	callout_setfunc(&c->kc_callout, fn, arg);
	return c;
}

void
kpi_callout_schedule(struct kpi_callout *c, uint32_t ms)
{
	uint64_t ticks;

	if (c->kc_dying)
		return;
	ticks = ((uint64_t)ms * hz + 999) / 1000;
	callout_schedule(&c->kc_callout, (int)MIN(MAX(ticks, 1), INT_MAX));
}

void
kpi_callout_destroy(struct kpi_callout *c)
{

	/*
	 * A handler that read kc_dying before it was set may schedule once
	 * more while the first halt waits for it; the second halt ends that.
	 */
	c->kc_dying = 1;
	membar_sync();
	(void)callout_halt(&c->kc_callout, NULL);
	(void)callout_halt(&c->kc_callout, NULL);
	callout_destroy(&c->kc_callout);
	kmem_free(c, sizeof(*c));
}
