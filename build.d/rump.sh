# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: the modules as components of NetBSD's rump kernels, and the programs that run
# such kernels in the tests.  Needs common.sh, setup.sh and kmod.sh to be sourced first.
#
#	RUMP_PREFIX	where the rump kernel's libraries are, as lib/librump*.a
#	RUMP_SYSDIR	the NetBSD sys/ that they were built from (NETBSD_SYS, if unset)
#	RUMP_CPPFLAGS	what they were built with besides: -DLOCKDEBUG -DDIAGNOSTIC ...
#
# Makes in target/rump: librumpnet_NAME.a of the Rust object that the .kmod has and of the same
# shims; rumpkern-NAME, a router of the tests with that module in it, and rumpkern-native with
# NetBSD's own l2tp0; rumpbench and rumpbench-native, the benchmark of both; rumpbench-iipf and,
# where there is a librumpnet_npf.a, rumpbench-npf, that of iipf beside npf.

RW_RUMP_CFLAGS='-O2 -g -std=gnu11 -ffreestanding -fno-pic -fno-strict-aliasing -fno-common
 -fno-delete-null-pointer-checks -fno-stack-protector -mno-red-zone -mno-mmx -mno-sse -mno-avx
 -msoft-float -Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter -Wno-pointer-sign
 -Wno-missing-field-initializers -Wno-address-of-packed-member -Wno-builtin-requires-header'

# In this order: a component's parts find each other within the group.
RW_RUMP_LIBS='rumpnet_virtif rumpnet_bridge rumpnet_shmif rumpnet_netinet6 rumpnet_netinet
 rumpnet_net rumpnet rumpdev_bpf rumpdev_rnd rumpdev rumpvfs_nofifofs rumpvfs rumpkern_crypto
 rumpkern_sysproxy rump rumpuser'

rw_rump_have()
{
	[ -n "${RUMP_PREFIX-}" ] && [ -e "$RUMP_PREFIX/lib/librump.a" ]
}

rw_rump_sysdir()
{
	printf '%s\n' "${RUMP_SYSDIR:-${NETBSD_SYS-}}"
}

# rw_rump_include WORK SYSDIR: the flags to compile against a rump kernel's headers.
rw_rump_include()
{
	rw_kmod_links "$1/inc" "machine:$2/arch/amd64/include" "amd64:$2/arch/amd64/include" \
	    "x86:$2/arch/x86/include" "i386:$2/arch/i386/include"
	printf '%s ' --target=x86_64-unknown-netbsd -nostdinc "-I$1/inc" "-I$2/../common/include" \
	    "-I$2/rump/include" "-I$2/rump/include/opt" "-I$2/arch" "-I$2"
}

# rw_rump_cc SYSDIR WORK SOURCE OUT FLAG...: a part of the kernel.
rw_rump_cc()
{
	rw_s=$1
	rw_flags=$(rw_rump_include "$2" "$1") || exit 1
	rw_c=$3
	rw_o=$4
	shift 4
	# shellcheck disable=SC2086 # lists of flags
	"$(rw_tool clang)" $RW_RUMP_CFLAGS "$@" $rw_flags \
	    -imacros "$rw_s/rump/include/opt/opt_rumpkernel.h" \
	    -DRUMP_CURLWP=RUMP_CURLWP___THREAD -DRUMP_USE_CTOR -DINET -DINET6 ${RUMP_CPPFLAGS-} \
	    -c "$rw_c" -o "$rw_o" ||
		rw_die "${rw_c#"$RW_TOP"/} does not compile for a rump kernel"
}

# rw_rump_names IN OUT: a rump kernel's names are a space of their own, so that they do not meet
# the host's.
rw_rump_names()
{
	"$(rw_tool llvm-nm)" -g --format=just-symbols "$1" |
		awk '!/^(rump|RUMP|__|_GLOBAL_OFFSET_TABLE_)/ { print $1, "rumpns_" $1 }' |
		sort -u >"$2.names"
	"$(rw_tool llvm-objcopy)" --redefine-syms="$2.names" "$1" "$2" || exit 1
}

