/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the NetBSD shims rely on: see sys/kmod/probe.h.  The functions are those of
 * sys/kmod/symbols.netbsd; protos.inc is made from it.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/atomic.h>
#include <sys/callout.h>
#include <sys/condvar.h>
#include <sys/conf.h>
#include <sys/cprng.h>
#include <sys/cpu.h>
#include <sys/ioctl.h>
#include <sys/kauth.h>
#include <sys/kernel.h>
#include <sys/kmem.h>
#include <sys/kthread.h>
#include <sys/lwp.h>
#include <sys/malloc.h>
#include <sys/mbuf.h>
#include <sys/module.h>
#include <sys/mutex.h>
#include <sys/percpu.h>
#include <sys/proc.h>
#include <sys/pserialize.h>
#include <sys/pslist.h>
#include <sys/psref.h>
#include <sys/socket.h>
#include <sys/socketvar.h>
#include <sys/sockio.h>
#include <sys/sysctl.h>
#include <sys/syslog.h>
#include <sys/time.h>
#include <sys/timevar.h>
#include <sys/vmem.h>
#include <sys/workqueue.h>

#include <net/bpf.h>
#include <net/if.h>
#include <net/if_ether.h>
#include <net/if_types.h>
#include <net/pfil.h>
#include <net/pktqueue.h>
#include <net/route.h>

#include <netinet/in.h>
#include <netinet/in_offload.h>
#include <netinet/in_systm.h>
#include <netinet/in_var.h>
#include <netinet/ip.h>
#include <netinet/in_pcb.h>
#include <netinet/ip_encap.h>
#include <netinet/ip_var.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <netinet6/in6_var.h>
#include <netinet6/in6_offload.h>
#include <netinet6/ip6_var.h>
#include <netinet6/scope6_var.h>

/* As in kpi_pfil.c: no header has them. */
extern pfil_head_t *inet_pfil_hook;
extern pfil_head_t *inet6_pfil_hook;

#include "probe.h"
#include "protos.inc"

PROTO(strlen)

TYPE(callout_t)
TYPE(copyin_t)
TYPE(copyout_t)
TYPE(cprng_strong_t)
TYPE(devmajor_t)
TYPE(if_stat_t)
TYPE(kauth_action_t)
TYPE(kauth_cred_t)
TYPE(kcondvar_t)
TYPE(kmutex_t)
TYPE(percpu_callback_t)
TYPE(percpu_t)
TYPE(pfil_func_t)
TYPE(pfil_ifunc_t)
TYPE(pktqueue_t)
TYPE(pserialize_t)
TYPE(vm_flag_t)
TYPE(vmem_addr_t)
TYPE(vmem_size_t)
TYPE(vmem_t)

/* Function pointers that the shims fill in or call. */
typedef __typeof__(((struct ifnet *)0)->if_ioctl) ifnet_ioctl;
typedef __typeof__(((struct ifnet *)0)->if_init) ifnet_init;
typedef __typeof__(((struct ifnet *)0)->if_output) ifnet_output;
typedef __typeof__(((struct ifnet *)0)->if_start) ifnet_start;
typedef __typeof__(((struct ifnet *)0)->if_stop) ifnet_stop;
typedef __typeof__(((struct ifnet *)0)->if_transmit) ifnet_transmit;
typedef __typeof__(((struct if_clone *)0)->ifc_create) if_clone_create;
typedef __typeof__(((struct if_clone *)0)->ifc_destroy) if_clone_destroy;
typedef __typeof__(((struct encapsw *)0)->encapsw4.pr_input) encapsw4_input;
typedef __typeof__(((struct encapsw *)0)->encapsw6.pr_input) encapsw6_input;
typedef __typeof__(((struct cdevsw *)0)->d_open) cdevsw_open;
typedef __typeof__(((struct cdevsw *)0)->d_close) cdevsw_close;
typedef __typeof__(((struct cdevsw *)0)->d_ioctl) cdevsw_ioctl;
typedef __typeof__(((struct bpf_ops *)0)->bpf_mtap2) bpf_ops_mtap2;
TYPE(ifnet_ioctl)
TYPE(ifnet_init)
TYPE(ifnet_output)
TYPE(ifnet_start)
TYPE(ifnet_stop)
TYPE(ifnet_transmit)
TYPE(if_clone_create)
TYPE(if_clone_destroy)
TYPE(encapsw4_input)
TYPE(encapsw6_input)
TYPE(cdevsw_open)
TYPE(cdevsw_close)
TYPE(cdevsw_ioctl)
TYPE(bpf_ops_mtap2)
TYPE(pcb_overudp_cb_t)

