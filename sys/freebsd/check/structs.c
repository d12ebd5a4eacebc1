/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the FreeBSD shims rely on: see sys/kmod/probe.h.  The functions are those of
 * sys/kmod/symbols.freebsd; protos.inc is made from it.
 */
/* For what only kernels with assertions have. */
#define	INVARIANTS
#define	INVARIANT_SUPPORT

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/callout.h>
#include <sys/conf.h>
#include <sys/epoch.h>
#include <sys/errno.h>
#include <sys/eventhandler.h>
#include <sys/ioccom.h>
#include <sys/jail.h>
#include <sys/kernel.h>
#include <sys/libkern.h>
#include <sys/lock.h>
#include <sys/malloc.h>
#include <sys/mbuf.h>
#include <sys/module.h>
#include <sys/mutex.h>
#include <sys/osd.h>
#include <sys/pcpu.h>
#include <sys/priv.h>
#include <sys/proc.h>
#include <sys/queue.h>
#include <sys/smp.h>
#include <sys/socket.h>
#include <sys/socketvar.h>
#include <sys/sockio.h>
#include <sys/sx.h>
#include <sys/sysctl.h>
#include <sys/syslog.h>
#include <sys/taskqueue.h>
#include <sys/time.h>

#include <net/if.h>
#include <net/if_var.h>
#include <net/if_clone.h>
#include <net/if_types.h>
#include <net/if_vlan_var.h>
#include <net/bpf.h>
#include <net/ethernet.h>
#include <net/netisr.h>
#include <net/pfil.h>
#include <net/route.h>
#include <net/vnet.h>

#include <netinet/in.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_encap.h>
#include <netinet/ip_var.h>
#include <netinet/udp.h>
#include <netinet/udp_var.h>
#include <netinet6/in6_var.h>
#include <netinet6/ip6_var.h>
#include <netinet6/scope6_var.h>

#include <vm/uma.h>

#include <machine/in_cksum.h>

#include "probe.h"
#include "protos.inc"

/* Function pointers that the shims hand over. */
TYPE(d_ioctl_t)
TYPE(encap_check_t)
TYPE(encap_input_t)
TYPE(epoch_tracker_t)
TYPE(eventhandler_tag)
TYPE(if_addr_cb_t)
TYPE(if_foreach_cb_t)
TYPE(if_init_fn_t)
TYPE(if_ioctl_fn_t)
TYPE(if_output_fn_t)
TYPE(if_qflush_fn_t)
TYPE(if_reassign_fn_t)
TYPE(if_t)
TYPE(if_transmit_fn_t)
TYPE(ifc_create_f)
TYPE(ifc_destroy_f)
TYPE(ifaddr_event_ext_handler_t)
TYPE(ifc_match_f)
TYPE(ifnet_arrival_event_handler_t)
TYPE(ifnet_departure_event_handler_t)
TYPE(ifnet_event_fn)
TYPE(modeventhand_t)
TYPE(osd_method_t)
TYPE(pfil_mbuf_chk_t)
TYPE(sbintime_t)
TYPE(task_fn_t)
TYPE(udp_tun_func_t)

void	probe_kern(void);
void	probe_abi(void);
void	probe_flags(void);

