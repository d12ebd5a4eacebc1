# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: the system that it runs on.  Debian, NetBSD and FreeBSD name their tools
# differently and keep them in different places; only this file knows.

# What clang, lld and the LLVM tools may be called behind their names: Debian's clang-22,
# FreeBSD's clang22 from packages, and plain clang, of pkgsrc and of FreeBSD itself.
RW_LLVM_SUFFIXES='-22 22 -21 21 -20 20 -19 19'

# rw_system: netbsd, freebsd, linux ...
rw_system()
{
	uname -s | tr '[:upper:]' '[:lower:]'
}

rw_is_bsd()
{
	case $(rw_system) in
	netbsd | freebsd) return 0 ;;
	*) return 1 ;;
	esac
}

# rw_sysdir OS: the kernel sources to build for OS with: SYSDIR, or on that system itself
# where it has its own; nothing where there are none.
rw_sysdir()
{
	if [ -n "${SYSDIR-}" ]; then
		(cd "$SYSDIR" 2>/dev/null && pwd) || rw_die "SYSDIR: no such folder: $SYSDIR"
	elif [ "$1" = "$(rw_system)" ] && [ -d /usr/src/sys/kern ]; then
		echo /usr/src/sys
	fi
}

# rw_llvm_suffix: what this machine's LLVM has behind its names, "" for nothing.
rw_llvm_suffix()
{
	if [ -n "${LLVM_SUFFIX+set}" ]; then
		printf '%s\n' "$LLVM_SUFFIX"
		return 0
	fi
	for rw_s in $RW_LLVM_SUFFIXES ''; do
		rw_whole=yes
		for rw_t in clang ld.lld llvm-objcopy llvm-nm; do
			rw_have "$rw_t$rw_s" || rw_whole=no
		done
		if [ $rw_whole = yes ]; then
			printf '%s\n' "$rw_s"
			return 0
		fi
	done
	return 1
}

# rw_tool NAME: the LLVM tool of that name, with the suffix that it has here.
rw_tool()
{
	if rw_s=$(rw_llvm_suffix) && rw_have "$1$rw_s"; then
		printf '%s\n' "$1$rw_s"
	elif rw_have "$1"; then
		printf '%s\n' "$1"
	else
		rw_die "$1 is not here: run \`./build.sh setup kmod'"
	fi
}

# rw_python: python 3, which pkgsrc calls python3.13 and the like.
rw_python()
{
	for rw_p in python3 python3.14 python3.13 python3.12 python3.11; do
		if rw_have "$rw_p"; then
			printf '%s\n' "$rw_p"
			return 0
		fi
	done
	rw_die "python3 is not here: run \`./build.sh setup kmod'"
}

# rw_rust cargo|rustc: that of kernel objects, whose library is built from source.  Debian's
# rustc and its source are in /usr whatever rustup has put before it in PATH.
rw_rust()
{
	case $1 in
	cargo) rw_r=${ROPEWALK_CARGO-} ;;
	rustc) rw_r=${ROPEWALK_RUSTC-} ;;
	esac
	if [ -z "$rw_r" ]; then
		if rw_is_bsd; then rw_r=$(command -v "$1"); else rw_r=/usr/bin/$1; fi
	fi
	[ -x "$rw_r" ] || rw_die "no ${rw_r:-$1}: run \`./build.sh setup kmod'"
	printf '%s\n' "$rw_r"
}

# Whether the compiler's library is there in source.
rw_rust_src()
{
	rw_root=$("$1" --print sysroot 2>/dev/null) &&
	    [ -e "$rw_root/lib/rustlib/src/rust/library/core/src/lib.rs" ]
}

# rw_setup_bsd WHAT: on NetBSD and FreeBSD, says what is missing and how to get it; it is for
# the administrator to install.
rw_setup_bsd()
{
	case $(rw_system) in
	netbsd)
		rw_get='pkgin install rust rust-src clang lld llvm python313'
		rw_src='unpack syssrc.tgz of your release in /'
		rw_lib='pkgin install rust-src'
		;;
	freebsd)
		rw_get='pkg install rust llvm python3'
		rw_src='unpack src.txz of your release in /'
		rw_lib='pkg install rust (with its option SOURCES, as packages have it)'
		;;
	esac
	case $1 in
	build)
		rw_minor=$(rustc --version 2>/dev/null |
		    sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
		rw_have cargo && [ "${rw_minor:-0}" -ge "$RW_RUST_MINOR" ] ||
			rw_die "Rust 1.$RW_RUST_MINOR or newer is needed: $rw_get"
		;;
	kmod)
		rw_llvm_suffix >/dev/null || rw_die "clang, lld and LLVM's tools are needed: $rw_get"
		(rw_python) >/dev/null 2>&1 || rw_die "python 3 is needed: $rw_get"
		rw_r=$(rw_rust rustc) || rw_die "Rust is needed: $rw_get"
		rw_rust_src "$rw_r" || rw_die "the source of Rust's library is needed: $rw_lib"
		[ -n "${SYSDIR-}" ] || [ -d /usr/src/sys/kern ] ||
			rw_die "the kernel's sources are needed: $rw_src, or set SYSDIR"
		;;
	*) rw_note "$1: nothing is installed here; what is missing is skipped by name" ;;
	esac
}
