/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Preloaded into user-mode-linux on processors with a large XSAVE area.
 *
 * UML of 6.12 and before reserves a fixed number of bytes for the extended
 * register state of the processes that it traces.  Where the processor's area
 * is larger (AMX adds 8 KB) the host kernel refuses a set request of that
 * length, and UML stops at boot.  Both directions go through a buffer of the
 * processor's own size here, and UML keeps seeing the part that it knows.
 */
#define _GNU_SOURCE
#include <sys/uio.h>

#include <dlfcn.h>
#include <string.h>

#define REQ_GETREGSET	0x4204L
#define REQ_SETREGSET	0x4205L
#define NOTE_XSTATE	0x202UL

typedef long	tracer(long, long, void *, void *);

static unsigned char	area[64 * 1024] __attribute__((aligned(64)));

static tracer *
real_ptrace(void)
{
	static tracer *fn;
	void *sym;

	if (fn == NULL) {
		sym = dlsym(RTLD_NEXT, "ptrace");
		memcpy(&fn, &sym, sizeof(fn));
	}
	return fn;
}

long
ptrace(long req, long pid, void *addr, void *data)
{
	struct iovec whole = { area, sizeof(area) };
	struct iovec *part = data;
	size_t len;
	long rv;

	if ((unsigned long)addr != NOTE_XSTATE ||
	    (req != REQ_GETREGSET && req != REQ_SETREGSET))
		return real_ptrace()(req, pid, addr, data);

	/* What is there now: the length, and the state that UML omits. */
	rv = real_ptrace()(REQ_GETREGSET, pid, addr, &whole);
	if (rv < 0)
		return rv;
	len = part->iov_len < whole.iov_len ? part->iov_len : whole.iov_len;
	if (req == REQ_GETREGSET) {
		memcpy(part->iov_base, area, len);
		part->iov_len = len;
		return rv;
	}
	memcpy(area, part->iov_base, len);
	return real_ptrace()(REQ_SETREGSET, pid, addr, &whole);
}
