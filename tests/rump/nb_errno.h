/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * errno, for the files that do not see the header of this C library; rump_sys_* set it to NetBSD's
 * numbers.
 */
#ifndef RUMPKERN_NB_ERRNO_H
#define RUMPKERN_NB_ERRNO_H

int	nb_errno(void);

#endif
