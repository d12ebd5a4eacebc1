/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Interface cloners over if_clone(9), one in each vnet.
 *
 * The module attaches a cloner once; we attach it in every vnet that there is,
 * and in those that come later (kpi_vnet_init).
 * Locking: kpi_clone_lock guards both lists and is not held while the kernel
 * calls a create or destroy function.
 */
#include "kpi_impl.h"

#include <net/if.h>
#include <net/if_clone.h>
#include <net/vnet.h>

#include "kpi_ifnet.h"

struct kpi_ifclone {
	LIST_ENTRY(kpi_ifclone) kc_list;
	const struct kpi_ifcloneops *kc_ops;
	void		*kc_arg;
	char		 kc_name[IFNAMSIZ];
};

/* A cloner of the kernel's: (vnet, kpi_ifclone). */
struct kpi_vnet_clone {
	LIST_ENTRY(kpi_vnet_clone) kv_list;
	struct kpi_ifclone *kv_clone;
	struct vnet	*kv_vnet;
	struct if_clone	*kv_ifc;
};

static LIST_HEAD(, kpi_ifclone) kpi_ifclones =
    LIST_HEAD_INITIALIZER(kpi_ifclones);
static LIST_HEAD(, kpi_vnet_clone) kpi_vnet_clones =
    LIST_HEAD_INITIALIZER(kpi_vnet_clones);
static struct sx kpi_clone_lock;
SX_SYSINIT(kpi_clone_lock, &kpi_clone_lock, "ropewalk cloners");

int
kpi_ifclone_fini(void)
{

	return (LIST_EMPTY(&kpi_ifclones) ? 0 : EBUSY);
}

/* The cloner does not come with the call: find it by the interface's name. */
static struct kpi_ifclone *
kpi_ifclone_of(const char *name)
{
	struct kpi_ifclone *kc;
	const char *p;

	sx_slock(&kpi_clone_lock);
	LIST_FOREACH(kc, &kpi_ifclones, kc_list) {
		if (strncmp(name, kc->kc_name, strlen(kc->kc_name)) != 0)
			continue;
		p = name + strlen(kc->kc_name);
		while (*p >= '0' && *p <= '9')
			p++;
		if (*p == '\0')
			break;
	}
	sx_sunlock(&kpi_clone_lock);
	return (kc);
}

/*
 * The unit that name asks for, -1 for any.  The kernel's own units
 * (IFC_F_AUTOUNIT) begin at the first digit, which in "l2tp0" is not the unit.
 */
static int
kpi_ifclone_unit(const struct kpi_ifclone *kc, const char *name, int *unit)
{
	const char *p = name + strlen(kc->kc_name);

	*unit = -1;
	if (*p == '\0')
		return (0);
	if (p[0] == '0' && p[1] != '\0')
		return (EINVAL);
	for (*unit = 0; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || *unit > IF_MAXUNIT)
			return (EINVAL);
		*unit = *unit * 10 + (*p - '0');
	}
	return (0);
}

static int
kpi_ifclone_create(struct if_clone *ifc, char *name, size_t len __unused,
    struct ifc_data *ifd __unused, struct ifnet **ifpp)
{
	char xname[IFNAMSIZ];
	struct kpi_ifclone *kc;
	struct kpi_ifnet *ki;
	int error, n, unit;

	kc = kpi_ifclone_of(name);
	if (kc == NULL)
		return (ENXIO);
	if ((error = kpi_ifclone_unit(kc, name, &unit)) != 0 ||
	    (error = ifc_alloc_unit(ifc, &unit)) != 0)
		return (error);
	n = snprintf(xname, sizeof(xname), "%s%d", kc->kc_name, unit);
	if (n < 0 || (size_t)n >= sizeof(xname))
		error = EINVAL;
	else
		error = (*kc->kc_ops->ico_create)(kc->kc_arg, xname, (uint32_t)n,
		    (uint32_t)unit);
	if (error != 0) {
		ifc_free_unit(ifc, unit);
		return (error);
	}
	/* The kernel wants the interface that was made: the unit is unique here. */
	sx_slock(&kpi_ifnet_lock);
	LIST_FOREACH(ki, &kpi_ifnets, ki_list)
		if (if_getvnet(ki->ki_ifp) == curvnet &&
		    strcmp(if_name(ki->ki_ifp), xname) == 0)
			break;
	sx_sunlock(&kpi_ifnet_lock);
	if (ki == NULL)
		return (ENXIO);
	*ifpp = ki->ki_ifp;
	return (0);
}

static int
kpi_ifclone_destroy(struct if_clone *ifc, struct ifnet *ifp,
    uint32_t flags __unused)
{
	struct kpi_ifnet *ki = if_getsoftc(ifp);
	const int unit = if_getdunit(ifp);
	struct kpi_ifclone *kc;
	int error;

	/* People rename interfaces: the driver's name tells. */
	kc = kpi_ifclone_of(if_getdname(ifp));
	if (kc == NULL)
		return (ENXIO);
	error = (*kc->kc_ops->ico_destroy)(kc->kc_arg, ki->ki_sc);
	if (error == 0)
		ifc_free_unit(ifc, unit);
	return (error);
}

