/* SPDX-License-Identifier: BSD-2-Clause */
/* The types that prototypes of <rump/rump_syscalls.h> name. */
#include <sys/time.h>
#include <sys/signal.h>
#include <sys/idtype.h>