# rw_rump_one DIR WORK SYSDIR: target/rump/librumpnet_NAME.a
rw_rump_one()
{
	rw_name=${1##*/}
	rw_work=$2/$rw_name
	mkdir -p "$rw_work"
	rw_note "$rw_name: the Rust object of the .kmod"
	rw_kmod_rust netbsd "$rw_name" "$rw_work"
	rw_note "$rw_name: sys/netbsd with the rump kernel's headers"
	for rw_shim in "$RW_TOP"/sys/netbsd/kpi_*.c; do
		rw_o=${rw_shim##*/}
		rw_rump_cc "$3" "$2" "$rw_shim" "$rw_work/${rw_o%.c}.o" -I"$RW_TOP/sys/netbsd" \
		    -I"$RW_TOP/sys/kpi" -I"$RW_TOP/sys/netbsd/include/base" \
		    "-DKPI_MODULE=$rw_name" -DKPI_MODULE_REQUIRED=NULL
	done
	"$(rw_tool ld.lld)" -r -o "$rw_work/joined.o" "$rw_work/rust.o" "$rw_work"/kpi_*.o ||
		rw_die "$rw_name does not link"
	rw_rump_names "$rw_work/joined.o" "$rw_work/component.o"
	rm -f "$2/librumpnet_$rw_name.a"
	"$(rw_tool llvm-ar)" rcs "$2/librumpnet_$rw_name.a" "$rw_work/component.o" || exit 1
	rw_note "$2/librumpnet_$rw_name.a"
}

# rw_rump_link OUT OBJECT|COMPONENT...: a program with a rump kernel in it.
rw_rump_link()
{
	rw_out=$1
	shift
	rw_l=
	for rw_c in $RW_RUMP_LIBS; do
		[ ! -e "$RUMP_PREFIX/lib/lib$rw_c.a" ] || rw_l="$rw_l $RUMP_PREFIX/lib/lib$rw_c.a"
	done
	# Whole archives: components announce themselves in link sets that nothing names. Not -static:
	# a rump kernel looks for these in the program's dynamic section.
	# shellcheck disable=SC2086 # a list
	"$(rw_tool clang)" -no-pie -Wl,--hash-style=both -Wl,-z,muldefs -o "$rw_out" \
	    -Wl,--whole-archive "$@" $rw_l -Wl,--no-whole-archive -lpthread -lrt -ldl ||
		rw_die "${rw_out##*/} does not link"
	rw_note "$rw_out"
}

# rw_rump_host SOURCE OUT FLAG...: a part of the program around the kernel.
rw_rump_host()
{
	rw_c=$1
	rw_o=$2
	shift 2
	"$(rw_tool clang)" -O2 -g -std=gnu11 -fno-pic -Wall -Wextra -Werror "$@" \
	    -c "$rw_c" -o "$rw_o" || rw_die "${rw_c#"$RW_TOP"/} does not compile"
}

# rw_rump_programs WORK SYSDIR NAME...: rumpkern with each of these modules, one at a time since
# each brings all shims; rumpbench with if_l2tp; both with NetBSD's own.
rw_rump_programs()
{
	rw_w=$1
	rw_sysdir=$2
	shift 2
	mkdir -p "$rw_w/rumpkern.work" "$rw_w/rumpbench.work"
	rw_nb="-I$RW_TOP/tests/rump/include $(rw_rump_include "$rw_w" "$rw_sysdir")"
	rw_nb="$rw_nb -isystem $("$(rw_tool clang)" -print-resource-dir)/include -ffreestanding -Wno-sign-compare -Wno-builtin-requires-header -Wno-visibility"
	for rw_src in "$RW_TOP"/tests/rump/*.c; do
		rw_obj=$rw_w/rumpkern.work/$(basename "$rw_src" .c).o
		# nb_*: with NetBSD's headers, as a program there sees them.
		# shellcheck disable=SC2086 # a list
		case ${rw_src##*/} in
		nb_*) rw_rump_host "$rw_src" "$rw_obj" $rw_nb ;;
		*) rw_rump_host "$rw_src" "$rw_obj" -D_GNU_SOURCE "-I$RW_TOP/sys/kpi" ;;
		esac
	done
	rw_bench=$RW_TOP/tests/rump/bench
	rw_rump_kernel_part "$rw_w" "$rw_sysdir" "$rw_bench/kern.c" "$rw_w/rumpbench.work/kern.o"
	rw_rump_host "$rw_bench/main.c" "$rw_w/rumpbench.work/main.o" -D_GNU_SOURCE
	for rw_m; do
		rw_rump_link "$rw_w/rumpkern-$rw_m" "$rw_w"/rumpkern.work/*.o "$rw_w/librumpnet_$rw_m.a"
	done
	rw_rump_link "$rw_w/rumpbench" "$rw_w"/rumpbench.work/*.o "$rw_w/librumpnet_if_l2tp.a"
	for rw_prog in rumpkern rumpbench; do
		rw_rump_link "$rw_w/$rw_prog-native" "$rw_w/$rw_prog.work"/*.o "$RUMP_PREFIX/lib/librumpnet_l2tp.a"
	done
	rw_rump_filters "$rw_w" "$rw_sysdir"
}

# rw_rump_kernel_part WORK SYSDIR SOURCE OUT: of a program of ours, with a rump kernel's names.
rw_rump_kernel_part()
{
	rw_rump_cc "$2" "$1" "$3" "$4.all"
	rw_rump_names "$4.all" "$4"
	rm "$4.all"
}

# rw_rump_filters WORK SYSDIR: the same program with iipf and with npf. What compiles the code of
# npf's rules is linked in where it was built (net/lib/libbpfjit, kern/lib/libsljit).
rw_rump_filters()
{
	rw_f=$1/rumpfilter.work
	mkdir -p "$rw_f"
	rw_rump_kernel_part "$1" "$2" "$RW_TOP/tests/rump/bench/filter_kern.c" "$rw_f/kern.o"
	rw_rump_host "$RW_TOP/tests/rump/bench/filter_main.c" "$rw_f/main.o" -D_GNU_SOURCE
	set -- "$1" "$2" "$rw_f/kern.o" "$rw_f/main.o" "$1/rumpkern.work/ctl.o" "$1"/rumpkern.work/nb_*.o
	rw_f_top=$1
	rw_f_sys=$2
	shift 2
	rw_rump_link "$rw_f_top/rumpbench-iipf" "$@" "$rw_f_top/librumpnet_iipf.a"
	if [ ! -e "$RUMP_PREFIX/lib/librumpnet_npf.a" ]; then
		rw_note "rumpbench-npf: skipped, no librumpnet_npf.a in $RUMP_PREFIX/lib"
		return 0
	fi
	rw_rump_kernel_part "$rw_f_top" "$rw_f_sys" "$RW_TOP/tests/rump/bench/filter_npf.c" "$rw_f/npf.o"
	set -- "$@" "$rw_f/npf.o" "$RUMP_PREFIX/lib/librumpnet_npf.a"
	for rw_c in rumpnet_bpfjit rumpkern_sljit; do
		[ ! -e "$RUMP_PREFIX/lib/lib$rw_c.a" ] || set -- "$@" "$RUMP_PREFIX/lib/lib$rw_c.a"
	done
	rw_rump_link "$rw_f_top/rumpbench-npf" "$@"
}

# In a process of its own: a step that fails ends this, not the caller.
rw_rump()
(
	rw_rump_have ||
		rw_die "rump: set RUMP_PREFIX to where lib/librump.a is (docs/KERNELS.md)"
	rw_sys=$(rw_rump_sysdir)
	[ -e "$rw_sys/rump/include/rump/rump.h" ] ||
		rw_die "rump: set RUMP_SYSDIR to the NetBSD sys/ that RUMP_PREFIX was built from"
	rw_top=$RW_TARGET/rump
	mkdir -p "$rw_top"
	rw_say "components of a rump kernel, from $RUMP_PREFIX"
	rw_ours=
	for rw_m in $(rw_kmod_list); do
		rw_rump_one "$rw_m" "$rw_top" "$rw_sys"
		rw_ours="$rw_ours ${rw_m##*/}"
	done
	# shellcheck disable=SC2086 # a list
	rw_rump_programs "$rw_top" "$rw_sys" $rw_ours
)
