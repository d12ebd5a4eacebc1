/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the files that are compiled with NetBSD's headers need of the C library beneath, whose
 * headers they must not see.
 */
#ifndef RUMPKERN_NB_HOST_H
#define RUMPKERN_NB_HOST_H

#include <sys/errno.h>

void	*memcpy(void *, const void *, unsigned long);
void	*memset(void *, int, unsigned long);
int	 strcmp(const char *, const char *);
unsigned long strlen(const char *);
void	*malloc(unsigned long);
void	 free(void *);

#include "nb_errno.h"

#endif
