/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * pserialize(9).
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_PSERIALIZE_H_
#define	_STUB_SYS_PSERIALIZE_H_

#include <sys/types.h>

typedef struct pserialize *pserialize_t;

pserialize_t	pserialize_create(void);
void		pserialize_destroy(pserialize_t);
void		pserialize_perform(pserialize_t);
int		pserialize_read_enter(void);
void		pserialize_read_exit(int);

#endif /* _STUB_SYS_PSERIALIZE_H_ */
