/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rumpbench-iipf, rumpbench-npf: what a packet costs in the filter inside a NetBSD rump kernel.
 *
 *	rumpbench-iipf [-t MS] [-f FLOWS] -c IIPFCTL RULES
 *	rumpbench-npf [-t MS] [-f FLOWS] [-i] RULES
 *
 * Prints a line "CASE RULES NS" for each case: nanoseconds of the processor for a packet, from the
 * call of the hooks to their end; with new flows, and what threads of the kernel do meanwhile. A case
 * that does not pass every packet as it should ends the program. iipf's rules are loaded by
 * iipfctl(8) over a socket; -i: npf interprets the rules' code.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../ctl.h"
#include "../nb.h"
#include "../nb_errno.h"
#include "filter.h"

#define	FLOWS_MAX	30000		/* less than the ports of one address */
#define	REST_EVERY	512		/* new flows: who makes room for more gets the processor */

int	rump_init(void);

extern char **environ;

static struct filter_packet flows[FLOWS_MAX], batch[FILTER_BATCH];
static unsigned rules, nflows = 1000, fresh;
static unsigned long want = 400 * 1000000ul;
static const char *iipfctl;

int
nb_errno(void)
{

	return errno;
}

static void
die(const char *what, int error)
{

	fprintf(stderr, "rumpbench: %s: error %d\n", what, error);
	_exit(1);
}

static unsigned long
clock_read(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (unsigned long)t.tv_sec * 1000000000ul + (unsigned long)t.tv_nsec;
}

