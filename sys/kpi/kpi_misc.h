/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Time, randomness, the log, what kstat(8) reads, and interfaces that only log packets.
 */
#ifndef _KPI_MISC_H_
#define _KPI_MISC_H_

/* syslog(3) levels */
#define	KPI_LOG_ERR	3u
#define	KPI_LOG_WARNING	4u
#define	KPI_LOG_NOTICE	5u
#define	KPI_LOG_INFO	6u
#define	KPI_LOG_DEBUG	7u

struct kpi_kstat;			/* opaque */
struct kpi_iflog;			/* opaque */

/*
 * What kstat(8) reads, as records of sys/abi.  Fills at most cap bytes of buf
 * with whole records beginning at *cursor (0: the first), sets *cursor to where
 * to go on and returns the bytes written; 0 bytes: the end.  ctx: thread.
 * A record that does not fit an empty buffer of 4096 bytes does not exist.
 */
typedef uint32_t (*kpi_kstat_read)(void *arg, uint64_t *cursor, uint8_t *buf, uint32_t cap);

/*
 * kpi_uptime_ns: monotonic nanoseconds since some start.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: nanouptime(9)
 *  freebsd: sbinuptime(9)
 *  host: clock.rs (virtual in tests)
 */
uint64_t kpi_uptime_ns(void);

/*
 * kpi_random: fill buf with strong random bytes.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: cprng_fast(9), cprng_strong(9)
 *  freebsd: arc4random(9)
 *  host: misc.rs (seeded in tests)
 */
void	 kpi_random(uint8_t *buf, uint32_t len);

/*
 * kpi_log: one line for the system log, at most 256 bytes, no newline.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: log(9)
 *  freebsd: log(9)
 *  host: misc.rs
 */
void	 kpi_log(uint32_t level, const char *msg, uint32_t len);

/*
 * kpi_panic: a bug was detected; does not return.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: panic(9)
 *  freebsd: panic(9)
 *  host: misc.rs (abort)
 */
_Noreturn void kpi_panic(const char *msg, uint32_t len);

/*
 * kpi_kstat_attach: publish a source of records under name; NULL when the name is taken.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: read and arg stay valid until kpi_kstat_detach has returned
 *  netbsd: sysctl(9) net.ropewalk.NAME
 *  freebsd: sysctl(9) net.ropewalk.NAME
 *  host: kstat.rs, the control socket
 */
struct kpi_kstat *kpi_kstat_attach(const char *name, uint32_t namelen, kpi_kstat_read read,
    void *arg);

/*
 * kpi_kstat_detach: withdraw it; no upcall runs once this has returned.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: consumes k
 *  netbsd: sysctl_teardown(9)
 *  freebsd: sysctl_ctx_free(9)
 *  host: kstat.rs
 */
void	 kpi_kstat_detach(struct kpi_kstat *k);

/*
 * kpi_iflog_attach: an interface that carries nothing and shows packets to bpf, as records of
 * link type dlt; KPI_E* in *error on NULL.  KPI_EEXIST when the name is taken.
 *  ctx: thread
 *  sleeps: yes
 *  locks: none
 *  owns: the caller detaches it; the name is copied
 *  netbsd: if_attach(9), bpf_attach(9)
 *  freebsd: if_attach(9), bpfattach(9)
 *  host: iflog.rs, the control socket
 */
struct kpi_iflog *kpi_iflog_attach(const char *name, uint32_t namelen, uint32_t dlt,
    int32_t *error);

/*
 * kpi_iflog_detach: take it away.
 *  ctx: thread
 *  sleeps: yes
 *  locks: not within a read section; nobody taps
 *  owns: consumes l
 *  netbsd: bpf_detach(9), if_detach(9)
 *  freebsd: bpfdetach(9), if_detach(9)
 *  host: iflog.rs
 */
void	 kpi_iflog_detach(struct kpi_iflog *l);

/*
 * kpi_iflog_active: whether somebody listens, 0 or 1; cheap, to ask before a record is made.
 *  ctx: any
 *  sleeps: no
 *  locks: none
 *  owns: nothing
 *  netbsd: if_bpf
 *  freebsd: bpf_peers_present(9)
 *  host: iflog.rs (read in the last 10 s)
 */
uint32_t kpi_iflog_active(const struct kpi_iflog *l);

/*
 * kpi_iflog_tap: show hdrlen bytes, at most 128, and m behind them.
 *  ctx: any
 *  sleeps: no
 *  locks: no spin
 *  owns: nothing
 *  netbsd: bpf_mtap2(9)
 *  freebsd: bpf_mtap2(9)
 *  host: iflog.rs
 */
void	 kpi_iflog_tap(struct kpi_iflog *l, const uint8_t *hdr, uint32_t hdrlen,
    const struct kpi_mbuf *m);

#endif /* _KPI_MISC_H_ */
