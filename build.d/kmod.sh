# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: kernel modules.  Needs common.sh, system.sh and setup.sh to be sourced
# first.
#
# rw_kmod netbsd|freebsd [MODULE ...]: for every modules/*/Cargo.toml with a
# [package.metadata.kmod] section, or those named, target/kmod/OS/NAME.kmod or NAME.ko.
# SYSDIR is a kernel source tree's sys/; without it the headers of the releases
# that setup installed, and small declarations of our own, are used.
# KMOD_CPPFLAGS adds to the C flags: -DDIAGNOSTIC -DLOCKDEBUG -DNET_MPSAFE (NetBSD),
# -DINVARIANTS -DWITNESS (FreeBSD), as the kernel has them.  KERNBUILDDIR (FreeBSD) is
# where a kernel was built: its opt_global.h says that by itself.

RW_NETBSD_VERSION=1001000000
RW_FREEBSD_VERSION=1500000
RW_FRAME_LIMIT=1024

RW_KMOD_CFLAGS='-O2 -ffreestanding -nostdinc -fno-pic -mcmodel=kernel -mno-red-zone
 -mno-mmx -mno-sse -mno-sse2 -mno-avx -msoft-float -fno-omit-frame-pointer
 -fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables -fno-stack-protector
 -ffunction-sections -fstack-size-section -D_KERNEL -DINET -DINET6
 -Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter
 -Wno-missing-field-initializers -Wno-address-of-packed-member -Wno-pointer-sign'

# Without -Zplt, calls go through a table that no kernel has (R_X86_64_GOTPCREL).
RW_KMOD_RUSTFLAGS='-Crelocation-model=static -Zplt=yes -Cforce-frame-pointers=yes
 -Zemit-stack-sizes'

