/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices over make_dev_s(9).
 *
 * Locking: kc_lock is held across co_ioctl.  destroy_dev(9) waits for the calls that run.
 * VNET: commands are about vnet0, and only those of its processes are taken.
 */
#include "kpi_impl.h"

#include <sys/conf.h>
#include <sys/ioccom.h>
#include <sys/jail.h>
#include <sys/priv.h>
#include <sys/proc.h>

#include <net/vnet.h>

#define	KPI_CDEV_NAMELEN	32
#define	KPI_CDEV_CMD_MAX	4096

struct kpi_cdev {
	struct cdev	*kc_dev;
	const struct kpi_cdevops *kc_ops;
	void		*kc_arg;
	struct sx	 kc_lock;
};

static d_ioctl_t kpi_cdev_ioctl;

static struct cdevsw kpi_cdevsw = {
	.d_version = D_VERSION,
	.d_ioctl = kpi_cdev_ioctl,
	.d_name = "ropewalk",
};

/* data is the kernel's copy, of the size that cmd has in itself. */
static int
kpi_cdev_ioctl(struct cdev *dev, u_long cmd, caddr_t data, int flags __unused,
    struct thread *td)
{
	struct kpi_cdev *c = dev->si_drv1;
	const struct kpi_ifcmd *kc;
	uint32_t i;
	int error;

	for (i = 0; i < c->kc_ops->co_ncmds; i++)
		if (c->kc_ops->co_cmds[i].kc_cmd == (uint32_t)cmd)
			break;
	if (i == c->kc_ops->co_ncmds)
		return (ENOTTY);
	kc = &c->kc_ops->co_cmds[i];
	if (kc->kc_size != IOCPARM_LEN(cmd) || kc->kc_size > KPI_CDEV_CMD_MAX)
		return (EINVAL);
	if (!IS_DEFAULT_VNET(TD_TO_VNET(td)))
		return (EPERM);
	if ((kc->kc_flags & KPI_IFC_PRIV) != 0) {
		error = priv_check(td, PRIV_NETINET_PF);
		if (error != 0)
			return (error);
	}
	sx_xlock(&c->kc_lock);
	error = (*c->kc_ops->co_ioctl)(c->kc_arg, kc->kc_cmd, (uint8_t *)data,
	    kc->kc_size);
	sx_xunlock(&c->kc_lock);
	return (error);
}

static bool
kpi_cdev_name_ok(const char *name, uint32_t namelen)
{
	uint32_t i;

	for (i = 0; i < namelen; i++)
		if ((name[i] < 'a' || name[i] > 'z') &&
		    (name[i] < '0' || name[i] > '9'))
			return (false);
	return (namelen > 0 && namelen < KPI_CDEV_NAMELEN);
}

struct kpi_cdev *
kpi_cdev_attach(const char *name, uint32_t namelen, const struct kpi_cdevops *ops,
    void *arg, int32_t *error)
{
	char copy[KPI_CDEV_NAMELEN] = "";
	struct make_dev_args args;
	struct kpi_cdev *c;

	if (!kpi_cdev_name_ok(name, namelen)) {
		*error = EINVAL;
		return (NULL);
	}
	memcpy(copy, name, namelen);
	c = malloc(sizeof(*c), M_ROPEWALK, M_WAITOK | M_ZERO);
	c->kc_ops = ops;
	c->kc_arg = arg;
	sx_init(&c->kc_lock, "ropewalk device");
	make_dev_args_init(&args);
	args.mda_flags = MAKEDEV_WAITOK | MAKEDEV_CHECKNAME;
	args.mda_devsw = &kpi_cdevsw;
	args.mda_uid = UID_ROOT;
	args.mda_gid = GID_WHEEL;
	args.mda_mode = 0600;
	args.mda_si_drv1 = c;
	*error = make_dev_s(&args, &c->kc_dev, "%s", copy);
	if (*error != 0) {
		sx_destroy(&c->kc_lock);
		free(c, M_ROPEWALK);
		return (NULL);
	}
	return (c);
}

void
kpi_cdev_detach(struct kpi_cdev *c)
{

	destroy_dev(c->kc_dev);
	sx_destroy(&c->kc_lock);
	free(c, M_ROPEWALK);
}
