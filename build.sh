#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The only build logic: people, the Makefile and CI all call this.
# ./build.sh help says what there is; build.d/ holds the parts.
set -eu

RW_TOP=$(cd "$(dirname "$0")" && pwd)
cd "$RW_TOP"
RW_TARGET=${CARGO_TARGET_DIR:-$RW_TOP/target}
RW_CACHE=${ROPEWALK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ropewalk}
export RW_TOP RW_TARGET RW_CACHE

for part in common system setup kmod structs userland lint sanitize demo rump vm test_system test bench; do
	# shellcheck source=/dev/null
	. "$RW_TOP/build.d/$part.sh"
done

usage()
{
	cat <<'USAGE'
usage: ./build.sh COMMAND [ARGS]

  setup [WHAT ...]     install what is missing: build kmod test (default: build)
  build                the host kernel and the tools, in release, under target/release
  test                 all tests; ends with "N passed, N failed, N skipped"
  test NAME ...        some of them: unit loom asan tsan fuzz bigendian lint gates kmod structs
                       userland system bench
  lint                 contracts, arrows, unsafe, sizes, formatting, clippy, man pages
  bench [ARGS]         the benchmarks; --speed for end to end throughput as well, --nat for that
                       of the filter and NAT beside nftables; --syslog for that of syslogd beside
                       rsyslogd and busybox
  demo [ARGS]          two sites joined by a pseudowire: --encap ip|udp --family 4|6
                       --cookie 0|4|8 --pcap FILE --keep
  demo nat [ARGS]      a LAN behind a router with iipf: --driver host|nft --keep
  demo syslog [ARGS]   two rings of syslogd under a burst, and the sums: --messages N
  kmod [-t OS] [MODULE ...]
                       the modules as netbsd .kmod or freebsd .ko, through the object gates;
                       SYSDIR=/usr/src/sys for a real source tree.  On a BSD, -t and SYSDIR
                       are the system's own if not given
  rump                 the modules as components of NetBSD rump kernels, and the tests' routers
                       of them: RUMP_PREFIX=, RUMP_SYSDIR=, RUMP_CPPFLAGS= (docs/KERNELS.md)
  vm -t OS             a disk with modules and tools for a virtual machine of the tests: SYSDIR=
  userland -t OS       corelog, ifconfig, iipfctl, kstat, syslogctl and syslogd for netbsd or freebsd
  install              into ${DESTDIR}${PREFIX:-/usr/local}
  clean                remove what was built

What is installed by setup comes from the package registries; nothing else is fetched.
USAGE
}

# Parses "-t OS" for kmod and userland; on the BSDs the default is the system itself.
target_os()
{
	case ${1:-} in
	-t) wanted=${2:-} ;;
	*) wanted=$(rw_system) ;;
	esac
	case $wanted in
	netbsd | freebsd) echo "$wanted" ;;
	*) rw_die "for which system? -t netbsd or -t freebsd" ;;
	esac
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
setup) rw_setup "$@" ;;
build) rw_setup build && rw_build ;;
test) rw_test "$@" ;;
lint) rw_setup build && rw_lint ;;
bench) rw_setup build && rw_bench "$@" ;;
demo) rw_setup build demo && rw_build && rw_demo "$@" ;;
kmod)
	os=$(target_os "$@")
	[ "${1:-}" != -t ] || shift 2
	rw_setup kmod && rw_kmod "$os" "$@"
	;;
userland)
	os=$(target_os "$@")
	rw_setup kmod && rw_userland "$os"
	;;
rump) rw_setup kmod && rw_rump ;;
vm)
	os=$(target_os "$@")
	rw_setup kmod && rw_vm "$os"
	;;
install) rw_build && rw_install ;;
clean) rw_run cargo clean ;;
help | -h | --help) usage ;;
*)
	usage >&2
	rw_die "no command '$command'"
	;;
esac
