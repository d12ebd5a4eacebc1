/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The string functions and assertions that the shims use.
 * Installed headers leave this one out; a
 * source tree (SYSDIR) has the real one.
 */
#ifndef _STUB_LIB_LIBKERN_LIBKERN_H_
#define	_STUB_LIB_LIBKERN_LIBKERN_H_

#include <sys/types.h>
#include <sys/null.h>

#ifndef offsetof
#define	offsetof(type, member)	__builtin_offsetof(type, member)
#endif
#ifndef container_of
#define	container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))
#endif

#ifndef CTASSERT
#define	CTASSERT(x)		__CTASSERT(x)
#endif
/* Kernels that people run are built without DIAGNOSTIC. */
#define	KASSERT(e)		((void)sizeof((long)(e)))
#define	KASSERTMSG(e, ...)	((void)sizeof((long)(e)))
#define	KDASSERT(e)		((void)sizeof((long)(e)))

int	memcmp(const void *, const void *, size_t);
void	*memcpy(void *, const void *, size_t);
void	*memset(void *, int, size_t);
void	*explicit_memset(void *, int, size_t);
size_t	strlcpy(char *, const char *, size_t);
int	strncmp(const char *, const char *, size_t);
size_t	strlen(const char *);
#ifndef MIN
#define	MIN(a, b)		((a) < (b) ? (a) : (b))
#define	MAX(a, b)		((a) > (b) ? (a) : (b))
#endif

#endif /* _STUB_LIB_LIBKERN_LIBKERN_H_ */
