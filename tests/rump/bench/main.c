/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rumpbench: encapsulation and decapsulation inside a NetBSD rump kernel, in thousand packets a
 * second, at several numbers of pseudowires that are all busy, in random order.
 *
 *	rumpbench [-n PACKETS] [-s BYTES] [SESSIONS ...]
 *
 * Prints a line "encap|decap SESSIONS KPKT/S" for each. tests/rump/bench.sh runs it with our
 * if_l2tp and with NetBSD's in turn and compares.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define	BATCH	64
#define	FLIGHT	128		/* packets on their way at most: queues hold 256 */

int	rump_init(void);

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits until "want" are out; gives up after a second without progress. */
static int
await(int decap, unsigned long want)
{
	unsigned long last = 0, done;
	double since = now();

	while ((done = rump_bench_done(decap)) < want) {
		if (done != last) {
			last = done;
			since = now();
		} else if (now() - since > 1)
			return -1;
		sched_yield();
	}
	return 0;
}

/* Packets a second, or less than 0 when some were lost. */
static double
run(int decap, const unsigned *order, int n, const void *frame, int size)
{
	unsigned long base = rump_bench_done(decap);
	double start = now();
	int i;

	for (i = 0; i < n; i += BATCH) {
		if (decap)
			rump_bench_decap(order + i, BATCH, frame, size);
		else
			rump_bench_encap(order + i, BATCH, frame, size);
		if (i + BATCH > FLIGHT &&
		    await(decap, base + (unsigned long)(i + BATCH - FLIGHT)) != 0)
			return -1;
	}
	if (await(decap, base + (unsigned long)n) != 0)
		return -1;
	return n / (now() - start);
}

/* xorshift: the same order in every run. */
static unsigned
next(unsigned *state)
{

	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

int
main(int argc, char **argv)
{
	static const char *const usual[] = { "1", "64", "1000", "10000" };
	unsigned char frame[1514] = { 2, 0, 0, 0, 0xaa, 1, 2, 0, 0, 0, 0xaa, 2, 0x88, 0xb5 };
	unsigned have = 0, state = 1, *order;
	int c, decap, error, i, n = 200000, size = 64;

	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		switch (c) {
		case 'n': n = atoi(optarg) / BATCH * BATCH; break;
		case 's': size = atoi(optarg); break;
		default: return 2;
		}
	}
	if (n < BATCH || size < 14 || size > (int)sizeof(frame)) {
		fprintf(stderr, "usage: rumpbench [-n packets] [-s bytes] [sessions ...]\n");
		return 2;
	}
	argc -= optind;
	argv = argc > 0 ? argv + optind : (char **)(long)usual;
	if (argc <= 0)
		argc = 4;
	order = malloc((size_t)n * sizeof(*order));
	if (order == NULL || rump_init() != 0)
		return 1;
	for (; argc > 0; argc--, argv++) {
		unsigned sessions = (unsigned)atoi(*argv);

		if (sessions < 1 || sessions > BENCH_MAX)
			return 2;
		error = rump_bench_setup(have, sessions);
		if (error != 0) {
			fprintf(stderr, "rumpbench: %u pseudowires: error %d\n", sessions, error);
			return 1;
		}
		have = sessions;
		for (i = 0; i < n; i++)
			order[i] = next(&state) % sessions;
		for (decap = 0; decap < 2; decap++) {
			double rate;

			/* Once to warm up: ARP, routes, caches. */
			(void)run(decap, order, n < BATCH * 16 ? n : BATCH * 16, frame, size);
			rate = run(decap, order, n, frame, size);
			if (rate < 0) {
				fprintf(stderr, "rumpbench: packets were lost: %lu came\n", rump_bench_done(decap));
				return 1;
			}
			printf("%s %u %.0f\n", decap ? "decap" : "encap", sessions, rate / 1e3);
			fflush(stdout);
		}
	}
	_exit(0);
}