void	probe_kern(void);
void	probe_abi(void);
void	probe_flags(void);

void
probe_kern(void)
{

	PROBE_NUMBER("release", "__NetBSD_Version__", __NetBSD_Version__);
	KERN_SIZE(callout_t)
	KERN_SIZE(kcondvar_t)
	KERN_SIZE(kmutex_t)
	KERN_SIZE(struct psref)
	KERN_SIZE(struct psref_target)
	KERN_SIZE(struct pslist_entry)
	KERN_SIZE(struct pslist_head)
	KERN_SIZE(struct route)
	KERN_SIZE(struct work)

	KERN_SIZE(struct ifnet)
	KERN_MEMBER(struct ifnet, if_xname)
	KERN_MEMBER(struct ifnet, if_softc)
	KERN_MEMBER(struct ifnet, if_flags)
	KERN_MEMBER(struct ifnet, if_extflags)
	KERN_MEMBER(struct ifnet, if_index)
	KERN_MEMBER(struct ifnet, if_type)
	KERN_MEMBER(struct ifnet, if_addrlen)
	KERN_MEMBER(struct ifnet, if_addr_pslist)
	KERN_MEMBER(struct ifnet, if_bpf)
	KERN_MEMBER(struct ifnet, if_mtu)
	KERN_MEMBER(struct ifnet, if_init)
	KERN_MEMBER(struct ifnet, if_ioctl)
	KERN_MEMBER(struct ifnet, if_output)
	KERN_MEMBER(struct ifnet, if_pslist_entry)
	KERN_MEMBER(struct ifnet, if_start)
	KERN_MEMBER(struct ifnet, if_stop)
	KERN_MEMBER(struct ifnet, if_transmit)
	KERN_MEMBER(struct ifnet, if_percpuq)
	KERN_MEMBER(struct ifnet, if_snd)
	KERN_MEMBER(struct ifnet, if_ioctl_lock)
	KERN_SIZE(struct ethercom)
	KERN_MEMBER(struct ethercom, ec_if)
	KERN_MEMBER(struct ethercom, ec_capabilities)
	KERN_SIZE(struct ifaltq)
	KERN_MEMBER(struct ifaltq, ifq_head)
	KERN_MEMBER(struct ifaltq, ifq_tail)
	KERN_MEMBER(struct ifaltq, ifq_len)
	KERN_MEMBER(struct ifaltq, ifq_maxlen)
	KERN_MEMBER(struct ifaltq, ifq_lock)
	KERN_SIZE(struct if_clone)
	KERN_MEMBER(struct if_clone, ifc_name)
	KERN_MEMBER(struct if_clone, ifc_namelen)
	KERN_MEMBER(struct if_clone, ifc_create)
	KERN_MEMBER(struct if_clone, ifc_destroy)
	KERN_SIZE(struct encapsw)
	KERN_MEMBER(struct ifaddr, ifa_addr)
	KERN_MEMBER(struct ifaddr, ifa_netmask)
	KERN_MEMBER(struct ifaddr, ifa_ifp)
	KERN_MEMBER(struct ifaddr, ifa_pslist_entry)
	KERN_SIZE(struct cdevsw)
	KERN_MEMBER(struct cdevsw, d_open)
	KERN_MEMBER(struct cdevsw, d_close)
	KERN_MEMBER(struct cdevsw, d_read)
	KERN_MEMBER(struct cdevsw, d_write)
	KERN_MEMBER(struct cdevsw, d_ioctl)
	KERN_MEMBER(struct cdevsw, d_stop)
	KERN_MEMBER(struct cdevsw, d_tty)
	KERN_MEMBER(struct cdevsw, d_poll)
	KERN_MEMBER(struct cdevsw, d_mmap)
	KERN_MEMBER(struct cdevsw, d_kqfilter)
	KERN_MEMBER(struct cdevsw, d_discard)
	KERN_MEMBER(struct cdevsw, d_flag)
	KERN_MEMBER(struct bpf_ops, bpf_attach)
	KERN_MEMBER(struct bpf_ops, bpf_detach)
	KERN_MEMBER(struct bpf_ops, bpf_mtap2)
	KERN_SIZE(struct ip_moptions)
	KERN_MEMBER(struct ip_moptions, imo_multicast_if_index)
	KERN_MEMBER(struct ip_moptions, imo_multicast_ttl)
	KERN_MEMBER(struct ip_moptions, imo_multicast_loop)
	KERN_SIZE(struct ip6_moptions)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_if_index)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_hlim)
	KERN_MEMBER(struct ip6_moptions, im6o_multicast_loop)

	KERN_SIZE(struct mbuf)
	KERN_MEMBER(struct mbuf, m_next)
	KERN_MEMBER(struct mbuf, m_nextpkt)
	KERN_MEMBER(struct mbuf, m_data)
	KERN_MEMBER(struct mbuf, m_len)
	KERN_MEMBER(struct mbuf, m_flags)
	KERN_MEMBER(struct mbuf, m_pkthdr.len)
	KERN_MEMBER(struct mbuf, m_pkthdr.csum_flags)
	KERN_MEMBER(struct mbuf, m_pkthdr.csum_data)
	KERN_MEMBER(struct mbuf, m_pkthdr.rcvif_index)
	KERN_MEMBER(struct mbuf, m_pkthdr.segsz)
	KERN_MEMBER(struct mbuf, m_pkthdr.tags)
	KERN_SIZE(struct _m_ext_storage)
	KERN_MEMBER(struct _m_ext_storage, ext_buf)
	KERN_MEMBER(struct _m_ext_storage, ext_size)
	KERN_MEMBER(struct _m_ext_storage, ext_refcnt)
	KERN_SIZE(struct m_tag)
	KERN_MEMBER(struct m_tag, m_tag_id)
	KERN_MEMBER(struct m_tag, m_tag_link)
	KERN_MEMBER(struct socket, so_pcb)
	KERN_SIZE(struct sysctlnode)
	KERN_MEMBER(struct sysctlnode, sysctl_data)

	KERN_NUMBER(MHLEN)
	KERN_NUMBER(MLEN)
	KERN_NUMBER(MCLBYTES)
	KERN_NUMBER(M_EXT_FLAGS)
}

