/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Devices of a rump kernel, by the ioctls that a program makes there. Compiled with NetBSD's
 * headers.
 */
#include <sys/param.h>
#include <sys/fcntl.h>
#include <sys/stat.h>

#include <rump/rump.h>
#include <rump/rump_syscalls.h>

#include "nb.h"
#include "nb_host.h"

/* The kernel's own, as the linker knows it: sysctl kern.drivers is not in a rump kernel. */
devmajor_t rumpns_devsw_name2chr(const char *, char *, size_t);

/* As mknod(8), which takes a driver's name for its number. */
static int
nb_dev_node(const char *path, const char *name)
{
	devmajor_t major;

	rump_schedule();
	major = rumpns_devsw_name2chr(name, NULL, 0);
	rump_unschedule();
	if (major < 0)
		return ENXIO;
	return rump_sys_mknod(path, S_IFCHR | 0600, makedev(major, 0)) == -1 ? nb_errno() : 0;
}

/* The command's number and its bytes come from the caller as they are. */
int
nb_dev_ioctl(const char *name, unsigned cmd, void *data)
{
	char path[64] = "/dev/";
	int error, fd;

	if (strlen(name) == 0 || strlen(name) >= sizeof(path) - 5)
		return EINVAL;
	memcpy(path + 5, name, strlen(name) + 1);
	fd = rump_sys_open(path, O_RDWR);
	if (fd == -1 && nb_errno() == ENOENT) {
		error = nb_dev_node(path, name);
		if (error != 0)
			return error;
		fd = rump_sys_open(path, O_RDWR);
	}
	if (fd == -1)
		return nb_errno();
	error = rump_sys_ioctl(fd, cmd, data) == -1 ? nb_errno() : 0;
	(void)rump_sys_close(fd);
	return error;
}
