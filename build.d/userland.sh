# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: our tools for NetBSD and FreeBSD, built here.  Needs common.sh and
# setup.sh to be sourced first.
#
# rw_userland netbsd|freebsd [PROGRAM ...]: target/userland/OS/{corelog,ifconfig,iipfctl,kstat,syslogctl,
# syslogd}, and what else is named: a package's program of the same name, or logblast.  std is
# built from source for the target; `zig cc' links it with the C library stubs that the ziglang wheel
# carries, and compiles the C and assembly of ring, syslogd's TLS.

RW_USERLAND_BINS='corelog ifconfig iipfctl kstat syslogctl syslogd'

# rw_userland_tools OS FOLDER: writes there the programs that compile C, link and make libraries.
rw_userland_tools()
{
	rw_py=$(rw_zig_python)
	[ -x "$rw_py" ] || rw_die "zig is not here: run \`./build.sh setup kmod'"
	case $1 in
	netbsd) rw_zt=x86_64-netbsd.10.1 rw_drop= ;;
	# Libraries that std names and that the stubs lack; nothing in our tools calls them.
	freebsd) rw_zt=x86_64-freebsd.14.0 rw_drop='-lkvm|-lmemstat|-lprocstat|-ldevstat' ;;
	esac
	cat >"$2/linker" <<EOF
#!/bin/sh
# Made by build.d/userland.sh: links for $1.
for a do
	shift
	case \$a in
	${rw_drop:-'no such flag'}) ;;
	*) set -- "\$@" "\$a" ;;
	esac
done
exec "$rw_py" -m ziglang cc -target $rw_zt "\$@"
EOF
	cat >"$2/cc" <<EOF
#!/bin/sh
# Made by build.d/userland.sh: compiles C for $1. rustc's name of the target is none of zig's.
for a do
	shift
	case \$a in
	--target=*) ;;
	*) set -- "\$@" "\$a" ;;
	esac
done
exec "$rw_py" -m ziglang cc -target $rw_zt "\$@"
EOF
	cat >"$2/ar" <<EOF
#!/bin/sh
# Made by build.d/userland.sh.
exec "$rw_py" -m ziglang ar "\$@"
EOF
	chmod +x "$2/linker" "$2/cc" "$2/ar"
}

# In a process of its own: a step that fails ends this, not the caller.
rw_userland()
(
	case ${1-} in
	netbsd | freebsd) ;;
	*) rw_die "userland: say -t netbsd or -t freebsd" ;;
	esac
	rw_cargo=$(rw_rust cargo) && rw_rustc=$(rw_rust rustc) || exit 1
	rw_dir=$RW_TARGET/userland/$1
	rw_triple=x86_64-unknown-$1
	rw_os=$1
	shift
	rw_bins="$RW_USERLAND_BINS $*"
	set -- "$rw_os"
	mkdir -p "$rw_dir"
	rw_say "$rw_bins for $1"
	rw_userland_tools "$1" "$rw_dir"
	rw_packages=
	for rw_b in $rw_bins; do
		case $rw_b in logblast) rw_package=bench ;; *) rw_package=$rw_b ;; esac
		rw_packages="$rw_packages -p $rw_package --bin $rw_b"
	done
	rw_note "std and the tools for $rw_triple (some minutes the first time)"
	rw_var=CARGO_TARGET_$(printf '%s' "$rw_triple" | tr 'a-z-' 'A-Z_')_LINKER
	(
		unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS RUSTUP_TOOLCHAIN
		export "$rw_var=$rw_dir/linker"
		rw_under=$(printf '%s' "$rw_triple" | tr - _)
		export "CC_$rw_under=$rw_dir/cc" "AR_$rw_under=$rw_dir/ar"
		# zig keeps what it makes of the C library's stubs.
		export ZIG_GLOBAL_CACHE_DIR="$RW_CACHE/zig-cache"
		# shellcheck disable=SC2086 # a list of -p NAME --bin NAME
		RUSTC=$rw_rustc RUSTC_BOOTSTRAP=1 \
		    CARGO_TARGET_DIR=$RW_TARGET/userland/cargo \
		    "$rw_cargo" build --quiet --release \
		    -Zbuild-std=std,panic_abort --target "$rw_triple" $rw_packages
	) || rw_die "the tools do not build for $1"
	for rw_b in $rw_bins; do
		cp "$RW_TARGET/userland/cargo/$rw_triple/release/$rw_b" "$rw_dir/$rw_b"
		rw_readelf=$(rw_tool llvm-readobj) || exit 1
		"$rw_readelf" -h "$rw_dir/$rw_b" | grep -q 'Machine: EM_X86_64' ||
			rw_die "$rw_dir/$rw_b is no program for amd64"
		rw_note "$rw_dir/$rw_b ($(wc -c <"$rw_dir/$rw_b" | tr -d ' ') bytes)"
	done
)
