/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * kpi.h asks for <stdint.h>; in the kernel its types are in <sys/types.h>.
 */
#include <sys/types.h>
