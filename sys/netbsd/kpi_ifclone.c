/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interface cloners over if_clone(9).
 */
#include "kpi_impl.h"
#include "kpi_ifnet.h"

struct kpi_ifclone {
	struct if_clone	 kc_ifc;
	const struct kpi_ifcloneops *kc_ops;
	void		*kc_arg;
	LIST_ENTRY(kpi_ifclone) kc_list;	/* kpi_ifnet_lock */
	char		 kc_name[IFNAMSIZ];
};

static LIST_HEAD(, kpi_ifclone) kpi_ifclones =
    LIST_HEAD_INITIALIZER(kpi_ifclones);

bool
kpi_ifname_is(const char *xname, const char *base, size_t baselen)
{
	const char *p;

	if (strncmp(xname, base, baselen) != 0 || xname[baselen] == '\0')
		return false;
	for (p = xname + baselen; *p != '\0'; p++)
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

static int
kpi_ifclone_create(struct if_clone *ifc, int unit)
{
	struct kpi_ifclone *kc = container_of(ifc, struct kpi_ifclone, kc_ifc);
	char name[IFNAMSIZ];
	int len;

	len = snprintf(name, sizeof(name), "%s%d", kc->kc_name, unit);
	if (len < 0 || (size_t)len >= sizeof(name))
		return EINVAL;
	return (*kc->kc_ops->ico_create)(kc->kc_arg, name, (uint32_t)len,
	    (uint32_t)unit);
}

/* The cloner does not come with the interface: find it by its name. */
static int
kpi_ifclone_destroy(struct ifnet *ifp)
{
	struct kpi_ifclone *kc;

	mutex_enter(&kpi_ifnet_lock);
	LIST_FOREACH(kc, &kpi_ifclones, kc_list)
		if (kpi_ifname_is(ifp->if_xname, kc->kc_name,
		    kc->kc_ifc.ifc_namelen))
			break;
	mutex_exit(&kpi_ifnet_lock);
	if (kc == NULL)
		return ENXIO;
	return (*kc->kc_ops->ico_destroy)(kc->kc_arg, kpi_ki(ifp)->ki_sc);
}

struct kpi_ifclone *
kpi_ifclone_attach(const char *name, uint32_t namelen,
    const struct kpi_ifcloneops *ops, void *arg, int32_t *error)
{
	struct kpi_ifclone *kc;

	if (namelen == 0 || namelen >= sizeof(kc->kc_name)) {
		*error = EINVAL;
		return NULL;
	}
	kc = kmem_zalloc(sizeof(*kc), KM_SLEEP);
	memcpy(kc->kc_name, name, namelen);
	kc->kc_ops = ops;
	kc->kc_arg = arg;
	kc->kc_ifc.ifc_name = kc->kc_name;
	kc->kc_ifc.ifc_namelen = namelen;
	kc->kc_ifc.ifc_create = kpi_ifclone_create;
	kc->kc_ifc.ifc_destroy = kpi_ifclone_destroy;
	mutex_enter(&kpi_ifnet_lock);
	LIST_INSERT_HEAD(&kpi_ifclones, kc, kc_list);
	mutex_exit(&kpi_ifnet_lock);
	if_clone_attach(&kc->kc_ifc);
	*error = 0;
	return kc;
}

void
kpi_ifclone_detach(struct kpi_ifclone *kc)
{
	struct kpi_ifnet *ki;
	struct ifnet *ifp;
	int error;

	/* Waits for a create or destroy that runs; there will be no other. */
	if_clone_detach(&kc->kc_ifc);
	for (;;) {
		mutex_enter(&kpi_ifnet_lock);
		LIST_FOREACH(ki, &kpi_ifnets, ki_list)
			if (kpi_ifname_is(kpi_ifp(ki)->if_xname, kc->kc_name,
			    kc->kc_ifc.ifc_namelen))
				break;
		mutex_exit(&kpi_ifnet_lock);
		if (ki == NULL)
			break;
		ifp = kpi_ifp(ki);
		error = (*kc->kc_ops->ico_destroy)(kc->kc_arg, ki->ki_sc);
		if (error != 0)
			panic("%s: cannot be destroyed: error %d", ifp->if_xname,
			    error);
	}
	mutex_enter(&kpi_ifnet_lock);
	LIST_REMOVE(kc, kc_list);
	mutex_exit(&kpi_ifnet_lock);
	kmem_free(kc, sizeof(*kc));
}
