/* SPDX-License-Identifier: BSD-2-Clause */
/* NetBSD's <sys/types.h> wants it; a sys/ tree has none, and nothing here has a thread. */
