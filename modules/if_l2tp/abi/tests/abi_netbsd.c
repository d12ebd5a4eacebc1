/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * NetBSD's own header says what our l2tp_req and numbers say.  abi.rs compiles
 * this with -include of a file that defines OUR_* from the Rust constants.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <net/if.h>
#include <net/if_l2tp.h>

#define	CHECK(x)	_Static_assert((x), #x)
#define	FIELD(f)							\
	CHECK(OUR_OFFSET_##f == __builtin_offsetof(struct l2tp_req, f));	\
	CHECK(OUR_SIZE_##f == sizeof(((struct l2tp_req *)0)->f))

CHECK(OUR_SIZEOF_L2TP_REQ == sizeof(struct l2tp_req));
CHECK(OUR_SIZEOF_IFREQ == sizeof(struct ifreq));
FIELD(state);
FIELD(my_cookie_len);
FIELD(peer_cookie_len);
FIELD(my_sess_id);
FIELD(peer_sess_id);
FIELD(my_cookie);
FIELD(peer_cookie);

CHECK(OUR_SIOCSL2TPSESSION == SIOCSL2TPSESSION);
CHECK(OUR_SIOCDL2TPSESSION == SIOCDL2TPSESSION);
CHECK(OUR_SIOCSL2TPCOOKIE == SIOCSL2TPCOOKIE);
CHECK(OUR_SIOCDL2TPCOOKIE == SIOCDL2TPCOOKIE);
CHECK(OUR_SIOCSL2TPSTATE == SIOCSL2TPSTATE);
CHECK(OUR_SIOCGL2TP == SIOCGL2TP);
CHECK(OUR_L2TP_STATE_UP == L2TP_STATE_UP);
CHECK(OUR_L2TP_STATE_DOWN == L2TP_STATE_DOWN);

/* A number that the system has a meaning for would be a case twice. */
int	 free_numbers(unsigned long);

int
free_numbers(unsigned long cmd)
{
	switch (cmd) {
	case OUR_SIOCSL2TPENCAP:
	case OUR_SIOCGL2TPENCAP:
	case SIOCSL2TPSESSION:
	case SIOCDL2TPSESSION:
	case SIOCSL2TPCOOKIE:
	case SIOCDL2TPCOOKIE:
	case SIOCSL2TPSTATE:
	case SIOCGL2TP:
	case SIOCGUMBINFO:
	case SIOCSUMBPARAM:
	case SIOCGUMBPARAM:
	case SIOCSIFDESCR:
	case SIOCGIFDESCR:
		return 1;
	}
	return 0;
}
