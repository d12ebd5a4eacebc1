/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A system's headers say what libsys's constants say (src/bsd.rs, src/bsd/sysctl.rs).
 * build.d/structs.sh compiles this with -include of a file that defines LIBSYS_*
 * from them.
 */
#include <sys/param.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <sys/time.h>
#include <sys/sysctl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/in_var.h>
#include <netinet6/in6_var.h>

#define	CHECK(x)	_Static_assert((x), #x)
#define	NR(cmd)		((cmd) & 0xff)
#define	IS(name, type, field)						\
	CHECK(name == __builtin_offsetof(type, field))
#define	SPANS(name, type, field)					\
	IS(name, type, field);						\
	CHECK(name ## _END - name == sizeof(((type *)0)->field))

CHECK(LIBSYS_IFREQ == sizeof(struct ifreq));
CHECK(LIBSYS_AF_INET6 == AF_INET6);
CHECK(LIBSYS_IN_ALIASREQ == sizeof(struct in_aliasreq));
CHECK(LIBSYS_IN6_ALIASREQ == sizeof(struct in6_aliasreq));
CHECK(LIBSYS_SIOCSIFPHYADDR_IN6 == NR(SIOCSIFPHYADDR_IN6));
CHECK(LIBSYS_SIOCGIFMTU == NR(SIOCGIFMTU));
CHECK(LIBSYS_SIOCSIFMTU == NR(SIOCSIFMTU));

SPANS(LIBSYS_LINK_STATE, struct if_data, ifi_link_state);
IS(LIBSYS_MTU, struct if_data, ifi_mtu);
IS(LIBSYS_STATS_0, struct if_data, ifi_ipackets);
IS(LIBSYS_STATS_1, struct if_data, ifi_ierrors);
IS(LIBSYS_STATS_2, struct if_data, ifi_ibytes);
IS(LIBSYS_STATS_3, struct if_data, ifi_iqdrops);
IS(LIBSYS_STATS_4, struct if_data, ifi_noproto);
IS(LIBSYS_STATS_5, struct if_data, ifi_opackets);
IS(LIBSYS_STATS_6, struct if_data, ifi_oerrors);
IS(LIBSYS_STATS_7, struct if_data, ifi_obytes);

#ifdef __NetBSD__
CHECK(LIBSYS_STATS_8 == 0);
CHECK(LIBSYS_NODE == sizeof(struct sysctlnode));
SPANS(LIBSYS_NAME, struct sysctlnode, sysctl_name);
SPANS(LIBSYS_FLAGS, struct sysctlnode, sysctl_flags);
CHECK(LIBSYS_SYSCTL_VERSION == SYSCTL_VERSION);
#else
IS(LIBSYS_STATS_8, struct if_data, ifi_oqdrops);
CHECK(LIBSYS_SYSCTL_NAME == CTL_SYSCTL_NAME);
CHECK(LIBSYS_SYSCTL_NEXT == CTL_SYSCTL_NEXT);
#endif
