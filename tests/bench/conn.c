/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * conn: TCP connections a second.
 *
 *	conn serve PORT			takes and drops connections until it is ended
 *	conn run ADDR PORT SECONDS	opens and resets them, 64 at a time; says how many
 *
 * Connections end by a reset, so that no port waits for its time.
 */

#include <sys/types.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define	INFLIGHT	64

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
reset(int s)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(s);
}

static void
address(struct sockaddr_in *sin, const char *addr, const char *port)
{

	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, addr, &sin->sin_addr) != 1)
		errx(2, "%s: no address", addr);
}

static int
serve(const char *port)
{
	struct sockaddr_in sin;
	int c, one = 1, s;

	address(&sin, "0.0.0.0", port);
	if ((s = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		err(1, "socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(s, 4096) == -1)
		err(1, "port %s", port);
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		if ((c = accept(s, NULL, NULL)) != -1)
			close(c);
	}
}

/* One more connection on its way; 0 when there is no port left for it. */
static int
launch(int ep, const struct sockaddr_in *to)
{
	struct epoll_event ev = { .events = EPOLLOUT };
	int s;

	if ((s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1)
		err(1, "socket");
	if (connect(s, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		close(s);
		return 0;
	}
	ev.data.fd = s;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev) == -1)
		err(1, "epoll_ctl");
	return 1;
}

static int
run(const char *addr, const char *port, double seconds)
{
	struct epoll_event evs[INFLIGHT];
	struct sockaddr_in to;
	unsigned long done = 0, failed = 0;
	double end, start;
	socklen_t len;
	int e, ep, flying = 0, i, n;

	address(&to, addr, port);
	if ((ep = epoll_create1(0)) == -1)
		err(1, "epoll");
	start = now();
	end = start + seconds;
	while (now() < end) {
		while (flying < INFLIGHT && launch(ep, &to))
			flying++;
		if ((n = epoll_wait(ep, evs, INFLIGHT, 100)) == -1)
			err(1, "epoll_wait");
		for (i = 0; i < n; i++) {
			len = sizeof(e);
			e = 0;
			getsockopt(evs[i].data.fd, SOL_SOCKET, SO_ERROR, &e, &len);
			if (e == 0)
				done++;
			else
				failed++;
			reset(evs[i].data.fd);
			flying--;
		}
	}
	printf("%.0f %lu\n", (double)done / (now() - start), failed);
	return done == 0;
}

int
main(int argc, char **argv)
{

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3], atof(argv[4]));
	fprintf(stderr, "usage: conn serve PORT | conn run ADDR PORT SECONDS\n");
	return 2;
}
