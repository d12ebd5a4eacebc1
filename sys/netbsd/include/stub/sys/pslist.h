/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The links of pslist(9), for structs that embed them, and the walk that
 * inline functions of other headers make.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_SYS_PSLIST_H_
#define	_STUB_SYS_PSLIST_H_

struct pslist_entry {
	struct pslist_entry	**ple_prevp;
	struct pslist_entry	*ple_next;
};

struct pslist_head {
	struct pslist_entry	*plh_first;
};

#define	_PSLIST_OF(entry, type, field)					\
	((entry) == NULL ? NULL : (type *)((char *)(entry) -		\
	    __builtin_offsetof(type, field)))

#define	PSLIST_READER_FOREACH(var, head, type, field)			\
	for ((var) = _PSLIST_OF(__atomic_load_n(&(head)->plh_first,	\
	    __ATOMIC_ACQUIRE), type, field);				\
	    (var) != NULL;						\
	    (var) = _PSLIST_OF(__atomic_load_n(&(var)->field.ple_next,	\
	    __ATOMIC_ACQUIRE), type, field))

#endif /* _STUB_SYS_PSLIST_H_ */
