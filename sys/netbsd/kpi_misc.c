/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time, randomness, the log, and kstat as sysctl(9) nodes net.ropewalk.NAME.
 */
#include <sys/param.h>
#include <sys/cprng.h>
#include <sys/sysctl.h>
#include <sys/syslog.h>
#include <sys/time.h>

#include "kpi_impl.h"

#define	KPI_KSTAT_CHUNK	4096
#define	KPI_LOG_MAX	256

struct kpi_kstat {
	kpi_kstat_read	 kk_read;
	void		*kk_arg;
	struct sysctllog *kk_log;
	char		 kk_name[32];
};

uint64_t
kpi_uptime_ns(void)
{
	struct timespec ts;

	nanouptime(&ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void
kpi_random(uint8_t *buf, uint32_t len)
{
	size_t n;

	while (len > 0) {
		n = MIN(len, CPRNG_MAX_LEN);
		(void)cprng_strong(kern_cprng, buf, n, 0);
		buf += n;
		len -= n;
	}
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
 * Reads all records from the first on.  The framework holds the sysctl lock
 * here and while a node is removed, so no read runs once it is gone; a module
 * therefore detaches without a lock that its read takes.
 */
static int
kpi_kstat_sysctl(SYSCTLFN_ARGS)
{
	struct sysctlnode node = *rnode;
	struct kpi_kstat *k = node.sysctl_data;
	uint64_t cursor = 0;
	uint8_t *buf;
	size_t room, total;
	uint32_t n;
	int error = 0;

	if (namelen != 0)
		return EINVAL;
	if (newp != NULL)
		return EPERM;

	buf = kmem_alloc(KPI_KSTAT_CHUNK, KM_SLEEP);
	room = oldp != NULL ? *oldlenp : 0;
	total = 0;
	while ((n = (*k->kk_read)(k->kk_arg, &cursor, buf, KPI_KSTAT_CHUNK)) != 0) {
		if (oldp != NULL && n > room) {
			error = ENOMEM;
			break;
		}
		if (oldp != NULL) {
			error = sysctl_copyout(l, buf, (char *)oldp + total, n);
			if (error != 0)
				break;
			room -= n;
		}
		total += n;
	}
	kmem_free(buf, KPI_KSTAT_CHUNK);
	/* A size asked for beforehand may be outgrown by the time it is used. */
	*oldlenp = oldp != NULL ? total : total + total / 4;
	return error;
}

struct kpi_kstat *
kpi_kstat_attach(const char *name, uint32_t namelen, kpi_kstat_read read,
    void *arg)
{
	const struct sysctlnode *parent = NULL;
	struct kpi_kstat *k;
	int error;

	k = kmem_zalloc(sizeof(*k), KM_SLEEP);
	if (namelen == 0 || namelen >= sizeof(k->kk_name))
		goto fail;
	memcpy(k->kk_name, name, namelen);
	k->kk_read = read;
	k->kk_arg = arg;

	/* Each module may be the one that makes the parent, none removes it. */
	error = sysctl_createv(NULL, 0, NULL, &parent, 0, CTLTYPE_NODE,
	    "ropewalk", SYSCTL_DESCR("Ropewalk kernel modules"),
	    NULL, 0, NULL, 0, CTL_NET, CTL_CREATE, CTL_EOL);
	if (error != 0 && error != EEXIST)
		goto fail;
	error = sysctl_createv(&k->kk_log, 0, &parent, NULL, 0, CTLTYPE_STRUCT,
	    k->kk_name, SYSCTL_DESCR("records for kstat(8)"),
	    kpi_kstat_sysctl, 0, (void *)k, 0, CTL_CREATE, CTL_EOL);
	if (error != 0) {
		sysctl_teardown(&k->kk_log);
		goto fail;
	}
	return k;
fail:
	kmem_free(k, sizeof(*k));
	return NULL;
}

void
kpi_kstat_detach(struct kpi_kstat *k)
{

	sysctl_teardown(&k->kk_log);
	kmem_free(k, sizeof(*k));
}
