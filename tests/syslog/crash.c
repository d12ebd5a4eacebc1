/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash HOW: ends by a signal, each time in another way: for the cases of corelog.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile int sink;

static __attribute__((noinline)) void
inner(volatile int *p)
{
	*p = 42;
	sink++;
}

static __attribute__((noinline)) void
outer(volatile int *p)
{
	inner(p);
	sink++;
}

static __attribute__((noinline)) void
deep(int n)
{
	volatile char some[256];

	some[n & 255] = 1;
	deep(n + 1);
	sink += some[3];
}

static int
give_up(const void *a, const void *b)
{
	(void)a;
	(void)b;
	abort();
}

static void *
idle(void *p)
{
	pause();
	return p;
}

static void *
thread(void *p)
{
	outer((volatile int *)16);
	return p;
}

static void
handler(int n)
{
	(void)n;
	outer((volatile int *)32);
	sink++;
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "segv";
	void (*volatile nowhere)(void) = NULL;
	int numbers[] = { 4, 3, 2, 1 };
	pthread_t one, two;

	if (strcmp(how, "segv") == 0)
		outer((volatile int *)16);
	else if (strcmp(how, "abort") == 0)
		qsort(numbers, 4, sizeof numbers[0], give_up);
	else if (strcmp(how, "overflow") == 0)
		deep(0);
	else if (strcmp(how, "nowhere") == 0)
		nowhere();
	else if (strcmp(how, "handler") == 0) {
		signal(SIGUSR1, handler);
		raise(SIGUSR1);
	} else if (strcmp(how, "thread") == 0) {
		pthread_create(&one, NULL, idle, NULL);
		pthread_create(&two, NULL, thread, NULL);
		pthread_join(two, NULL);
	}
	sink++;
	return 0;
}
