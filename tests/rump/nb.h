/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the part that is compiled with NetBSD's headers offers to the part that is compiled with
 * those of the system beneath: whole numbers, bytes and names, no struct of either.
 *
 * Everything gives 0 or an errno of NetBSD.
 */
#ifndef RUMPKERN_NB_H
#define RUMPKERN_NB_H

#define	NB_NAMELEN	16	/* of interfaces */
#define	NB_STATS	9	/* KPI_IFS_* */

struct nb_link {
	char		name[NB_NAMELEN];
	unsigned	index;
	unsigned	mtu;
	int		up;
	int		running;
	int		state;		/* of the link: 0 unknown, 1 down, 2 up */
	unsigned char	lladdr[6];
	unsigned long	stats[NB_STATS];
};

/* nb_if.c */
int	nb_open(void);
int	nb_create(const char *);
int	nb_destroy(const char *);
int	nb_data(const char *, unsigned, void *);
int	nb_set_up(const char *, int);
int	nb_set_mtu(const char *, unsigned);
int	nb_tunnel_set(const char *, int, const unsigned char *, const unsigned char *);
int	nb_tunnel_get(const char *, int *, unsigned char *, unsigned char *);
int	nb_tunnel_del(const char *);
int	nb_cloners(char (*)[NB_NAMELEN], int *);
int	nb_join(const char *, const char *);
int	nb_leave(const char *, const char *);

/* nb_addr.c: family 4 or 6 */
int	nb_address(const char *, int, const unsigned char *, int);
int	nb_gateway(int, const unsigned char *);
int	nb_neighbour(const char *, int, const unsigned char *, const unsigned char *);
int	nb_links(struct nb_link *, int *);

/* nb_sysctl.c */
int	nb_sysctl_set(const char *, int);
int	nb_sysctl_read(const char *, void *, unsigned long *);
int	nb_sysctl_children(const char *, char (*)[32], int *);

/* nb_dev.c */
int	nb_dev_ioctl(const char *, unsigned, void *);

/* nb_module.c */
int	nb_module_unload(const char *);

#endif