void
probe_abi(void)
{

	ABI_SIZE(struct ifreq)
	ABI_MEMBER(struct ifreq, ifr_addr)
	ABI_MEMBER(struct ifreq, ifr_mtu)
	ABI_MEMBER(struct ifreq, ifr_data)
	ABI_SIZE(struct in6_ifreq)
	ABI_MEMBER(struct in6_ifreq, ifr_addr)
	ABI_SIZE(struct if_laddrreq)
	ABI_MEMBER(struct if_laddrreq, addr)
	ABI_MEMBER(struct if_laddrreq, dstaddr)
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
	FLAG(SIOCGLIFPHYADDR)
	FLAG(SIOCSIFFLAGS)
	FLAG(SIOCSIFMTU)
	FLAG(SIOCSIFPHYADDR)
	FLAG(SIOCSIFPHYADDR_IN6)
	FLAG(SIOCSLIFPHYADDR)
	FLAG(IOCPARM_MASK)
	FLAG(IOCPARM_SHIFT)

	FLAG(IFEF_MPSAFE)
	FLAG(IFF_BROADCAST)
	FLAG(IFF_LOOPBACK)
	FLAG(IFF_MULTICAST)
	FLAG(IFF_POINTOPOINT)
	FLAG(IFF_RUNNING)
	FLAG(IFF_SIMPLEX)
	FLAG(IFF_UP)
	FLAG(IFNAMSIZ)
	FLAG(IFQ_MAXLEN)
	FLAG(IFT_L2TP)
	FLAG(IFT_PFLOG)
	FLAG(LINK_STATE_DOWN)
	FLAG(LINK_STATE_UP)
	FLAG(ETHERCAP_JUMBO_MTU)
	FLAG(ETHERCAP_VLAN_MTU)
	FLAG(ETHERTYPE_VLAN)
	FLAG(ETHER_ADDR_LEN)
	FLAG(BPF_D_IN)
	FLAG(BPF_D_OUT)
	FLAG(SIOCINITIFADDR)
	FLAG(if_ipackets)
	FLAG(if_ierrors)
	FLAG(if_opackets)
	FLAG(if_oerrors)
	FLAG(if_ibytes)
	FLAG(if_obytes)
	FLAG(if_iqdrops)
	FLAG(if_noproto)

	FLAG(MT_DATA)
	FLAG(M_BCAST)
	FLAG(M_CANFASTFWD)
	FLAG(M_CSUM_TCPv4)
	FLAG(M_CSUM_TCPv6)
	FLAG(M_CSUM_TSOv4)
	FLAG(M_CSUM_TSOv6)
	FLAG(M_CSUM_UDPv6)
	FLAG(M_DONTWAIT)
	FLAG(M_EXT)
	FLAG(M_MCAST)
	FLAG(M_NOWAIT)
	FLAG(M_PKTHDR)
	FLAG(M_CSUM_UDPv4)
	FLAG(PACKET_TAG_TUNNEL_INFO)

	FLAG(AF_INET)
	FLAG(AF_INET6)
	FLAG(IPPROTO_DONE)
	FLAG(IPPROTO_UDP)
	FLAG(IPV6_FORWARDING)
	FLAG(IPV6_MAXPACKET)
	FLAG(IPV6_UNSPECSRC)
	FLAG(IPV6_VERSION)
	FLAG(IP_ALLOWBROADCAST)
	FLAG(IP_FORWARDING)
	FLAG(IP_MAXPACKET)
	FLAG(PFIL_ALL)
	FLAG(PFIL_IFADDR)
	FLAG(PFIL_IFNET)
	FLAG(PFIL_IN)
	FLAG(PFIL_OUT)
	FLAG(SOCK_DGRAM)

	FLAG(CALLOUT_MPSAFE)
	FLAG(COHERENCY_UNIT)
	FLAG(CPRNG_MAX_LEN)
	FLAG(CTLTYPE_NODE)
	FLAG(CTLTYPE_STRUCT)
	FLAG(CTL_CREATE)
	FLAG(CTL_EOL)
	FLAG(CTL_NET)
	FLAG(IPL_NONE)
	FLAG(IPL_SOFTNET)
	FLAG(IPL_VM)
	FLAG(D_MPSAFE)
	FLAG(D_OTHER)
	FLAG(KAUTH_NETWORK_FIREWALL)
	FLAG(KAUTH_NETWORK_INTERFACE)
	FLAG(KAUTH_REQ_NETWORK_FIREWALL_FW)
	FLAG(KAUTH_REQ_NETWORK_INTERFACE_SETPRIV)
	FLAG(KM_NOSLEEP)
	FLAG(KM_SLEEP)
	FLAG(KTHREAD_MPSAFE)
	FLAG(KTHREAD_MUSTJOIN)
	FLAG(LOG_DEBUG)
	FLAG(MODULE_CLASS_DRIVER)
	FLAG(MODULE_CMD_INIT)
	FLAG(MODULE_CMD_FINI)
	FLAG(MODULE_CMD_AUTOUNLOAD)
	FLAG(MUTEX_DEFAULT)
	FLAG(PRI_NONE)

	FLAG(EADDRINUSE)
	FLAG(EADDRNOTAVAIL)
	FLAG(EAFNOSUPPORT)
	FLAG(EBUSY)
	FLAG(EEXIST)
	FLAG(EINVAL)
	FLAG(EMSGSIZE)
	FLAG(ENETDOWN)
	FLAG(ENETRESET)
	FLAG(ENOBUFS)
	FLAG(ENOMEM)
	FLAG(ENOTTY)
	FLAG(ENXIO)
	FLAG(EPERM)
	FLAG(EPROGMISMATCH)
}
