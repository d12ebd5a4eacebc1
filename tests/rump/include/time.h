/* SPDX-License-Identifier: BSD-2-Clause */
/* NetBSD's <sys/time.h> wants it; nothing here asks for the time. */
