// SPDX-License-Identifier: BSD-2-Clause
//! A process shuts itself in: from then on it can only work with what it has open.
//!
//! Linux: seccomp, an allow-list; any other call gives EPERM, and the worst end the process.
//! FreeBSD: Capsicum. NetBSD has neither: there it is chroot and another user alone.

use std::io;
use std::os::fd::BorrowedFd;

/// What a descriptor is good for, where the system can limit that (FreeBSD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reading, or receiving.
    Read,
    /// Writing, or sending.
    Write,
    /// Both.
    Both,
    /// Accepting connections.
    Accept,
    /// Mapping, and writing to the storage.
    Map,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// The process is shut in.
    In,
    /// The system has nothing for that.
    NotHere,
}

#[cfg(target_os = "linux")]
mod os {
    use super::Shut;
    use super::Use;
    use seccompiler::BpfProgram;
    use seccompiler::SeccompAction;
    use seccompiler::SeccompCmpArgLen;
    use seccompiler::SeccompCmpOp;
    use seccompiler::SeccompCondition;
    use seccompiler::SeccompFilter;
    use seccompiler::SeccompRule;
    use std::collections::BTreeMap;
    use std::io;
    use std::os::fd::BorrowedFd;

    /// What an event loop of one thread calls that has its descriptors already. Nothing here
    /// opens a file by name, makes a process, or sends to an address that is not connected.
    const ALLOWED: &[i64] = &[
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_close,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_fsync,
        libc::SYS_fdatasync,
        libc::SYS_ftruncate,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_accept4,
        libc::SYS_getsockopt,
        libc::SYS_setsockopt,
        libc::SYS_getpeername,
        libc::SYS_getsockname,
        libc::SYS_shutdown,
        libc::SYS_epoll_ctl,
        libc::SYS_epoll_pwait,
        libc::SYS_epoll_create1,
        libc::SYS_eventfd2,
        libc::SYS_ppoll,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_msync,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_sched_yield,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    /// Calls of the same kinds that only older ports of Linux have.
    #[cfg(target_arch = "x86_64")]
    const ALLOWED_HERE: &[i64] = &[
        libc::SYS_epoll_wait,
        libc::SYS_poll,
        libc::SYS_time,
        libc::SYS_accept,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const ALLOWED_HERE: &[i64] = &[libc::SYS_accept];

    fn wrong(e: &dyn std::fmt::Display) -> io::Error {
        io::Error::other(format!("seccomp: {e}"))
    }

    fn only_if(arg: u8, op: SeccompCmpOp, value: u64) -> io::Result<Vec<SeccompRule>> {
        let condition = SeccompCondition::new(arg, SeccompCmpArgLen::Dword, op, value)
            .map_err(|e| wrong(&e))?;
        Ok(vec![
            SeccompRule::new(vec![condition]).map_err(|e| wrong(&e))?,
        ])
    }

    fn any_of(arg: u8, values: &[u64]) -> io::Result<Vec<SeccompRule>> {
        let mut rules = Vec::new();
        for &value in values {
            rules.extend(only_if(arg, SeccompCmpOp::Eq, value)?);
        }
        Ok(rules)
    }

    /// The kernel has these as unsigned words.
    fn word(value: i32) -> u64 {
        u64::from(value.cast_unsigned())
    }

    pub fn enter() -> io::Result<Shut> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for &call in ALLOWED.iter().chain(ALLOWED_HERE) {
            rules.insert(call, Vec::new());
        }
        // Memory, but none that can be executed; flags of descriptors; how much there is to read.
        let executable = SeccompCmpOp::MaskedEq(word(libc::PROT_EXEC));
        rules.insert(libc::SYS_mmap, only_if(2, executable.clone(), 0)?);
        rules.insert(libc::SYS_mprotect, only_if(2, executable, 0)?);
        // How std asks for the length of an open file.
        let open = word(libc::AT_EMPTY_PATH);
        let of_open = SeccompCmpOp::MaskedEq(open);
        rules.insert(libc::SYS_statx, only_if(2, of_open, open)?);
        let commands = [
            libc::F_GETFL,
            libc::F_SETFL,
            libc::F_GETFD,
            libc::F_SETFD,
            libc::F_DUPFD_CLOEXEC,
        ];
        rules.insert(libc::SYS_fcntl, any_of(1, &commands.map(word))?);
        let requests = [libc::FIONBIO, libc::FIONREAD];
        rules.insert(libc::SYS_ioctl, any_of(1, &requests)?);
        // Raising a signal in itself: abort(3).
        let own = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, only_if(0, SeccompCmpOp::Eq, own)?);
        let here = std::env::consts::ARCH.try_into().map_err(|e| wrong(&e))?;
        let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
        let filter =
            SeccompFilter::new(rules, refuse, SeccompAction::Allow, here).map_err(|e| wrong(&e))?;
        let program: BpfProgram = filter.try_into().map_err(|e| wrong(&e))?;
        // It sets no_new_privs too.
        seccompiler::apply_filter(&program).map_err(|e| wrong(&e))?;
        Ok(Shut::In)
    }

