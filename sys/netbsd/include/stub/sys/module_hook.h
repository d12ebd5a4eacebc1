/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Hooks between the kernel and its modules: declared by other headers.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_MODULE_HOOK_H_
#define	_STUB_SYS_MODULE_HOOK_H_

#define	MODULE_HOOK(hook, type, args)					\
	extern struct hook ## _t hook

#endif /* _STUB_SYS_MODULE_HOOK_H_ */
