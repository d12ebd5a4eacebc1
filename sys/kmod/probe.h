/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What sys/OS/check/structs.c is written in.  Compiled to assembler, it says what
 * a set of headers thinks; structs.py compares what two sets say.
 *
 * A number becomes a line of .ascii, as in genassym(1).  A type becomes the
 * mangled name of an overloadable function: all typedefs are resolved in it, so
 * two spellings of one prototype are one name.
 *
 * KERN_*: the kernel's own, may change from release to release; a module is
 * built with the headers of its kernel.  ABI_*, FLAG, PROTO, TYPE: may not, since the
 * shims are written for one meaning of them.
 */
#ifndef _KMOD_PROBE_H_
#define _KMOD_PROBE_H_

#define	PROBE_NUMBER(kind, name, value)					\
	__asm__ volatile("\n.ascii \"probe " kind " " name " %c0\"" :: "i"(value))
#define	PROBE_MEMBER(kind, type, field)					\
	__asm__ volatile("\n.ascii \"probe " kind " " #type "." #field " %c0+%c1\"" :: \
	    "i"(__builtin_offsetof(type, field)),			\
	    "i"(sizeof(((type *)0)->field)))

#define	KERN_SIZE(type)		PROBE_NUMBER("kern", "sizeof(" #type ")", sizeof(type));
#define	KERN_MEMBER(type, field) PROBE_MEMBER("kern", type, field);
#define	KERN_NUMBER(name)	PROBE_NUMBER("kern", #name, name);
#define	ABI_SIZE(type)		PROBE_NUMBER("abi", "sizeof(" #type ")", sizeof(type));
#define	ABI_MEMBER(type, field)	PROBE_MEMBER("abi", type, field);
/* Cast: an enumerator of a negative value and a macro print alike. */
#define	FLAG(name)		PROBE_NUMBER("flag", #name, (long)(name));

/* Functions and variables that are linked against, and types. */
#define	PROTO(name)							\
	void proto_ ## name(__typeof__(name) *)				\
	    __attribute__((__overloadable__));				\
	void __attribute__((__overloadable__))				\
	proto_ ## name(__typeof__(name) *p __attribute__((__unused__))) { }
#define	TYPE(name)							\
	void type_ ## name(name *) __attribute__((__overloadable__));	\
	void __attribute__((__overloadable__))				\
	type_ ## name(name *p __attribute__((__unused__))) { }

/* The part of the user ABI that both systems have by these names. */
#define	ABI_COMMON \
	ABI_SIZE(struct in_aliasreq) \
	ABI_MEMBER(struct in_aliasreq, ifra_addr) \
	ABI_MEMBER(struct in_aliasreq, ifra_dstaddr) \
	ABI_SIZE(struct in6_aliasreq) \
	ABI_MEMBER(struct in6_aliasreq, ifra_addr) \
	ABI_MEMBER(struct in6_aliasreq, ifra_dstaddr) \
	ABI_MEMBER(struct sockaddr, sa_len) \
	ABI_MEMBER(struct sockaddr, sa_family) \
	ABI_SIZE(struct sockaddr_in) \
	ABI_MEMBER(struct sockaddr_in, sin_port) \
	ABI_MEMBER(struct sockaddr_in, sin_addr) \
	ABI_SIZE(struct sockaddr_in6) \
	ABI_MEMBER(struct sockaddr_in6, sin6_port) \
	ABI_MEMBER(struct sockaddr_in6, sin6_addr) \
	ABI_SIZE(struct ip) \
	ABI_MEMBER(struct ip, ip_len) \
	ABI_MEMBER(struct ip, ip_ttl) \
	ABI_MEMBER(struct ip, ip_p) \
	ABI_MEMBER(struct ip, ip_src) \
	ABI_MEMBER(struct ip, ip_dst) \
	ABI_SIZE(struct ip6_hdr) \
	ABI_MEMBER(struct ip6_hdr, ip6_vfc) \
	ABI_MEMBER(struct ip6_hdr, ip6_plen) \
	ABI_MEMBER(struct ip6_hdr, ip6_nxt) \
	ABI_MEMBER(struct ip6_hdr, ip6_hlim) \
	ABI_MEMBER(struct ip6_hdr, ip6_src) \
	ABI_MEMBER(struct ip6_hdr, ip6_dst) \
	ABI_SIZE(struct udphdr) \
	ABI_MEMBER(struct udphdr, uh_sport) \
	ABI_MEMBER(struct udphdr, uh_dport) \
	ABI_MEMBER(struct udphdr, uh_ulen) \
	ABI_MEMBER(struct udphdr, uh_sum) \
	ABI_SIZE(struct timespec) \
	ABI_MEMBER(struct timespec, tv_sec) \
	ABI_MEMBER(struct timespec, tv_nsec)

#endif /* _KMOD_PROBE_H_ */