# rw_kmod_field DIR KEY: a value of the module's [package.metadata.kmod].
rw_kmod_field()
{
	awk -v key="$2" '
		/^\[/ { in_kmod = ($0 == "[package.metadata.kmod]") }
		in_kmod && $1 == key {
			sub(/^[^=]*=[ \t]*/, "")
			gsub(/^"|"[ \t]*$/, "")
			print
		}' "$1/Cargo.toml"
}

# rw_kmod_list: the folders of modules that are made for kernels.
rw_kmod_list()
{
	for rw_d in "$RW_TOP"/modules/*/; do
		rw_d=${rw_d%/}
		if grep -q '^\[package\.metadata\.kmod\]' "$rw_d/Cargo.toml" 2>/dev/null; then
			printf '%s\n' "$rw_d"
		fi
	done
}

# rw_kmod_wrap OS MODULE DIR: the crate that makes a staticlib of the module.
rw_kmod_wrap()
{
	mkdir -p "$3/src"
	rw_extra=
	rw_dep=
	if [ "$1" = freebsd ]; then
		# The kernel has no psref(9).
		rw_extra='extern crate psref;'
		rw_dep="psref = { path = \"$RW_TOP/sys/psref\" }"
	fi
	cat >"$3/Cargo.toml.new" <<EOF
[package]
name = "${2}_kmod"
version = "0.0.0"
edition = "2024"

[workspace]

[lib]
crate-type = ["staticlib"]

[dependencies]
kern = { path = "$RW_TOP/sys/kern" }
$2 = { path = "$RW_TOP/modules/$2" }
$rw_dep

[profile.release]
panic = "abort"
lto = "fat"
codegen-units = 1
opt-level = 2
debug = 0
EOF
	cat >"$3/src/lib.rs.new" <<EOF
#![no_std]
$rw_extra
kern::kmod!($2);
EOF
	# An unchanged file keeps its time, and cargo its work.
	for rw_f in Cargo.toml src/lib.rs; do
		if cmp -s "$3/$rw_f.new" "$3/$rw_f"; then
			rm "$3/$rw_f.new"
		else
			mv "$3/$rw_f.new" "$3/$rw_f"
		fi
	done
	[ -e "$3/Cargo.lock" ] || cp "$RW_TOP/Cargo.lock" "$3/Cargo.lock"
}

# rw_kmod_rust OS MODULE WORK: WORK/rust.o, one object with one global symbol.
rw_kmod_rust()
{
	rw_kmod_wrap "$1" "$2" "$3/wrap"
	rw_cargo=$(rw_rust cargo) && rw_rustc=$(rw_rust rustc) || exit 1
	(
		cd "$3/wrap" || exit 1
		unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN
		RUSTC=$rw_rustc RUSTC_BOOTSTRAP=1 \
		    CARGO_TARGET_DIR=$RW_TARGET/kmod/cargo \
		    RUSTFLAGS="$RW_KMOD_RUSTFLAGS" \
		    "$rw_cargo" build --quiet --release \
		    -Zbuild-std=core,compiler_builtins \
		    -Zbuild-std-features=compiler-builtins-mem \
		    --target x86_64-unknown-none
	) || rw_die "the Rust part of $2 does not build for kernels"
	cp "$RW_TARGET/kmod/cargo/x86_64-unknown-none/release/lib${2}_kmod.a" "$3/rust.a" || exit 1
	"$(rw_tool ld.lld)" -r --gc-sections -u kpi_module -o "$3/rust.o" "$3/rust.a" ||
		rw_die "the Rust part of $2 does not link"
	# So that the C part takes memcpy and friends from the kernel.
	"$(rw_tool llvm-objcopy)" --keep-global-symbol=kpi_module \
	    --remove-section=.llvmbc --remove-section=.llvmcmd "$3/rust.o" ||
		rw_die "llvm-objcopy failed on $3/rust.o"
}

# rw_kmod_links DIR NAME:TARGET...: symbolic links NAME in DIR.
rw_kmod_links()
{
	rw_dir=$1
	shift
	mkdir -p "$rw_dir"
	for rw_l; do
		rm -f "$rw_dir/${rw_l%%:*}"
		ln -s "${rw_l#*:}" "$rw_dir/${rw_l%%:*}"
	done
}

# rw_kmod_include OS WORK SYSDIR: prints the target and include flags.
rw_kmod_include()
{
	case $1 in
	netbsd)
		printf '%s ' --target=x86_64-unknown-netbsd10.1 -std=gnu11 -D_MODULE
		if [ -n "$3" ]; then
			[ -e "$3/net/if_ether.h" ] || rw_die "SYSDIR=$3 is no NetBSD sys/"
			rw_kmod_links "$2/inc" "machine:$3/arch/amd64/include" \
			    "amd64:$3/arch/amd64/include" "x86:$3/arch/x86/include" \
			    "i386:$3/arch/i386/include"
			printf '%s ' "-I$2/inc" "-I$3/../common/include" "-I$3/arch" "-I$3"
		else
			rw_inc=$(rw_zig_libc)
			printf '%s ' "-D__NetBSD_Version__=$RW_NETBSD_VERSION" \
			    "-I$RW_TOP/sys/netbsd/include/stub" -include sys/systm.h \
			    "-isystem $rw_inc/x86_64-netbsd-none" "-isystem $rw_inc/generic-netbsd"
		fi
		;;
	freebsd)
		printf '%s ' --target=x86_64-unknown-freebsd15.0 -std=gnu17 -fwrapv \
		    -DKLD_MODULE -DHAVE_KERNEL_OPTION_HEADERS "-I$2/inc" -include opt_global.h
		mkdir -p "$2/inc"
		if [ -n "${KERNBUILDDIR-}" ]; then
			cp "$KERNBUILDDIR/opt_global.h" "$2/inc/opt_global.h" ||
				rw_die "KERNBUILDDIR=$KERNBUILDDIR: no kernel was built there"
			# Probes in mbuf(9)'s inline functions would be ours to declare.
			echo '#undef KDTRACE_HOOKS' >>"$2/inc/opt_global.h"
		else
			printf '#define SMP 1\n#define MAC 1\n#define VIMAGE 1\n' \
			    >"$2/inc/opt_global.h"
		fi
		# Generated by a kernel build; the shims use none of their contents.
		for rw_h in vnode_if.h bus_if.h device_if.h; do : >"$2/inc/$rw_h"; done
		if [ -n "$3" ]; then
			[ -e "$3/net/if_private.h" ] || rw_die "SYSDIR=$3 is no FreeBSD sys/"
			rw_kmod_links "$2/inc" "machine:$3/amd64/include" "x86:$3/x86/include"
			printf '%s ' "-I$3" "-I$3/contrib/ck/include"
		else
			rw_inc=$(rw_zig_libc)
			[ -e /usr/include/ck_queue.h ] ||
				rw_die "ck_queue.h is not here: run \`./build.sh setup'"
			# Concurrency Kit alone, not all of the host's headers.
			rw_kmod_links "$2/inc/ck" gcc:/usr/include/gcc spinlock:/usr/include/spinlock
			for rw_h in /usr/include/ck_*.h; do
				rw_kmod_links "$2/inc/ck" "${rw_h##*/}:$rw_h"
			done
			printf '%s ' "-D__FreeBSD_version=$RW_FREEBSD_VERSION" \
			    "-isystem $rw_inc/x86_64-freebsd-none" \
			    "-isystem $rw_inc/generic-freebsd" "-idirafter $2/inc/ck"
		fi
		;;
	esac
}

