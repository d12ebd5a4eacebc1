/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rumpkern: a NetBSD rump kernel as a router of the tests.
 *
 *	rumpkern -s SOCKET -w ADDRESS/LEN -g GATEWAY [-j BRIDGE:MEMBER ...] [-l] [-u MODULE]
 *
 * Its first interface, virt0, is the tap device tun0 of the host: the WAN, with that address and
 * that default route. virt1, which is tun1, is the LAN, and a port of bridge0. An interface named
 * by -j becomes a port of a bridge once it is up. Requests come over SOCKET as to hostkern(8), so
 * that the same ifconfig(8) and kstat(8) drive both. At SIGTERM, with -u, the interfaces of -j
 * are destroyed and that module is unloaded; the last line says whether that went well. -l: an
 * interface leaves its bridge before it is destroyed, since NetBSD's own l2tp0 stops a DIAGNOSTIC kernel
 * otherwise.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "nb.h"
#include "nb_errno.h"

int	rump_init(void);

static volatile sig_atomic_t over;

int
nb_errno(void)
{

	return errno;
}

static void
on_term(int sig)
{

	(void)sig;
	over = 1;
}

static void
die(const char *what, int error)
{

	fprintf(stderr, "rumpkern: %s: error %d\n", what, error);
	exit(1);
}

static void
must(const char *what, int error)
{

	if (error != 0)
		die(what, error);
}

/* The address's family, 4 or 6. */
static int
parse(const char *text, unsigned char *a)
{

	if (inet_pton(AF_INET, text, a) == 1)
		return 4;
	if (inet_pton(AF_INET6, text, a) == 1)
		return 6;
	die(text, EINVAL);
	return 0;
}

static void
wan(char *address, const char *gateway)
{
	unsigned char a[16];
	char *slash = strchr(address, '/');
	int family;

	if (slash == NULL)
		die(address, EINVAL);
	*slash = '\0';
	family = parse(address, a);
	must("virt0", nb_address("virt0", family, a, atoi(slash + 1)));
	must("virt0 up", nb_set_up("virt0", 1));
	if (gateway != NULL) {
		family = parse(gateway, a);
		must("default route", nb_gateway(family, a));
	}
}

static int
listen_at(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s;

	if (strlen(path) >= sizeof(sun.sun_path))
		die(path, ENAMETOOLONG);
	memcpy(sun.sun_path, path, strlen(path));
	(void)unlink(path);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s == -1 || bind(s, (struct sockaddr *)&sun, sizeof(sun)) == -1 || listen(s, 8) == -1)
		die(path, errno);
	return s;
}

int
main(int argc, char **argv)
{
	const char *joins[16] = { NULL }, *gateway = NULL, *path = NULL, *unload = NULL;
	struct sigaction sa = { .sa_handler = on_term };
	char *address = NULL;
	int c, client, error, leave = 0, njoins = 0, s;

	while ((c = getopt(argc, argv, "g:j:ls:u:w:")) != -1) {
		switch (c) {
		case 'g': gateway = optarg; break;
		case 'j': if (njoins < 15) joins[njoins++] = optarg; break;
		case 'l': leave = 1; break;
		case 's': path = optarg; break;
		case 'u': unload = optarg; break;
		case 'w': address = optarg; break;
		default: return 2;
		}
	}
	if (path == NULL || address == NULL) {
		fprintf(stderr, "usage: rumpkern -s socket -w address/len [-g gateway]"
		    " [-j bridge:member] [-l] [-u module]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	s = listen_at(path);
	/* The kernel's own threads must not be the ones to take it. */
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);

	must("rump_init", rump_init());
	must("socket", nb_open());
	must("dad_count", nb_sysctl_set("net.inet.ip.dad_count", 0));
	must("ip6 dad_count", nb_sysctl_set("net.inet6.ip6.dad_count", 0));
	must("create virt0", nb_create("virt0"));
	wan(address, gateway);
	/* From here on interfaces say nothing by themselves: tests count. */
	must("auto_linklocal", nb_sysctl_set("net.inet6.ip6.auto_linklocal", 0));
	must("create virt1", nb_create("virt1"));
	must("create bridge0", nb_create("bridge0"));
	must("bridge0", nb_join("bridge0", "virt1"));
	must("virt1 up", nb_set_up("virt1", 1));
	must("bridge0 up", nb_set_up("bridge0", 1));
	printf("rumpkern: up\n");
	while (!over) {
		client = accept(s, NULL, NULL);
		if (client == -1 && errno != EINTR)
			die("accept", errno);
		if (client != -1) {
			ctl_serve(client, joins, leave);
			(void)close(client);
		}
	}
	for (c = 0; unload != NULL && c < njoins; c++) {
		const char *member = strchr(joins[c], ':');

		/* ENXIO: it is gone already. */
		if (member != NULL)
			(void)nb_destroy(member + 1);
	}
	error = unload != NULL ? nb_module_unload(unload) : 0;
	printf(error == 0 ? "rumpkern: down; unloaded\n" : "rumpkern: unload: error %d\n", error);
	/* No way back out of a rump kernel: its threads go with the process. */
	_exit(error != 0);
}
