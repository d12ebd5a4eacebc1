/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The questions that the shims put to kauth(9).
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_KAUTH_H_
#define	_STUB_SYS_KAUTH_H_

#include <sys/types.h>

typedef struct kauth_cred *kauth_cred_t;
typedef uint64_t kauth_action_t;

enum {
	KAUTH_NETWORK_FIREWALL = 3,
	KAUTH_NETWORK_INTERFACE = 4
};

enum kauth_network_req {
	KAUTH_REQ_NETWORK_FIREWALL_FW = 15,
	KAUTH_REQ_NETWORK_INTERFACE_SETPRIV = 20
};

#define	KAUTH_ARG(arg)	((void *)(unsigned long)(arg))

kauth_cred_t kauth_cred_get(void);
int	kauth_authorize_network(kauth_cred_t, kauth_action_t,
	    enum kauth_network_req, void *, void *, void *);

#endif /* _STUB_SYS_KAUTH_H_ */
