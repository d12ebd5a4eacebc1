/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The limit that tunnels are measured against: frames go from a tap to a UDP
 * socket and back, one read and one write each, no header added, nothing
 * looked at.  One process per direction.  For Linux.
 *
 *	tapcopy TAP SRC SPORT DST DPORT
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>

#define FRAME_MAX	65536
#define SOCKBUF		(4 * 1024 * 1024)

static int
open_tap(const char *name)
{
	struct ifreq ifr;
	int fd;

	fd = open("/dev/net/tun", O_RDWR);
	if (fd == -1)
		err(1, "/dev/net/tun");
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) == -1)
		err(1, "%s", name);
	return fd;
}

static struct addrinfo *
numeric(const char *host, const char *port)
{
	struct addrinfo hints, *res;
	int error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints.ai_socktype = SOCK_DGRAM;
	error = getaddrinfo(host, port, &hints, &res);
	if (error != 0)
		errx(1, "%s %s: %s", host, port, gai_strerror(error));
	return res;
}

static int
open_socket(char **argv)
{
	struct addrinfo *src, *dst;
	int fd, size = SOCKBUF;

	src = numeric(argv[0], argv[1]);
	dst = numeric(argv[2], argv[3]);
	fd = socket(src->ai_family, src->ai_socktype, src->ai_protocol);
	if (fd == -1)
		err(1, "socket");
	/* As much room as a tunnel would ask for: the copy decides, not it. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		err(1, "socket buffers");
	if (bind(fd, src->ai_addr, src->ai_addrlen) == -1)
		err(1, "bind");
	if (connect(fd, dst->ai_addr, dst->ai_addrlen) == -1)
		err(1, "connect");
	freeaddrinfo(src);
	freeaddrinfo(dst);
	return fd;
}

static _Noreturn void
copy(int from, int to)
{
	static unsigned char frame[FRAME_MAX];
	ssize_t n;

	for (;;) {
		n = read(from, frame, sizeof(frame));
		if (n > 0)
			/* A frame that is refused is lost, as on any wire. */
			n = write(to, frame, (size_t)n);
		if (n == -1 && errno != EINTR && errno != ECONNREFUSED &&
		    errno != EIO && errno != EMSGSIZE && errno != ENOBUFS &&
		    errno != EINVAL && errno != EHOSTUNREACH)
			err(1, "copy");
	}
}

int
main(int argc, char **argv)
{
	int sock, tap;

	if (argc != 6)
		errx(2, "usage: tapcopy TAP SRC SPORT DST DPORT");
	tap = open_tap(argv[1]);
	sock = open_socket(argv + 2);
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		copy(sock, tap);
	default:
		copy(tap, sock);
	}
}