    #[allow(clippy::unnecessary_wraps)]
    pub fn limit(_fd: BorrowedFd<'_>, _to: Use) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "freebsd")]
mod os {
    use super::Shut;
    use super::Use;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd;
    use std::os::fd::BorrowedFd;

    pub fn enter() -> io::Result<Shut> {
        // SAFETY: takes no argument.
        if unsafe { libc::cap_enter() } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Shut::In)
    }

    pub fn limit(fd: BorrowedFd<'_>, to: Use) -> io::Result<()> {
        let always = [libc::CAP_EVENT, libc::CAP_FCNTL, libc::CAP_FSTAT];
        let own: &[u64] = match to {
            Use::Read => &[libc::CAP_READ, libc::CAP_GETSOCKOPT, libc::CAP_IOCTL],
            Use::Write => &[libc::CAP_WRITE, libc::CAP_GETSOCKOPT, libc::CAP_FSYNC],
            Use::Both => &[
                libc::CAP_READ,
                libc::CAP_WRITE,
                libc::CAP_GETSOCKOPT,
                libc::CAP_SETSOCKOPT,
                libc::CAP_GETPEERNAME,
                libc::CAP_SHUTDOWN,
            ],
            Use::Accept => &[
                libc::CAP_ACCEPT,
                libc::CAP_IOCTL,
                libc::CAP_READ,
                libc::CAP_WRITE,
                libc::CAP_GETSOCKOPT,
                libc::CAP_SETSOCKOPT,
                libc::CAP_GETPEERNAME,
                libc::CAP_GETSOCKNAME,
                libc::CAP_SHUTDOWN,
            ],
            Use::Map => &[libc::CAP_MMAP_RW, libc::CAP_FSYNC],
        };
        let mut rights = MaybeUninit::<libc::cap_rights_t>::uninit();
        let version = libc::CAP_RIGHTS_VERSION;
        // SAFETY: the room is for one set of rights; a zero ends the list, which is empty.
        unsafe { libc::__cap_rights_init(version, rights.as_mut_ptr(), 0u64) };
        for &right in always.iter().chain(own) {
            // SAFETY: the set was made above; a zero ends the list.
            unsafe { libc::__cap_rights_set(rights.as_mut_ptr(), right, 0u64) };
        }
        // SAFETY: the set was made above.
        let done = unsafe { libc::cap_rights_limit(fd.as_raw_fd(), rights.as_ptr()) };
        if done != 0 {
            let e = io::Error::last_os_error();
            // A kernel without Capsicum.
            if e.raw_os_error() != Some(libc::ENOSYS) {
                return Err(e);
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "netbsd")]
mod os {
    use super::Shut;
    use super::Use;
    use std::io;
    use std::os::fd::BorrowedFd;

    #[allow(clippy::unnecessary_wraps)]
    pub fn enter() -> io::Result<Shut> {
        Ok(Shut::NotHere)
    }

    #[allow(clippy::unnecessary_wraps)]
    pub fn limit(_fd: BorrowedFd<'_>, _to: Use) -> io::Result<()> {
        Ok(())
    }
}

/// Shuts this process in, for good.
///
/// # Errors
/// The system has something for that, and it did not work; the process must not go on then.
pub fn enter() -> io::Result<Shut> {
    os::enter()
}

/// Takes from a descriptor what its use does not need, where the system can.
///
/// # Errors
/// As cap_rights_limit(2).
pub fn limit(fd: BorrowedFd<'_>, to: Use) -> io::Result<()> {
    os::limit(fd, to)
}