void
probe_kern(void)
{

	PROBE_NUMBER("release", "__FreeBSD_version", __FreeBSD_version);
	KERN_SIZE(struct callout)
	KERN_SIZE(struct mtx)
	KERN_SIZE(struct sx)
	KERN_SIZE(struct timeout_task)
	KERN_SIZE(struct cdevsw)
	KERN_MEMBER(struct cdevsw, d_version)
	KERN_MEMBER(struct cdevsw, d_ioctl)
	KERN_MEMBER(struct cdevsw, d_name)
	KERN_MEMBER(struct cdev, si_drv1)
	KERN_SIZE(struct make_dev_args)
	KERN_MEMBER(struct make_dev_args, mda_flags)
	KERN_MEMBER(struct make_dev_args, mda_devsw)
	KERN_MEMBER(struct make_dev_args, mda_mode)
	KERN_MEMBER(struct make_dev_args, mda_si_drv1)
	KERN_SIZE(struct pfil_hook_args)
	KERN_MEMBER(struct pfil_hook_args, pa_version)
	KERN_MEMBER(struct pfil_hook_args, pa_flags)
	KERN_MEMBER(struct pfil_hook_args, pa_type)
	KERN_MEMBER(struct pfil_hook_args, pa_mbuf_chk)
	KERN_MEMBER(struct pfil_hook_args, pa_ruleset)
	KERN_MEMBER(struct pfil_hook_args, pa_modname)
	KERN_MEMBER(struct pfil_hook_args, pa_rulname)
	KERN_SIZE(struct pfil_link_args)
	KERN_MEMBER(struct pfil_link_args, pa_version)
	KERN_MEMBER(struct pfil_link_args, pa_flags)
	KERN_MEMBER(struct pfil_link_args, pa_headname)
	KERN_MEMBER(struct pfil_link_args, pa_hook)
	KERN_MEMBER(struct ifaddr, ifa_addr)
	KERN_MEMBER(struct ifaddr, ifa_netmask)
	KERN_SIZE(struct ip_moptions)
	KERN_MEMBER(struct ip_moptions, imo_multicast_ifp)
	KERN_MEMBER(struct ip_moptions, imo_multicast_vif)
	KERN_MEMBER(struct ip_moptions, imo_multicast_ttl)
	KERN_MEMBER(struct ip_moptions, imo_multicast_loop)
	KERN_SIZE(struct ip6_moptions)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_ifp)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_hlim)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_loop)
	KERN_SIZE(struct epoch_tracker)
	KERN_SIZE(struct encap_config)
	KERN_MEMBER(struct encap_config, proto)
	KERN_MEMBER(struct encap_config, check)
	KERN_MEMBER(struct encap_config, input)
	KERN_SIZE(struct if_clone_addreq)
	KERN_MEMBER(struct if_clone_addreq, version)
	KERN_MEMBER(struct if_clone_addreq, maxunit)
	KERN_MEMBER(struct if_clone_addreq, flags)
	KERN_MEMBER(struct if_clone_addreq, match_f)
	KERN_MEMBER(struct if_clone_addreq, create_f)
	KERN_MEMBER(struct if_clone_addreq, destroy_f)

	KERN_SIZE(struct mbuf)
	KERN_MEMBER(struct mbuf, m_next)
	KERN_MEMBER(struct mbuf, m_nextpkt)
	KERN_MEMBER(struct mbuf, m_data)
	KERN_MEMBER(struct mbuf, m_len)
	KERN_MEMBER(struct mbuf, m_pkthdr)
	KERN_MEMBER(struct mbuf, m_pkthdr.len)
	KERN_MEMBER(struct mbuf, m_pkthdr.rcvif)
	KERN_MEMBER(struct mbuf, m_pkthdr.snd_tag)
	KERN_MEMBER(struct mbuf, m_pkthdr.csum_flags)
	KERN_MEMBER(struct mbuf, m_pkthdr.csum_data)
	KERN_MEMBER(struct mbuf, m_pkthdr.ether_vtag)
	KERN_MEMBER(struct mbuf, m_pkthdr.fibnum)
	KERN_MEMBER(struct mbuf, m_pkthdr.flowid)
	KERN_MEMBER(struct mbuf, m_pkthdr.tags)
	KERN_MEMBER(struct mbuf, m_ext.ext_buf)
	KERN_MEMBER(struct mbuf, m_ext.ext_size)
	KERN_SIZE(struct m_tag)
	KERN_MEMBER(struct m_tag, m_tag_id)
	KERN_MEMBER(struct m_tag, m_tag_cookie)
	KERN_MEMBER(struct m_tag, m_tag_link)
	KERN_MEMBER(struct prison, pr_flags)
	KERN_MEMBER(struct prison, pr_vnet)
	KERN_MEMBER(struct socket, so_vnet)
	KERN_MEMBER(struct sysctl_oid, oid_children)
	KERN_MEMBER(struct sysctl_req, oldfunc)
	KERN_MEMBER(struct thread, td_ucred)
	KERN_MEMBER(struct thread, td_vnet)
	KERN_MEMBER(struct pcpu, pc_cpuid)
	KERN_MEMBER(struct vnet, vnet_le)

	KERN_NUMBER(MHLEN)
	KERN_NUMBER(MLEN)
	KERN_NUMBER(MCLBYTES)
	KERN_NUMBER(MJUMPAGESIZE)
	KERN_NUMBER(SI_SUB_PSEUDO)
	KERN_NUMBER(SI_SUB_LOCK)
}

void
probe_abi(void)
{

	ABI_SIZE(struct ifreq)
	ABI_MEMBER(struct ifreq, ifr_addr)
	ABI_MEMBER(struct ifreq, ifr_mtu)
	ABI_SIZE(struct in6_ifreq)
	ABI_MEMBER(struct in6_ifreq, ifr_addr)
	ABI_COMMON
}

