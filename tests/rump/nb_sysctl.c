/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sysctl(3) of a rump kernel, by name. Compiled with NetBSD's headers.
 */
#include <sys/param.h>
#include <sys/sysctl.h>

#include <rump/rump_syscalls.h>

#include "nb.h"
#include "nb_host.h"

#define	NB_NODES	512

/* The children of a node, *n of at most NB_NODES. */
static int
nb_query(const int *mib, unsigned depth, struct sysctlnode *nodes, int *n)
{
	struct sysctlnode query;
	int name[CTL_MAXNAME];
	size_t len = NB_NODES * sizeof(*nodes);

	memset(&query, 0, sizeof(query));
	query.sysctl_flags = SYSCTL_VERSION;
	memcpy(name, mib, depth * sizeof(name[0]));
	name[depth] = CTL_QUERY;
	if (rump_sys___sysctl(name, depth + 1, nodes, &len, &query, sizeof(query)) == -1)
		return nb_errno();
	*n = (int)(len / sizeof(*nodes));
	return 0;
}

/* Numbers of a name such as net.inet.ip.dad_count. */
static int
nb_mib(const char *name, int *mib, unsigned *depth, struct sysctlnode *nodes)
{
	const char *end;
	int error, i, n;

	for (*depth = 0; *name != '\0' && *depth < CTL_MAXNAME - 1; name = *end ? end + 1 : end) {
		for (end = name; *end != '\0' && *end != '.'; end++)
			continue;
		error = nb_query(mib, *depth, nodes, &n);
		if (error != 0)
			return error;
		for (i = 0; i < n; i++) {
			const char *s = nodes[i].sysctl_name;
			unsigned long len = (unsigned long)(end - name);

			if (strlen(s) == len && __builtin_memcmp(s, name, len) == 0)
				break;
		}
		if (i == n)
			return ENOENT;
		mib[(*depth)++] = nodes[i].sysctl_num;
	}
	return 0;
}

static int
nb_call(const char *name, void *to, size_t *len, const void *from, size_t fromlen)
{
	struct sysctlnode *nodes;
	int mib[CTL_MAXNAME];
	unsigned depth;
	int error;

	nodes = malloc(NB_NODES * sizeof(*nodes));
	if (nodes == NULL)
		return ENOMEM;
	error = nb_mib(name, mib, &depth, nodes);
	free(nodes);
	if (error == 0 && rump_sys___sysctl(mib, depth, to, len, from, fromlen) == -1)
		error = nb_errno();
	return error;
}

int
nb_sysctl_set(const char *name, int value)
{

	return nb_call(name, NULL, NULL, &value, sizeof(value));
}

/* *len: room, then what was read. */
int
nb_sysctl_read(const char *name, void *to, unsigned long *len)
{
	size_t n = *len;
	int error;

	error = nb_call(name, to, &n, NULL, 0);
	*len = n;
	return error;
}

int
nb_sysctl_children(const char *name, char (*names)[32], int *n)
{
	struct sysctlnode *nodes;
	int mib[CTL_MAXNAME];
	unsigned depth;
	int error, i, have;

	nodes = malloc(NB_NODES * sizeof(*nodes));
	if (nodes == NULL)
		return ENOMEM;
	error = nb_mib(name, mib, &depth, nodes);
	if (error == 0)
		error = nb_query(mib, depth, nodes, &have);
	if (error == 0) {
		*n = MIN(*n, have);
		for (i = 0; i < *n; i++)
			memcpy(names[i], nodes[i].sysctl_name, 32);
	}
	free(nodes);
	return error;
}
