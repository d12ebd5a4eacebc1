/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * FreeBSD's headers have no other meaning for our numbers, and its ifreq has
 * the size that is in them.  abi.rs compiles this with -include of a file that
 * defines OUR_* from the Rust constants.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/sockio.h>
#include <net/if.h>

#define	CHECK(x)	_Static_assert((x), #x)

CHECK(OUR_SIZEOF_IFREQ == sizeof(struct ifreq));
CHECK(OUR_SIOCGL2TP == SIOCGIFGENERIC);

/* A number that the system has a meaning for would be a case twice. */
int	 free_numbers(unsigned long);

int
free_numbers(unsigned long cmd)
{
	switch (cmd) {
	case OUR_SIOCSL2TPSESSION:
	case OUR_SIOCDL2TPSESSION:
	case OUR_SIOCSL2TPCOOKIE:
	case OUR_SIOCDL2TPCOOKIE:
	case OUR_SIOCSL2TPSTATE:
	case OUR_SIOCSL2TPENCAP:
	case OUR_SIOCGL2TPENCAP:
	case SIOCGLANPCP:
	case SIOCSLANPCP:
	case SIOCSIFCAPNV:
	case SIOCGIFCAPNV:
	case SIOCGUMBINFO:
	case SIOCSUMBPARAM:
	case SIOCGUMBPARAM:
		return 1;
	}
	return 0;
}
