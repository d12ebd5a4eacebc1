/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time, randomness, the log, and kstat as sysctl(9) nodes net.ropewalk.NAME.
 */
#include "kpi_impl.h"

#include <sys/libkern.h>
#include <sys/sysctl.h>
#include <sys/syslog.h>
#include <sys/time.h>

#define	KPI_KSTAT_CHUNK	4096
#define	KPI_LOG_MAX	256

struct kpi_kstat {
	kpi_kstat_read	 kk_read;
	void		*kk_arg;
	struct sysctl_ctx_list kk_ctx;
	char		 kk_name[32];
};

uint64_t
kpi_uptime_ns(void)
{
	struct timespec ts;

	nanouptime(&ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

void
kpi_random(uint8_t *buf, uint32_t len)
{

	arc4random_buf(buf, len);
}

void
kpi_log(uint32_t level, const char *msg, uint32_t len)
{

	log((int)MIN(level, LOG_DEBUG), "%.*s\n", (int)MIN(len, KPI_LOG_MAX), msg);
}

void
kpi_panic(const char *msg, uint32_t len)
{

	panic("%.*s", (int)MIN(len, KPI_LOG_MAX), msg);
}

/*
 * Reads all records from the first on.  sysctl_ctx_free(9) waits for a read
 * that runs; a module therefore detaches without a lock that its read takes.
 */
static int
kpi_kstat_sysctl(SYSCTL_HANDLER_ARGS)
{
	struct kpi_kstat *k = arg1;
	uint64_t cursor = 0;
	uint8_t *buf;
	uint32_t n;
	int error = 0;

	buf = malloc(KPI_KSTAT_CHUNK, M_ROPEWALK, M_WAITOK);
	while (error == 0 && (n = (*k->kk_read)(k->kk_arg, &cursor, buf,
	    KPI_KSTAT_CHUNK)) != 0)
		error = SYSCTL_OUT(req, buf, n);
	free(buf, M_ROPEWALK);
	return (error);
}

struct kpi_kstat *
kpi_kstat_attach(const char *name, uint32_t namelen, kpi_kstat_read read,
    void *arg)
{
	struct sysctl_oid *parent;
	struct kpi_kstat *k;

	if (namelen == 0 || namelen >= sizeof(k->kk_name))
		return (NULL);
	k = malloc(sizeof(*k), M_ROPEWALK, M_WAITOK | M_ZERO);
	memcpy(k->kk_name, name, namelen);
	k->kk_read = read;
	k->kk_arg = arg;
	sysctl_ctx_init(&k->kk_ctx);
	/* The parent counts its users: any module may be the first or the last. */
	parent = SYSCTL_ADD_NODE(&k->kk_ctx, SYSCTL_STATIC_CHILDREN(_net),
	    OID_AUTO, "ropewalk", CTLFLAG_RD | CTLFLAG_MPSAFE, NULL,
	    "Ropewalk kernel modules");
	if (parent == NULL || SYSCTL_ADD_PROC(&k->kk_ctx, SYSCTL_CHILDREN(parent),
	    OID_AUTO, k->kk_name, CTLTYPE_OPAQUE | CTLFLAG_RD | CTLFLAG_MPSAFE, k,
	    0, kpi_kstat_sysctl, "S,kstat", "records for kstat(8)") == NULL) {
		(void)sysctl_ctx_free(&k->kk_ctx);
		free(k, M_ROPEWALK);
		return (NULL);
	}
	return (k);
}

void
kpi_kstat_detach(struct kpi_kstat *k)
{

	(void)sysctl_ctx_free(&k->kk_ctx);
	free(k, M_ROPEWALK);
}