/* Of this thread alone: what else runs on the machine does not count. */
static unsigned long
now(void)
{

	return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/* What the kernel's own threads have waited with; ns of all of them. */
static unsigned long
rest(void)
{
	unsigned long start = clock_read(CLOCK_PROCESS_CPUTIME_ID);

	rump_filter_rest();
	return clock_read(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* xorshift: the same order in every run. */
static unsigned
next(void)
{
	static unsigned state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* The ruleset of filter.h as iipf.conf(5) has it. */
static void
write_conf(FILE *f)
{
	unsigned i, net;

	fprintf(f, "set limit states 1000000\nset limit rules 20000\n"
	    "nat on " FILTER_IF " inet from 192.168.0.0/16 to any -> 198.51.100.1\nblock all\n");
	for (i = 0; i < rules; i++) {
		net = FILTER_RULE_NET(i);
		fprintf(f, "pass in quick on " FILTER_IF " inet proto %s from %u.%u.%u.0/24 to any"
		    " port %u no state\n", FILTER_RULE_PROTO(i) == 6 ? "tcp" : "udp", net >> 24,
		    net >> 16 & 255, net >> 8 & 255, FILTER_RULE_PORT(i));
	}
	fprintf(f, "pass in quick on " FILTER_IF " inet proto udp from 172.16.0.0/12 to any keep state\n"
	    "pass out quick on " FILTER_IF " inet proto udp all keep state\n");
}

/* Runs iipfctl with these words and answers it. */
static int
iipfctl_run(const char *a, const char *b)
{
	char path[64], kernel[80];
	char *argv[] = { (char *)(long)iipfctl, "-q", "-K", kernel, (char *)(long)a, (char *)(long)b, NULL };
	const char *const joins[] = { NULL };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int client, s, status = 1;
	pid_t pid;

	snprintf(path, sizeof(path), "/tmp/rumpbench.%ld", (long)getpid());
	snprintf(kernel, sizeof(kernel), "unix:%s", path);
	strcpy(sun.sun_path, path);
	(void)unlink(path);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s == -1 || bind(s, (struct sockaddr *)&sun, sizeof(sun)) == -1 || listen(s, 8) == -1)
		die(path, errno);
	if (posix_spawn(&pid, iipfctl, NULL, NULL, argv, environ) != 0)
		die(iipfctl, errno);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		client = accept(s, NULL, NULL);
		if (client == -1) {
			usleep(1000);
			continue;
		}
		ctl_serve(client, joins, 0);
		(void)close(client);
	}
	(void)close(s);
	(void)unlink(path);
	return status;
}

static void
load_iipf(void)
{
	char conf[] = "/tmp/rumpbench.XXXXXX";
	int fd = mkstemp(conf), status;
	FILE *f = fd == -1 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		die(conf, errno);
	write_conf(f);
	if (fclose(f) != 0)
		die(conf, errno);
	status = iipfctl_run("-f", conf);
	(void)unlink(conf);
	if (status != 0)
		die("iipfctl -f", status);
}

static struct filter_packet
by_rule(unsigned i)
{
	const struct filter_packet p = { FILTER_RULE_NET(i) + 1 + next() % 254, FILTER_FAR,
	    (unsigned short)(1024 + next() % 60000), (unsigned short)FILTER_RULE_PORT(i),
	    FILTER_RULE_PROTO(i) };

	return p;
}

static void
any_rule(struct filter_packet *p)
{

	*p = by_rule(next() % rules);
}

static void
last_rule(struct filter_packet *p)
{

	*p = by_rule(rules - 1);
}

/* No two alike: 2^20 addresses come first, then the next port. */
static void
new_flow(struct filter_packet *p)
{
	const struct filter_packet flow = { FILTER_NEW_NET + (fresh * 40503u & 0xfffff), FILTER_FAR,
	    (unsigned short)(1024 + (fresh >> 20)), FILTER_NEW_PORT, 17 };

	*p = flow;
	fresh++;
}

static void
any_flow(struct filter_packet *p)
{

	*p = flows[next() % nflows];
}

/* A batch through the hooks; all of it must pass. */
static unsigned long
once(const char *name, int n, int in)
{
	unsigned long took = 0;
	int passed = rump_filter_run(batch, n, in, now, &took);

	if (passed != n) {
		fprintf(stderr, "rumpbench: %s: %d of %d packets passed\n", name, passed, n);
		if (iipfctl != NULL)
			(void)iipfctl_run("show", "counters");
		_exit(1);
	}
	return took;
}

/* A first packet of each flow, and its answer: by the state, since no rule lets that one pass. */
static void
establish(const char *name, int in)
{
	struct filter_packet *p = batch;
	unsigned i, src;

	for (i = 0; i < nflows; i++) {
		if (in) {
			new_flow(&flows[i]);
		} else {
			const struct filter_packet flow = { FILTER_NAT_NET + 1 + i % 250, FILTER_FAR + i,
			    (unsigned short)(10000 + i), FILTER_NEW_PORT, 17 };

			flows[i] = flow;
		}
		*p = flows[i];
		(void)once(name, 1, in);
		if (p->src != (in ? flows[i].src : FILTER_WAN))
			die("not translated", (int)i);
		src = p->src;
		p->src = p->dst;
		p->dst = src;
		src = p->sport;
		p->sport = p->dport;
		p->dport = (unsigned short)src;
		(void)once(name, 1, !in);
		if (p->dst != flows[i].src || p->dport != flows[i].sport)
			die("not translated back", (int)i);
		if (i % REST_EVERY == REST_EVERY - 1)
			(void)rest();
	}
}

static void
measure(const char *name, void (*fill)(struct filter_packet *), int in, unsigned most)
{
	unsigned long n = 0, took = 0;
	int i, round;

	/* The first rounds warm up. */
	for (round = 0; round < 16 || (took < want && n < most); round++) {
		unsigned long t;

		for (i = 0; i < FILTER_BATCH; i++)
			fill(&batch[i]);
		t = once(name, FILTER_BATCH, in);
		if (fill == new_flow && round % (REST_EVERY / FILTER_BATCH) == 0)
			t += rest();
		if (!in && batch[0].src != FILTER_WAN)
			die("not translated", round);
		if (round >= 8) {
			took += t;
			n += FILTER_BATCH;
		}
	}
	printf("%s %u %.0f\n", name, rules, (double)took / (double)n);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	int c, error, jit = 0, plain = 0;

	while ((c = getopt(argc, argv, "c:f:it:")) != -1) {
		switch (c) {
		case 'c': iipfctl = optarg; break;
		case 'f': nflows = (unsigned)atoi(optarg); break;
		case 'i': plain = 1; break;
		case 't': want = (unsigned long)atoi(optarg) * 1000000ul; break;
		default: return 2;
		}
	}
	rules = argc == optind + 1 ? (unsigned)atoi(argv[optind]) : 0;
	if (rules < 2 || rules > FILTER_MAX || nflows < 1 || nflows > FLOWS_MAX ||
	    (rump_filter_npf == NULL) != (iipfctl != NULL)) {
		fprintf(stderr, "usage: rumpbench-iipf -c iipfctl | rumpbench-npf [-i]"
		    " [-t ms] [-f flows] rules\n");
		return 2;
	}
	if (rump_init() != 0 || nb_open() != 0)
		die("rump_init", 0);
	error = rump_filter_setup();
	if (error != 0)
		die(FILTER_IF, error);
	if (iipfctl != NULL)
		load_iipf();
	else if ((error = rump_filter_npf(rules, plain, &jit)) != 0)
		die("npf", error);
	if (iipfctl == NULL)
		fprintf(stderr, "rules' code is %s\n", jit ? "compiled" : "interpreted");
	measure("any", any_rule, 1, ~0u);
	measure("last", last_rule, 1, ~0u);
	establish("established", 1);
	measure("established", any_flow, 1, ~0u);
	establish("napt", 0);
	measure("napt", any_flow, 0, ~0u);
	measure("new", new_flow, 1, 50000);
	/* No way back out of a rump kernel. */
	_exit(0);
}