void
probe_flags(void)
{

	FLAG(SIOCADDMULTI)
	FLAG(SIOCDELMULTI)
	FLAG(SIOCDIFPHYADDR)
	FLAG(SIOCGIFPDSTADDR)
	FLAG(SIOCGIFPDSTADDR_IN6)
	FLAG(SIOCGIFPSRCADDR)
	FLAG(SIOCGIFPSRCADDR_IN6)
	FLAG(SIOCSIFFLAGS)
	FLAG(SIOCSIFMTU)
	FLAG(SIOCSIFPHYADDR)
	FLAG(SIOCSIFPHYADDR_IN6)
	FLAG(IOCPARM_MASK)

	FLAG(IFCAP_JUMBO_MTU)
	FLAG(IFCAP_LINKSTATE)
	FLAG(IFCAP_VLAN_MTU)
	FLAG(IFCOUNTER_IBYTES)
	FLAG(IFCOUNTER_IERRORS)
	FLAG(IFCOUNTER_IPACKETS)
	FLAG(IFCOUNTER_IQDROPS)
	FLAG(IFCOUNTER_NOPROTO)
	FLAG(IFCOUNTER_OBYTES)
	FLAG(IFCOUNTER_OERRORS)
	FLAG(IFCOUNTER_OPACKETS)
	FLAG(IFCOUNTER_OQDROPS)
	FLAG(IFC_F_AUTOUNIT)
	FLAG(IFF_BROADCAST)
	FLAG(IFF_DRV_RUNNING)
	FLAG(IFF_LOOPBACK)
	FLAG(IFF_MULTICAST)
	FLAG(IFF_SIMPLEX)
	FLAG(IFF_UP)
	FLAG(IFNAMSIZ)
	FLAG(IFT_ETHER)
	FLAG(IFT_PFLOG)
	FLAG(IF_MAXUNIT)
	FLAG(LINK_STATE_DOWN)
	FLAG(LINK_STATE_UP)
	FLAG(ETHER_ADDR_LEN)
	FLAG(ETHER_HDR_LEN)

	FLAG(CSUM_DELAY_DATA)
	FLAG(CSUM_DELAY_DATA_IPV6)
	FLAG(CSUM_SND_TAG)
	FLAG(CSUM_TSO)
	FLAG(CSUM_UDP)
	FLAG(CSUM_UDP_IPV6)
	FLAG(MTAG_PERSISTENT)
	FLAG(MT_DATA)
	FLAG(M_BCAST)
	FLAG(M_EXT)
	FLAG(M_EXTPG)
	FLAG(M_LOOP)
	FLAG(M_MCAST)
	FLAG(M_NOFREE)
	FLAG(M_NOWAIT)
	FLAG(M_PKTHDR)
	FLAG(M_RDONLY)
	FLAG(M_VLANTAG)
	FLAG(M_WAITOK)
	FLAG(M_ZERO)

	FLAG(AF_INET)
	FLAG(AF_INET6)
	FLAG(IPPROTO_DONE)
	FLAG(IPPROTO_MAX)
	FLAG(IPPROTO_TCP)
	FLAG(IPPROTO_UDP)
	FLAG(IPV6_FORWARDING)
	FLAG(IPV6_MAXPACKET)
	FLAG(IPV6_UNSPECSRC)
	FLAG(IPV6_VERSION)
	FLAG(IP_ALLOWBROADCAST)
	FLAG(IP_FORWARDING)
	FLAG(IP_MAXPACKET)
	FLAG(IP_RAWOUTPUT)
	FLAG(NETISR_IP)
	FLAG(NETISR_IPV6)
	FLAG(PFIL_APPEND)
	FLAG(PFIL_CONSUMED)
	FLAG(PFIL_HOOKPTR)
	FLAG(PFIL_IN)
	FLAG(PFIL_OUT)
	FLAG(PFIL_PASS)
	FLAG(PFIL_TYPE_IP4)
	FLAG(PFIL_TYPE_IP6)
	FLAG(PFIL_VERSION)
	FLAG(SOCK_DGRAM)

	FLAG(CTLFLAG_MPSAFE)
	FLAG(CTLFLAG_RD)
	FLAG(CTLTYPE_OPAQUE)
	FLAG(D_VERSION)
	FLAG(EVENTHANDLER_PRI_ANY)
	FLAG(GID_WHEEL)
	FLAG(LOG_DEBUG)
	FLAG(MAKEDEV_CHECKNAME)
	FLAG(MAKEDEV_WAITOK)
	FLAG(MOD_LOAD)
	FLAG(MOD_UNLOAD)
	FLAG(OID_AUTO)
	FLAG(MTX_DEF)
	FLAG(MTX_DUPOK)
	FLAG(MTX_NEW)
	FLAG(PRIV_NETINET_PF)
	FLAG(PRIV_NET_HWIOCTL)
	FLAG(PR_MAXMETHOD)
	FLAG(PR_METHOD_REMOVE)
	FLAG(PR_VNET)
	FLAG(PWAIT)
	FLAG(SA_XLOCKED)
	FLAG(SBT_1MS)
	FLAG(SBT_1US)
	FLAG(SI_ORDER_ANY)
	FLAG(SI_ORDER_MIDDLE)
	FLAG(SX_DUPOK)
	FLAG(UID_ROOT)

	FLAG(EADDRINUSE)
	FLAG(EADDRNOTAVAIL)
	FLAG(EAFNOSUPPORT)
	FLAG(EBUSY)
	FLAG(EEXIST)
	FLAG(EINVAL)
	FLAG(EMSGSIZE)
	FLAG(ENETDOWN)
	FLAG(ENOBUFS)
	FLAG(ENOMEM)
	FLAG(ENOTTY)
	FLAG(ENXIO)
	FLAG(EOPNOTSUPP)
	FLAG(EPERM)
	FLAG(EPROGMISMATCH)
	FLAG(EPROTONOSUPPORT)
}
