/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices: what a module that has no interface of its own is configured through.
 * A device has commands and nothing to read or write.
 */
#ifndef _KPI_CDEV_H_
#define _KPI_CDEV_H_

struct kpi_cdev;			/* opaque */

struct kpi_cdevops {
	/* ctx: thread, one at a time a device.  data is the kernel's copy, of the size listed. */
	int32_t		(*co_ioctl)(void *arg, uint32_t cmd, uint8_t *data, uint32_t len);
	const struct kpi_ifcmd *co_cmds;	/* as ifo_cmds */
	uint32_t	 co_ncmds;
	uint32_t	 co_pad;
};

/*
 * kpi_cdev_attach: make /dev/NAME, for the superuser; KPI_E* in *error on NULL.
 * KPI_EEXIST when the name is taken, KPI_EINVAL unless it has 1 to 31 of a-z, 0-9.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: ops and arg stay valid until kpi_cdev_detach has returned; the name is copied
 *  netbsd: devsw_attach(9); who loads the module makes the node, by the number that is logged
 *  freebsd: make_dev_s(9)
 *  host: cdev.rs, the control socket
 */
struct kpi_cdev *kpi_cdev_attach(const char *name, uint32_t namelen,
    const struct kpi_cdevops *ops, void *arg, int32_t *error);

/*
 * kpi_cdev_detach: take the device away; no upcall runs once this has returned.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not from an upcall of c
 *  owns: consumes c
 *  netbsd: devsw_detach(9)
 *  freebsd: destroy_dev(9)
 *  host: cdev.rs
 */
void	 kpi_cdev_detach(struct kpi_cdev *c);

#endif /* _KPI_CDEV_H_ */
