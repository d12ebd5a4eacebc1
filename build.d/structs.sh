# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: our headers against a real kernel's.  Needs common.sh, system.sh,
# setup.sh and kmod.sh to be sourced first.
#
# rw_structs netbsd|freebsd SYSDIR: what modules are built with when SYSDIR is not set (the
# installed headers of the release, sys/netbsd/include) says the same as SYSDIR; and so do
# the numbers and layouts of our userland.

# rw_structs_probe OS WORK SYSDIR: WORK/structs.s, what these headers say.
rw_structs_probe()
{
	mkdir -p "$2" || return 1
	rw_flags=$(rw_kmod_include "$1" "$2" "$3") || return 1
	# The linker's own names have no declaration.
	awk '!/^#/ && !/^__st(art|op)_/ { print "PROTO(" $1 ")" }' \
	    "$RW_TOP/sys/kmod/symbols.$1" >"$2/protos.inc" || return 1
	rw_cc=$(rw_tool clang) || return 1
	# STRUCTS_CPPFLAGS: for structs_test.sh, which plants faults.
	# shellcheck disable=SC2086 # lists of flags
	"$rw_cc" $RW_KMOD_CFLAGS ${STRUCTS_CPPFLAGS-} -I"$2" -I"$RW_TOP/sys/kmod" \
	    -I"$RW_TOP/sys/$1" -I"$RW_TOP/sys/kpi" -I"$RW_TOP/sys/$1/include/base" $rw_flags \
	    -S "$RW_TOP/sys/$1/check/structs.c" -o "$2/structs.s"
}

rw_structs_compare()
{
	rw_cxxfilt=$(rw_tool llvm-cxxfilt) || return 1
	rw_py3=$(rw_python) || return 1
	LLVM_CXXFILT=$rw_cxxfilt "$rw_py3" "$RW_TOP/sys/kmod/structs.py" "$1" "$2" "$3"
}

# rw_structs_defines OS: our userland's numbers as C macros.
rw_structs_defines()
{
	# A size of an ioctl argument stands in bits 16 to 28.
	awk -v os="$1" '
	$1 == "command" {
		value = os == "freebsd" ? $5 : $3
		printf "#define OUR_%s %sul\n", $2, value
		if ($2 == "SIOCGL2TP")
			printf "#define OUR_SIZEOF_IFREQ (%s >> 16 & 0x1fff)\n", value
	}
	$1 == "struct" {
		name = $2
		if (name == "L2tpReq")
			printf "#define OUR_SIZEOF_L2TP_REQ %d\n", $3
	}
	name == "L2tpReq" && $1 ~ /^[0-9]+$/ {
		printf "#define OUR_OFFSET_%s %d\n#define OUR_SIZE_%s %d\n", $3, $1, $3, $2
	}
	$1 == "number" { printf "#define OUR_%s %s\n", $2, $3 }
	' "$RW_TOP/modules/if_l2tp/abi/abi.golden" || return 1
	# pub const NAME: TYPE = VALUE, FIRST..END or [A, B, ...];
	awk -v os="$1" '
	/target_os = "/ { here = index($0, "\"" os "\"") }
	here && /^ *(pub )?const [A-Z0-9_]+: .*;$/ {
		name = $0; sub(/^ *(pub )?const /, "", name); sub(/:.*/, "", name)
		value = $0; sub(/^[^=]*= */, "", value); sub(/;$/, "", value)
		if (value ~ /^\[/) {
			gsub(/[][ ]/, "", value)
			n = split(value, v, ",")
			for (i = 1; i <= n; i++)
				printf "#define LIBSYS_%s_%d %s\n", name, i - 1, v[i]
		} else if (value ~ /\.\./) {
			split(value, v, /\.\./)
			printf "#define LIBSYS_%s %s\n#define LIBSYS_%s_END %s\n",
			    name, v[1], name, v[2]
		} else {
			gsub(/_/, "", value)
			printf "#define LIBSYS_%s %s\n", name, value
		}
	}' "$RW_TOP/lib/libsys/src/bsd.rs" "$RW_TOP/lib/libsys/src/bsd/sysctl.rs"
}

# rw_structs_userland OS WORK SYSDIR: the tree's headers as programs see them.
rw_structs_userland()
{
	rw_structs_defines "$1" >"$2/ours.h" || return 1
	rw_cc=$(rw_tool clang) || return 1
	# The C library's; nothing of theirs is looked at.
	mkdir -p "$2/libc" || return 1
	for rw_h in pthread_types.h time.h; do : >"$2/libc/$rw_h"; done
	echo '#define bool _Bool' >"$2/libc/stdbool.h"
	case $1 in
	netbsd) rw_target=x86_64-unknown-netbsd10.1 ;;
	freebsd) rw_target=x86_64-unknown-freebsd15.0 ;;
	esac
	for rw_c in modules/if_l2tp/abi/tests/abi_$1.c lib/libsys/tests/abi_bsd.c; do
		"$rw_cc" "--target=$rw_target" -std=gnu17 -fsyntax-only -nostdinc -Wall -Werror \
		    -D_NETBSD_SOURCE -include "$2/ours.h" -I"$2/inc" -I"$2/libc" \
		    -I"$RW_TOP/sys/$1/include/base" \
		    -I"$3/../common/include" -I"$3/arch" -I"$3" "$RW_TOP/$rw_c" || {
			echo "$rw_c: our numbers and the tree's differ"
			return 1
		}
	done
}

# In a process of its own, as rw_kmod is.
rw_structs()
(
	rw_sys=$(cd "$2" 2>/dev/null && pwd) || rw_die "structs: no such folder: $2"
	# shellcheck disable=SC2153 # build.sh has set it
	rw_work=$RW_TARGET/structs/$1
	rw_structs_probe "$1" "$rw_work/ours" "" ||
		rw_die "structs: sys/$1/check/structs.c does not compile with our headers"
	rw_structs_probe "$1" "$rw_work/tree" "$rw_sys" ||
		rw_die "structs: sys/$1/check/structs.c does not compile with $rw_sys"
	status=0
	rw_structs_compare "$1" "$rw_work/ours/structs.s" "$rw_work/tree/structs.s" || status=1
	rw_structs_userland "$1" "$rw_work/tree" "$rw_sys" || status=1
	exit $status
)