# rw_kmod_shims OS MODULE WORK SYSDIR: WORK/kpi_*.o
rw_kmod_shims()
{
	rw_flags=$(rw_kmod_include "$1" "$3" "$4") || exit 1
	rw_cc=$(rw_tool clang) || exit 1
	rw_needs=$(rw_kmod_field "$RW_TOP/modules/$2" "$1")
	rw_required=NULL
	[ -z "$rw_needs" ] || rw_required="\"$rw_needs\""
	for rw_c in "$RW_TOP/sys/$1"/kpi_*.c; do
		rw_o=${rw_c##*/}
		# shellcheck disable=SC2086 # lists of flags
		"$rw_cc" $RW_KMOD_CFLAGS -I"$RW_TOP/sys/$1" -I"$RW_TOP/sys/kpi" \
		    -I"$RW_TOP/sys/$1/include/base" $rw_flags ${KMOD_CPPFLAGS-} \
		    "-DKPI_MODULE=$2" "-DKPI_MODULE_REQUIRED=$rw_required" \
		    -c "$rw_c" -o "$3/${rw_o%.c}.o" ||
			rw_die "sys/$1/$rw_o does not compile"
	done
}

# rw_kmod_one OS DIR SYSDIR
rw_kmod_one()
{
	rw_os=$1
	rw_name=${2##*/}
	rw_work=$RW_TARGET/kmod/$rw_os/$rw_name.work
	rw_py3=$(rw_python) || exit 1
	case $rw_os in
	netbsd) rw_out=$RW_TARGET/kmod/netbsd/$rw_name.kmod rw_emul=elf_x86_64 ;;
	freebsd) rw_out=$RW_TARGET/kmod/freebsd/$rw_name.ko rw_emul=elf_x86_64_fbsd ;;
	esac
	mkdir -p "$rw_work"
	rm -f "$rw_out" "$rw_work"/*.o

	rw_say "$rw_name for $rw_os"
	rw_note "Rust: core and the module for x86_64-unknown-none, one object"
	rw_kmod_rust "$rw_os" "$rw_name" "$rw_work"
	rw_note "C: sys/$rw_os against ${3:-the installed headers of the release}"
	rw_kmod_shims "$rw_os" "$rw_name" "$rw_work" "$3"
	rw_note "linking ${rw_out#"$RW_TOP"/}"
	"$(rw_tool ld.lld)" -r -m "$rw_emul" -T "$RW_TOP/sys/kmod/$rw_os.ld" \
	    -o "$rw_work/joined.o" "$rw_work/rust.o" "$rw_work"/kpi_*.o ||
		rw_die "$rw_name does not link"
	"$(rw_tool llvm-objcopy)" --strip-debug \
	    --keep-global-symbol=kpi_module "$rw_work/joined.o" "$rw_work/module.o" ||
		rw_die "llvm-objcopy failed on $rw_work/joined.o"
	# Two modules of ours in one kernel must not both export `kpi_module'. NetBSD finds a
	# module by its link set, and takes a name that is there already for a broken file.
	if [ "$rw_os" = netbsd ]; then
		rw_entry=-
		set -- --localize-symbol=kpi_module
	else
		rw_entry=${rw_name}_kpi_module
		set -- --redefine-sym "kpi_module=$rw_entry"
	fi
	"$(rw_tool llvm-objcopy)" "$@" "$rw_work/module.o" ||
		rw_die "llvm-objcopy failed on $rw_work/module.o"
	if [ "$rw_os" = netbsd ]; then
		"$rw_py3" "$RW_TOP/sys/kmod/plt32.py" "$rw_work/module.o" || exit 1
	fi

	rw_note "gates"
	rw_gates="$RW_TOP/sys/kmod/gates.py"
	"$rw_py3" "$rw_gates" undefined "$rw_work/module.o" "$RW_TOP/sys/kmod/symbols.$rw_os" || exit 1
	"$rw_py3" "$rw_gates" relocations "$rw_work/module.o" "$rw_os" || exit 1
	"$rw_py3" "$rw_gates" instructions "$rw_work/module.o" || exit 1
	"$rw_py3" "$rw_gates" exports "$rw_work/module.o" "$rw_entry" || exit 1
	"$rw_py3" "$rw_gates" panics "$rw_work/rust.o" "$RW_TOP/sys/kmod/panics.$rw_name" || exit 1
	"$rw_py3" "$rw_gates" frames "$RW_FRAME_LIMIT" "$rw_work/rust.o" "$rw_work"/kpi_*.o || exit 1
	# Only what passed gets the name that people load.
	cp "$rw_work/module.o" "$rw_out" || exit 1
	rw_note "$rw_out ($(wc -c <"$rw_out" | tr -d ' ') bytes)"
}

# In a process of its own: a step that fails ends this, not the caller.
rw_kmod()
(
	case ${1-} in
	netbsd | freebsd) ;;
	*) rw_die "kmod: say -t netbsd or -t freebsd" ;;
	esac
	rw_for=$1
	shift
	rw_sysdir=$(rw_sysdir "$rw_for") || exit 1
	# gates.py runs these tools too.
	LLVM_SUFFIX=$(rw_llvm_suffix) || rw_die "no LLVM: run \`./build.sh setup kmod'"
	export LLVM_SUFFIX
	rw_mods=$(rw_kmod_list)
	[ -n "$rw_mods" ] || rw_die "no modules/*/Cargo.toml has [package.metadata.kmod]"
	for rw_m; do
		[ -e "$RW_TOP/modules/$rw_m/Cargo.toml" ] || rw_die "kmod: no module '$rw_m'"
	done
	for rw_m in $rw_mods; do
		case " $* " in
		"  " | *" ${rw_m##*/} "*) rw_kmod_one "$rw_for" "$rw_m" "$rw_sysdir" ;;
		esac
	done
)
