/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * module(9) glue: the handshake with the Rust side, and the order of set-up.
 *
 * KPI_MODULE comes from the build: the module's name.
 */
#include "kpi_impl.h"

#include <sys/module.h>

extern const struct kpi_module kpi_module;

static void *kpi_module_state;

static int
kpi_load(void)
{

	if (kpi_module.km_version != KPI_VERSION ||
	    kpi_module.km_size != sizeof(struct kpi_module)) {
		printf("%.*s: built for kpi version %u (%u bytes), these shims are "
		    "version %u (%zu bytes): build both from one tree\n",
		    (int)kpi_module.km_namelen, kpi_module.km_name,
		    kpi_module.km_version, kpi_module.km_size, KPI_VERSION,
		    sizeof(struct kpi_module));
		return (EPROGMISMATCH);
	}
	return ((*kpi_module.km_init)(&kpi_module_state));
}

static int
kpi_unload(void)
{
	int error;

	error = (*kpi_module.km_fini)(kpi_module_state);
	if (error != 0)
		return (error);
	kpi_module_state = NULL;
	/* What the module leaked would be called after its text is gone. */
	if (kpi_if_fini() != 0 || kpi_encap_fini() != 0)
		panic("%.*s: unloaded with interfaces or endpoints left",
		    (int)kpi_module.km_namelen, kpi_module.km_name);
	return (0);
}

static int
kpi_modevent(module_t mod __unused, int type, void *arg __unused)
{

	switch (type) {
	case MOD_LOAD:
		return (kpi_load());
	case MOD_UNLOAD:
		return (kpi_unload());
	default:
		return (EOPNOTSUPP);
	}
}

#define	KPI_STR1(x)	#x
#define	KPI_STR(x)	KPI_STR1(x)

static moduledata_t kpi_moduledata = {
	KPI_STR(KPI_MODULE), kpi_modevent, NULL
};

/* After the protocols, so that there is an IP to attach to. */
#define	KPI_DECLARE(name)						\
	DECLARE_MODULE(name, kpi_moduledata, SI_SUB_PSEUDO, SI_ORDER_ANY); \
	MODULE_VERSION(name, 1)
KPI_DECLARE(KPI_MODULE);
