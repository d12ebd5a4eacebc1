/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices over devsw_attach(9).  There is no devfs: the number is logged, and
 * mknod(8) takes the name for it.  It is one of those that NetBSD leaves to others,
 * if one is free: small, so that each file system can hold it.
 *
 * Locking: kpi_cdev_lock guards the list; kc_lock is held across co_ioctl.
 * devsw_detach(9) waits for the calls that run.
 */
#include <sys/param.h>
#include <sys/conf.h>
#include <sys/ioctl.h>
#include <sys/kauth.h>
#include <sys/lwp.h>

#include "kpi_impl.h"

#define	KPI_CDEV_NAMELEN	32
#define	KPI_CDEV_CMD_MAX	4096
#define	KPI_CDEV_MAJOR_FIRST	144
#define	KPI_CDEV_MAJOR_LAST	159

struct kpi_cdev {
	LIST_ENTRY(kpi_cdev) kc_list;
	struct cdevsw	 kc_devsw;
	const struct kpi_cdevops *kc_ops;
	void		*kc_arg;
	kmutex_t	 kc_lock;
	devmajor_t	 kc_major;
	char		 kc_name[KPI_CDEV_NAMELEN];
};

static LIST_HEAD(, kpi_cdev) kpi_cdevs;
static kmutex_t kpi_cdev_lock;

void
kpi_cdev_init(void)
{

	LIST_INIT(&kpi_cdevs);
	mutex_init(&kpi_cdev_lock, MUTEX_DEFAULT, IPL_NONE);
}

int
kpi_cdev_fini(void)
{

	if (!LIST_EMPTY(&kpi_cdevs))
		return EBUSY;
	mutex_destroy(&kpi_cdev_lock);
	return 0;
}

/* A caller of the device's functions keeps the device: devsw_detach(9) waits for it. */
static struct kpi_cdev *
kpi_cdev_of(dev_t dev)
{
	struct kpi_cdev *c;

	mutex_enter(&kpi_cdev_lock);
	LIST_FOREACH(c, &kpi_cdevs, kc_list)
		if (c->kc_major == major(dev))
			break;
	mutex_exit(&kpi_cdev_lock);
	return minor(dev) == 0 ? c : NULL;
}

static int
kpi_cdev_open(dev_t dev, int flags __unused, int mode __unused,
    struct lwp *l __unused)
{

	return kpi_cdev_of(dev) == NULL ? ENXIO : 0;
}

static int
kpi_cdev_close(dev_t dev __unused, int flags __unused, int mode __unused,
    struct lwp *l __unused)
{

	return 0;
}

/* data is the kernel's copy, of the size that cmd has in itself. */
static int
kpi_cdev_ioctl(dev_t dev, u_long cmd, void *data, int flags __unused,
    struct lwp *l __unused)
{
	struct kpi_cdev *c = kpi_cdev_of(dev);
	const struct kpi_ifcmd *kc;
	uint32_t i;
	int error;

	if (c == NULL)
		return ENXIO;
	for (i = 0; i < c->kc_ops->co_ncmds; i++)
		if (c->kc_ops->co_cmds[i].kc_cmd == (uint32_t)cmd)
			break;
	if (i == c->kc_ops->co_ncmds)
		return ENOTTY;
	kc = &c->kc_ops->co_cmds[i];
	if (kc->kc_size != IOCPARM_LEN(cmd) || kc->kc_size > KPI_CDEV_CMD_MAX)
		return EINVAL;
	if ((kc->kc_flags & KPI_IFC_PRIV) != 0) {
		error = kauth_authorize_network(kauth_cred_get(),
		    KAUTH_NETWORK_FIREWALL, KAUTH_REQ_NETWORK_FIREWALL_FW, NULL,
		    NULL, NULL);
		if (error != 0)
			return error;
	}
	mutex_enter(&c->kc_lock);
	error = (*c->kc_ops->co_ioctl)(c->kc_arg, kc->kc_cmd, data, kc->kc_size);
	mutex_exit(&c->kc_lock);
	return error;
}

static bool
kpi_cdev_name_ok(const char *name, uint32_t namelen)
{
	uint32_t i;

	for (i = 0; i < namelen; i++)
		if ((name[i] < 'a' || name[i] > 'z') &&
		    (name[i] < '0' || name[i] > '9'))
			return false;
	return namelen > 0 && namelen < KPI_CDEV_NAMELEN;
}

/* A name keeps its number, so that a node stays right when the module comes again. */
static int
kpi_cdev_number(struct kpi_cdev *c)
{
	devmajor_t bmajor, want;

	for (want = KPI_CDEV_MAJOR_FIRST; want <= KPI_CDEV_MAJOR_LAST; want++) {
		bmajor = -1;
		c->kc_major = want;
		if (devsw_attach(c->kc_name, NULL, &bmajor, &c->kc_devsw,
		    &c->kc_major) == 0)
			return 0;
	}
	/* EEXIST: there is a device of this name.  Else any number will do. */
	bmajor = -1;
	c->kc_major = -1;
	return devsw_attach(c->kc_name, NULL, &bmajor, &c->kc_devsw, &c->kc_major);
}

struct kpi_cdev *
kpi_cdev_attach(const char *name, uint32_t namelen, const struct kpi_cdevops *ops,
    void *arg, int32_t *error)
{
	struct kpi_cdev *c;

	if (!kpi_cdev_name_ok(name, namelen)) {
		*error = EINVAL;
		return NULL;
	}
	c = kmem_zalloc(sizeof(*c), KM_SLEEP);
	memcpy(c->kc_name, name, namelen);
	c->kc_ops = ops;
	c->kc_arg = arg;
	c->kc_devsw = (struct cdevsw){
		.d_open = kpi_cdev_open,
		.d_close = kpi_cdev_close,
		.d_read = noread,
		.d_write = nowrite,
		.d_ioctl = kpi_cdev_ioctl,
		.d_stop = nostop,
		.d_tty = notty,
		.d_poll = nopoll,
		.d_mmap = nommap,
		.d_kqfilter = nokqfilter,
		.d_discard = nodiscard,
		.d_flag = D_OTHER | D_MPSAFE,
	};
	mutex_init(&c->kc_lock, MUTEX_DEFAULT, IPL_NONE);
	*error = kpi_cdev_number(c);
	if (*error != 0) {
		mutex_destroy(&c->kc_lock);
		kmem_free(c, sizeof(*c));
		return NULL;
	}
	mutex_enter(&kpi_cdev_lock);
	LIST_INSERT_HEAD(&kpi_cdevs, c, kc_list);
	mutex_exit(&kpi_cdev_lock);
	printf("%s: character device %d: mknod -m 600 /dev/%s c %s 0\n", c->kc_name,
	    (int)c->kc_major, c->kc_name, c->kc_name);
	return c;
}

void
kpi_cdev_detach(struct kpi_cdev *c)
{

	devsw_detach(NULL, &c->kc_devsw);
	mutex_enter(&kpi_cdev_lock);
	LIST_REMOVE(c, kc_list);
	mutex_exit(&kpi_cdev_lock);
	mutex_destroy(&c->kc_lock);
	kmem_free(c, sizeof(*c));
}