/* Attach kc in curvnet, unless it is. */
static int
kpi_vnet_attach(struct kpi_ifclone *kc)
{
	struct if_clone_addreq req = {
		.create_f = kpi_ifclone_create,
		.destroy_f = kpi_ifclone_destroy,
	};
	struct kpi_vnet_clone *kv;

	sx_assert(&kpi_clone_lock, SA_XLOCKED);
	LIST_FOREACH(kv, &kpi_vnet_clones, kv_list)
		if (kv->kv_clone == kc && kv->kv_vnet == curvnet)
			return (0);
	kv = malloc(sizeof(*kv), M_ROPEWALK, M_WAITOK | M_ZERO);
	kv->kv_clone = kc;
	kv->kv_vnet = curvnet;
	kv->kv_ifc = ifc_attach_cloner(kc->kc_name, &req);
	if (kv->kv_ifc == NULL) {
		free(kv, M_ROPEWALK);
		return (EEXIST);
	}
	LIST_INSERT_HEAD(&kpi_vnet_clones, kv, kv_list);
	return (0);
}

/* Detach one that matches; false when there is none.  NULL matches all. */
static bool
kpi_vnet_detach(const struct kpi_ifclone *kc, const struct vnet *vnet)
{
	struct kpi_vnet_clone *kv;

	sx_xlock(&kpi_clone_lock);
	LIST_FOREACH(kv, &kpi_vnet_clones, kv_list)
		if ((kc == NULL || kv->kv_clone == kc) &&
		    (vnet == NULL || kv->kv_vnet == vnet))
			break;
	if (kv != NULL)
		LIST_REMOVE(kv, kv_list);
	sx_xunlock(&kpi_clone_lock);
	if (kv == NULL)
		return (false);
	/* Destroys the interfaces that it made, through kpi_ifclone_destroy. */
	CURVNET_SET(kv->kv_vnet);
	ifc_detach_cloner(kv->kv_ifc);
	CURVNET_RESTORE();
	free(kv, M_ROPEWALK);
	return (true);
}

struct kpi_ifclone *
kpi_ifclone_attach(const char *name, uint32_t namelen,
    const struct kpi_ifcloneops *ops, void *arg, int32_t *error)
{
	VNET_ITERATOR_DECL(vnet_iter);
	struct kpi_ifclone *kc;

	*error = 0;
	if (namelen == 0 || namelen >= sizeof(kc->kc_name)) {
		*error = EINVAL;
		return (NULL);
	}
	kc = malloc(sizeof(*kc), M_ROPEWALK, M_WAITOK | M_ZERO);
	memcpy(kc->kc_name, name, namelen);
	kc->kc_ops = ops;
	kc->kc_arg = arg;

	VNET_LIST_RLOCK();
	sx_xlock(&kpi_clone_lock);
	LIST_INSERT_HEAD(&kpi_ifclones, kc, kc_list);
	VNET_FOREACH(vnet_iter) {
		CURVNET_SET(vnet_iter);
		if (*error == 0)
			*error = kpi_vnet_attach(kc);
		CURVNET_RESTORE();
	}
	sx_xunlock(&kpi_clone_lock);
	VNET_LIST_RUNLOCK();
	if (*error != 0) {
		kpi_ifclone_detach(kc);
		return (NULL);
	}
	return (kc);
}

void
kpi_ifclone_detach(struct kpi_ifclone *kc)
{

	while (kpi_vnet_detach(kc, NULL))
		continue;
	sx_xlock(&kpi_clone_lock);
	LIST_REMOVE(kc, kc_list);
	sx_xunlock(&kpi_clone_lock);
	free(kc, M_ROPEWALK);
}

/* A vnet comes (also at load, for each that there is), and goes. */
static void
kpi_vnet_init(const void *unused __unused)
{
	struct kpi_ifclone *kc;

	sx_xlock(&kpi_clone_lock);
	LIST_FOREACH(kc, &kpi_ifclones, kc_list)
		if (kpi_vnet_attach(kc) != 0)
			printf("%s: no cloner in a new vnet: the name is taken\n",
			    kc->kc_name);
	sx_xunlock(&kpi_clone_lock);
}
VNET_SYSINIT(kpi_vnet_init, SI_SUB_PSEUDO, SI_ORDER_ANY, kpi_vnet_init, NULL);

static void
kpi_vnet_uninit(const void *unused __unused)
{

	while (kpi_vnet_detach(NULL, curvnet))
		continue;
}
VNET_SYSUNINIT(kpi_vnet_uninit, SI_SUB_PSEUDO, SI_ORDER_ANY, kpi_vnet_uninit,
    NULL);
