/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Modules of a rump kernel. Compiled with NetBSD's headers.
 */
#include <sys/param.h>
#include <sys/module.h>

#include <rump/rump_syscalls.h>

#include "nb.h"
#include "nb_host.h"

/* As modunload(8). */
int
nb_module_unload(const char *name)
{
	char copy[64];

	if (strlen(name) >= sizeof(copy))
		return EINVAL;
	memset(copy, 0, sizeof(copy));
	memcpy(copy, name, strlen(name));
	return rump_sys_modctl(MODCTL_UNLOAD, copy) == -1 ? nb_errno() : 0;
}
