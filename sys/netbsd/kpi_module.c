/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * module(9) glue: the handshake with the Rust side, and the order of set-up.
 *
 * KPI_MODULE and KPI_MODULE_REQUIRED come from the build: the module's name, and
 * the modules that it needs or NULL.
 */
#include <sys/param.h>
#include <sys/module.h>

#include "kpi_impl.h"

extern const struct kpi_module kpi_module;

static void *kpi_module_state;

MODULE(MODULE_CLASS_DRIVER, KPI_MODULE, KPI_MODULE_REQUIRED);

static int
kpi_load(void)
{
	int error;

	if (kpi_module.km_version != KPI_VERSION ||
	    kpi_module.km_size != sizeof(struct kpi_module)) {
		printf("%.*s: built for kpi version %u (%u bytes), these shims are "
		    "version %u (%zu bytes): build both from one tree\n",
		    (int)kpi_module.km_namelen, kpi_module.km_name,
		    kpi_module.km_version, kpi_module.km_size, KPI_VERSION,
		    sizeof(struct kpi_module));
		return EPROGMISMATCH;
	}
	error = kpi_sync_init();
	if (error != 0)
		return error;
	kpi_encap_init();
	kpi_if_init();
	kpi_cdev_init();
	error = (*kpi_module.km_init)(&kpi_module_state);
	if (error != 0) {
		(void)kpi_cdev_fini();
		(void)kpi_if_fini();
		(void)kpi_encap_fini();
		kpi_sync_fini();
	}
	return error;
}

static int
kpi_unload(void)
{
	int error;

	error = (*kpi_module.km_fini)(kpi_module_state);
	if (error != 0)
		return error;
	kpi_module_state = NULL;
	/* What the module leaked would be called after its text is gone. */
	if (kpi_cdev_fini() != 0 || kpi_if_fini() != 0 || kpi_encap_fini() != 0)
		panic("%.*s: unloaded with devices, interfaces or endpoints left",
		    (int)kpi_module.km_namelen, kpi_module.km_name);
	kpi_sync_fini();
	return 0;
}

#define	KPI_MODCMD1(name)	name ## _modcmd
#define	KPI_MODCMD(name)	KPI_MODCMD1(name)

static int
KPI_MODCMD(KPI_MODULE)(modcmd_t cmd, void *arg __unused)
{

	switch (cmd) {
	case MODULE_CMD_INIT:
		return kpi_load();
	case MODULE_CMD_FINI:
		return kpi_unload();
	case MODULE_CMD_AUTOUNLOAD:
		/* Interfaces are made by people, who unload by hand. */
		return EBUSY;
	default:
		return ENOTTY;
	}
}
