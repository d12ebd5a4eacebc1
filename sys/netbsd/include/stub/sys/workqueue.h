/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The struct that <net/if.h> embeds.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_WORKQUEUE_H_
#define	_STUB_SYS_WORKQUEUE_H_

struct work {
	void	*wk_dummy;
};

#endif /* _STUB_SYS_WORKQUEUE_H_ */
