/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The ruleset of filter.h for npf(7), loaded as npfctl(8) would load it: a list of rules in a
 * default group, each "final", with a program for BPF that looks at what npfctl makes programs
 * look at, in its order. In the part of rumpbench-npf that lives inside the rump kernel; npf's
 * own header has the names, nv.h is not among a kernel's headers in all trees.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/conf.h>
#include <sys/proc.h>

#include <net/bpf.h>
#include <net/pfil.h>
#include <netinet/in.h>
#define	NPF_BPFCOP
#include <net/npf/npf.h>

#include <rump-sys/kern.h>

#include "filter.h"

typedef struct nvlist nvlist_t;

void	*nv_calloc(size_t, size_t);
nvlist_t *nvlist_create(int);
void	nvlist_destroy(nvlist_t *);
void	nvlist_add_number(nvlist_t *, const char *, uint64_t);
void	nvlist_add_string(nvlist_t *, const char *, const char *);
void	nvlist_add_binary(nvlist_t *, const char *, const void *, size_t);
void	nvlist_move_nvlist_array(nvlist_t *, const char *, nvlist_t **, size_t);

npf_t	*npf_getkernctx(void);
int	npfk_load(npf_t *, const void *, void *);
extern const struct cdevsw npf_cdevsw;
extern struct bpfjit_ops bpfjit_module_ops;

#define	CODE_MAX	16

struct code {
	struct bpf_insn	c_insn[CODE_MAX];
	int		c_len;
};

static void
emit(struct code *c, uint16_t op, uint32_t k)
{
	const struct bpf_insn insn = BPF_STMT(op, k);

	c->c_insn[c->c_len++] = insn;
}

/* Goes on when A is k; code_end says where to if not. */
static void
equal(struct code *c, uint32_t k)
{

	emit(c, BPF_JMP + BPF_JEQ + BPF_K, k);
}

/* IPv4; a protocol, a source network, a destination port: 0 is any. */
static void
code_make(struct code *c, uint8_t proto, uint32_t net, uint32_t mask, uint16_t port)
{
	int i;

	c->c_len = 0;
	emit(c, BPF_LD + BPF_W + BPF_MEM, BPF_MW_IPVER);
	equal(c, 4);
	if (proto != 0) {
		emit(c, BPF_LD + BPF_W + BPF_MEM, BPF_MW_L4PROTO);
		equal(c, proto);
	}
	if (mask != 0) {
		emit(c, BPF_LD + BPF_W + BPF_ABS, offsetof(struct ip, ip_src));
		emit(c, BPF_ALU + BPF_AND + BPF_K, mask);
		equal(c, net);
	}
	if (port != 0) {
		emit(c, BPF_LDX + BPF_MEM, BPF_MW_L4OFF);
		emit(c, BPF_LD + BPF_H + BPF_IND, offsetof(struct udphdr, uh_dport));
		equal(c, port);
	}
	emit(c, BPF_RET + BPF_K, (uint32_t)-1);
	emit(c, BPF_RET + BPF_K, 0);
	for (i = 0; i < c->c_len; i++)
		if (BPF_CLASS(c->c_insn[i].code) == BPF_JMP)
			c->c_insn[i].jf = (uint8_t)(c->c_len - 2 - i);
}

/* A rule that decides, on the interface; where it stands is its index in the list. */
static nvlist_t *
rule(unsigned at, uint32_t attr, const struct code *c)
{
	nvlist_t *r = nvlist_create(0);

	nvlist_add_number(r, "attr", NPF_RULE_PASS | NPF_RULE_FINAL | attr);
	nvlist_add_number(r, "skip-to", at + 1);
	nvlist_add_string(r, "ifname", FILTER_IF);
	nvlist_add_binary(r, "code", c->c_insn, (size_t)c->c_len * sizeof(c->c_insn[0]));
	nvlist_add_number(r, "code-type", NPF_CODE_BPF);
	return r;
}

static nvlist_t *
group(unsigned end)
{
	nvlist_t *r = nvlist_create(0);

	nvlist_add_number(r, "attr", NPF_RULE_GROUP | NPF_RULE_IN | NPF_RULE_OUT);
	nvlist_add_number(r, "skip-to", end);
	return r;
}

static void
filter_rules(nvlist_t *all, unsigned n)
{
	nvlist_t **list = nv_calloc(n + 3, sizeof(*list));
	struct code c;
	unsigned i;

	list[0] = group(n + 3);
	for (i = 0; i < n; i++) {
		code_make(&c, FILTER_RULE_PROTO(i), FILTER_RULE_NET(i), 0xffffff00,
		    FILTER_RULE_PORT(i));
		list[i + 1] = rule(i + 1, NPF_RULE_IN, &c);
	}
	code_make(&c, IPPROTO_UDP, FILTER_NEW_NET, FILTER_NEW_MASK, 0);
	list[n + 1] = rule(n + 1, NPF_RULE_IN | NPF_RULE_STATEFUL, &c);
	code_make(&c, IPPROTO_UDP, 0, 0, 0);
	list[n + 2] = rule(n + 2, NPF_RULE_OUT | NPF_RULE_STATEFUL, &c);
	nvlist_move_nvlist_array(all, "rules", list, n + 3);
}

static void
nat_rules(nvlist_t *all)
{
	nvlist_t **list = nv_calloc(1, sizeof(*list));
	const uint32_t wan = htonl(FILTER_WAN);
	struct code c;

	code_make(&c, 0, FILTER_NAT_NET, FILTER_NAT_MASK, 0);
	list[0] = rule(0, NPF_RULE_OUT, &c);
	nvlist_add_number(list[0], "type", NPF_NATOUT);
	nvlist_add_number(list[0], "flags", NPF_NAT_PORTS | NPF_NAT_PORTMAP);
	nvlist_add_binary(list[0], "nat-addr", &wan, sizeof(wan));
	nvlist_add_number(list[0], "nat-mask", NPF_NO_NETMASK);
	nvlist_move_nvlist_array(all, "nat", list, 1);
}

int
rump_filter_npf(unsigned n, int plain, int *jit)
{
	nvlist_t *all;
	int error, on = 1;

	rump_schedule();
	if (plain)
		bpfjit_module_ops.bj_generate_code = NULL;
	*jit = bpfjit_module_ops.bj_generate_code != NULL;
	all = nvlist_create(0);
	nvlist_add_number(all, "version", NPF_VERSION);
	filter_rules(all, n);
	nat_rules(all);
	error = npfk_load(npf_getkernctx(), all, NULL);
	nvlist_destroy(all);
	if (error == 0)
		error = (*npf_cdevsw.d_ioctl)(0, IOC_NPF_SWITCH, &on, 0, curlwp);
	rump_unschedule();
	return error;
}
