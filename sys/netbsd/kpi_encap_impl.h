/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An endpoint, as kpi_encap.c (in) and kpi_path.c (out) see it.
 */
#ifndef _NETBSD_KPI_ENCAP_IMPL_H_
#define _NETBSD_KPI_ENCAP_IMPL_H_

struct encaptab;
struct socket;

/* All but ke_list is set before packets can come. */
struct kpi_encap {
	LIST_ENTRY(kpi_encap) ke_list;
	const struct kpi_encapops *ke_ops;
	void		*ke_arg;
	const struct encaptab *ke_tab;	/* IP protocols */
	struct socket	*ke_so;		/* UDP */
	uint32_t	 ke_proto;
	uint16_t	 ke_port;	/* host order */
	bool		 ke_v6;
	uint8_t		 ke_addr[16];
};

#endif /* _NETBSD_KPI_ENCAP_IMPL_H_ */
