/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rumpkern: a NetBSD rump kernel as a router of the tests.
 *
 *	rumpkern -s SOCKET -w ADDRESS/LEN [-g GATEWAY] [-a ADDRESS/LEN ...] [-n ADDRESS=MAC ...]
 *	    [-j BRIDGE:MEMBER ...] [-l] [-u MODULE]
 *
 * Its first interface, virt0, is the tap device tun0 of the host: the WAN, with that address and
 * that default route. virt1, which is tun1, is the LAN, and a port of bridge0; or, with -a, it has
 * that address, and the kernel forwards. -w and -g may be given again for the other family, -a
 * for each address. -n is a neighbour that answers no ARP. An interface named
 * by -j becomes a port of a bridge once it is up. Requests come over SOCKET as to hostkern(8), so
 * that the same ifconfig(8), iipfctl(8) and kstat(8) drive both. At SIGTERM, with -u, the interfaces of -j
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

#define	MAXLANS		4
#define	MAXPEERS	8

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

/* An interface with these addresses, up. */
static void
port(const char *name, char *const *addresses, int n)
{
	unsigned char a[16];
	char *slash;
	int family, i;

	for (i = 0; i < n; i++) {
		slash = strchr(addresses[i], '/');
		if (slash == NULL)
			die(addresses[i], EINVAL);
		*slash = '\0';
		family = parse(addresses[i], a);
		must(name, nb_address(name, family, a, atoi(slash + 1)));
	}
	must(name, nb_set_up(name, 1));
}

static void
routes(char *const *gateways, int n)
{
	unsigned char a[16];
	int family, i;

	for (i = 0; i < n; i++) {
		family = parse(gateways[i], a);
		must("default route", nb_gateway(family, a));
	}
}

/* As arp(8) and ndp(8) -s, in virt1's networks. */
static void
neighbours(char *const *pairs, int n)
{
	unsigned char a[16], mac[6];
	char *mark;
	int family, i;

	for (i = 0; i < n; i++) {
		mark = strchr(pairs[i], '=');
		if (mark == NULL || sscanf(mark + 1, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0],
		    &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
			die(pairs[i], EINVAL);
		*mark = '\0';
		family = parse(pairs[i], a);
		must(pairs[i], nb_neighbour("virt1", family, a, mac));
	}
}

/* A router says nothing of better ways, and errors as often as somebody asks for them. */
static void
forwarding(void)
{

	must("forwarding", nb_sysctl_set("net.inet.ip.forwarding", 1));
	must("ip6 forwarding", nb_sysctl_set("net.inet6.ip6.forwarding", 1));
	must("redirect", nb_sysctl_set("net.inet.ip.redirect", 0));
	must("ip6 redirect", nb_sysctl_set("net.inet6.ip6.redirect", 0));
	must("errppslimit", nb_sysctl_set("net.inet.icmp.errppslimit", -1));
	must("icmp6 errppslimit", nb_sysctl_set("net.inet6.icmp6.errppslimit", -1));
	/* A debug kernel's flow table stops it by itself (docs/KERNELS.md). */
	(void)nb_sysctl_set("net.inet.ip.maxflows", 0);
	(void)nb_sysctl_set("net.inet6.ip6.maxflows", 0);
}

/* The LAN: a port of bridge0, or an interface with addresses that packets are forwarded to. */
static void
lan(char *const *addresses, int n)
{

	must("create virt1", nb_create("virt1"));
	if (n == 0) {
		must("create bridge0", nb_create("bridge0"));
		must("bridge0", nb_join("bridge0", "virt1"));
		must("virt1 up", nb_set_up("virt1", 1));
		must("bridge0 up", nb_set_up("bridge0", 1));
		return;
	}
	forwarding();
	port("virt1", addresses, n);
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
	const char *joins[16] = { NULL }, *path = NULL, *unload = NULL;
	struct sigaction sa = { .sa_handler = on_term };
	char *gateways[2], *lans[MAXLANS], *peers[MAXPEERS], *wans[2];
	int c, client, error, leave = 0, ngateways = 0, njoins = 0, nlans = 0, npeers = 0, nwans = 0, s;

	while ((c = getopt(argc, argv, "a:g:j:ln:s:u:w:")) != -1) {
		switch (c) {
		case 'a': if (nlans < MAXLANS) lans[nlans++] = optarg; break;
		case 'g': if (ngateways < 2) gateways[ngateways++] = optarg; break;
		case 'j': if (njoins < 15) joins[njoins++] = optarg; break;
		case 'l': leave = 1; break;
		case 'n': if (npeers < MAXPEERS) peers[npeers++] = optarg; break;
		case 's': path = optarg; break;
		case 'u': unload = optarg; break;
		case 'w': if (nwans < 2) wans[nwans++] = optarg; break;
		default: return 2;
		}
	}
	if (path == NULL || nwans == 0) {
		fprintf(stderr, "usage: rumpkern -s socket -w address/len [-g gateway]"
		    " [-a address/len] [-n address=mac] [-j bridge:member] [-l] [-u module]\n");
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
	port("virt0", wans, nwans);
	routes(gateways, ngateways);
	/* From here on interfaces say nothing by themselves: tests count. */
	if (nlans == 0)
		must("auto_linklocal", nb_sysctl_set("net.inet6.ip6.auto_linklocal", 0));
	lan(lans, nlans);
	neighbours(peers, npeers);
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
