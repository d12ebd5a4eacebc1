/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cprng(9).
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_CPRNG_H_
#define	_STUB_SYS_CPRNG_H_

#include <sys/types.h>

#define	CPRNG_MAX_LEN	65536

typedef struct cprng_strong cprng_strong_t;

extern cprng_strong_t *kern_cprng;

size_t	cprng_strong(cprng_strong_t *, void *, size_t, int);

#endif /* _STUB_SYS_CPRNG_H_ */
