# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: installs what is missing from the package registries, saying what.
# Needs common.sh and system.sh to be sourced first.  Reads RW_CACHE (where what pip installs
# is kept) and ROPEWALK_ZIG (a venv with ziglang instead).

: "${RW_TOP:=$(pwd)}"
: "${RW_TARGET:=${CARGO_TARGET_DIR:-$RW_TOP/target}}"
: "${RW_CACHE:=${ROPEWALK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ropewalk}}"

# The least Rust that the workspace builds with (rust-version in Cargo.toml), as a minor.
RW_RUST_MINOR=95

# The ziglang wheel carries the installed headers and library stubs of both BSDs.
RW_ZIG_VERSION=0.16.0
RW_ZIG_SHA256=9fcda73f62b851dd72a54b710ad40a209896db14cfb13649e62191243556342b

# For the BSD targets rustc and its source must match, so both come from one place.
RW_APT_RUST='rustc-web cargo-web'
RW_APT_KMOD='rustc-web cargo-web rust-web-src clang-22 lld-22 llvm-22 libck-dev python3
 python3-venv'
RW_APT_DEMO='iproute2 iputils-ping iperf3 tcpdump ethtool'
# Real programs that judge the filter and NAT, and whose protocols pass it.
RW_APT_DEMO_NAT="$RW_APT_DEMO curl nftables vsftpd python3"
RW_APT_NAT="$RW_APT_DEMO_NAT coturn conntrack hping3 nmap tftp-hpa tftpd-hpa traceroute"
# The other syslogds: NAME:PACKAGE,... Their packages exclude each other and would take the place of the
# machine's own, so they are unpacked under RW_CACHE and not installed.
RW_PEERS='rsyslog:rsyslog,rsyslog-openssl syslog-ng:syslog-ng-core busybox:busybox'
RW_APT_TEST="$RW_APT_DEMO $RW_APT_NAT openssl clang-22 kyua atf-sh tshark qemu-system-x86 user-mode-linux
 mandoc shellcheck python3 gdb"

# rw_note WORDS: what a step of a build does.
rw_note()
{
	printf '  - %s\n' "$*"
}

# rw_zig_python: the python that runs `-m ziglang'.
rw_zig_python()
{
	printf '%s/bin/python\n' "${ROPEWALK_ZIG:-$RW_CACHE/zig-$RW_ZIG_VERSION}"
}

# rw_zig_libc: where the wheel keeps its headers.
rw_zig_libc()
{
	rw_py=$(rw_zig_python)
	[ -x "$rw_py" ] || rw_die "the BSDs' headers are not here: run \`./build.sh setup kmod'"
	"$rw_py" -c 'import os, ziglang
print(os.path.join(os.path.dirname(ziglang.__file__), "lib", "libc", "include"))'
}

# rw_apt WHAT-FOR PACKAGE ...: installs those that are missing.
rw_apt()
{
	rw_what=$1
	shift
	if ! command -v apt-get >/dev/null 2>&1; then
		rw_note "no apt-get here: for the $rw_what install yourself what is like $*"
		return 0
	fi
	rw_missing=
	for rw_p; do
		case $(dpkg-query -W -f '${db:Status-Abbrev}' "$rw_p" 2>/dev/null) in
		ii*) ;;
		*) rw_missing="$rw_missing $rw_p" ;;
		esac
	done
	[ -n "$rw_missing" ] || return 0
	[ "$(id -u)" -eq 0 ] || rw_die "the $rw_what: as root, apt-get install$rw_missing"
	rw_note "the $rw_what: installing with apt:$rw_missing"
	apt-get update -q >/dev/null ||
		rw_die "apt-get update failed: look at the network and the package sources"
	# Servers among them are for namespaces of the tests: the machine itself shall not start them.
	rw_policy=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		rw_policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >$rw_policy && chmod 755 $rw_policy
	fi
	rw_rc=0
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
	    $rw_missing >/dev/null || rw_rc=$?
	[ -z "$rw_policy" ] || rm -f "$rw_policy"
	[ $rw_rc -eq 0 ] || rw_die "apt-get could not install:$rw_missing"
}

# rw_peer NAME: where the syslogd of that name is unpacked.
rw_peer()
{
	printf '%s/peers/%s\n' "$RW_CACHE" "$1"
}

# rw_setup_syslog: unpacks the other syslogds with the libraries that they need, each in a folder of
# its own.  Nothing of the system is changed.
rw_setup_syslog()
{
	rw_have apt-get && rw_have dpkg-deb || {
		rw_note "no apt-get here: what needs rsyslog, syslog-ng or busybox is skipped by name"
		return 0
	}
	rw_fresh=
	for rw_p in $RW_PEERS; do
		rw_root=$(rw_peer "${rw_p%%:*}")
		[ ! -e "$rw_root" ] || continue
		[ "$(id -u)" -eq 0 ] || rw_die "the other syslogds: run as root once, to unpack $rw_p"
		if [ -z "$rw_fresh" ]; then
			apt-get update -q >/dev/null ||
				rw_die "apt-get update failed: look at the network and the package sources"
			rw_fresh=yes
		fi
		rw_note "the other syslogds: unpacking ${rw_p#*:} in $rw_root"
		rm -rf "$rw_root.new"
		mkdir -p "$rw_root.new/debs/partial"
		# With --reinstall also where it is installed; the libraries are then the system's.
		# shellcheck disable=SC2046 # a list of words
		apt-get install -q -y --download-only --reinstall --no-install-recommends \
		    -o Dir::Cache::archives="$rw_root.new/debs/" -o APT::Sandbox::User=root \
		    $(printf '%s' "${rw_p#*:}" | tr , ' ') >/dev/null ||
			rw_die "apt-get could not download ${rw_p#*:}"
		for rw_deb in "$rw_root.new"/debs/*.deb; do
			dpkg-deb -x "$rw_deb" "$rw_root.new" || rw_die "$rw_deb does not unpack"
		done
		rm -rf "$rw_root.new/debs"
		mv "$rw_root.new" "$rw_root"
	done
}

# A cargo for this machine: whatever is in PATH, if it is new enough.
rw_setup_build()
{
	rw_minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
	if [ "${rw_minor:-0}" -lt "$RW_RUST_MINOR" ] || ! command -v cargo >/dev/null 2>&1; then
		# shellcheck disable=SC2086
		rw_apt "Rust toolchain" $RW_APT_RUST
		rw_minor=$(/usr/bin/rustc --version 2>/dev/null |
		    sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
		[ "${rw_minor:-0}" -ge "$RW_RUST_MINOR" ] ||
			rw_die "Rust 1.$RW_RUST_MINOR or newer is needed, this is 1.${rw_minor:-?}"
		PATH=/usr/bin:$PATH
		export PATH
	fi
	command -v cc >/dev/null 2>&1 || rw_apt "linker" gcc libc6-dev
}

# What kmod, userland and their tests need.
rw_setup_kmod()
{
	# shellcheck disable=SC2086
	rw_apt "tools for kernel modules" $RW_APT_KMOD
	rw_py=$(rw_zig_python)
	if [ -x "$rw_py" ] && "$rw_py" -c 'import ziglang' 2>/dev/null; then
		return 0
	fi
	rw_venv=${rw_py%/bin/python}
	rw_note "the BSDs' headers: installing ziglang $RW_ZIG_VERSION with pip (430 MB) in $rw_venv"
	mkdir -p "${rw_venv%/*}"
	# Beside it first: a venv that broke half-way is not taken for a whole one.
	rm -rf "$rw_venv.new"
	python3 -m venv --copies "$rw_venv.new" ||
		rw_die "python3 -m venv failed: install python3-venv"
	printf 'ziglang==%s --hash=sha256:%s\n' "$RW_ZIG_VERSION" "$RW_ZIG_SHA256" \
	    >"$rw_venv.new/requirements.txt"
	"$rw_venv.new/bin/python" -m pip install -q --disable-pip-version-check \
	    --only-binary :all: --require-hashes -r "$rw_venv.new/requirements.txt" ||
		rw_die "pip could not install ziglang $RW_ZIG_VERSION"
	rm -rf "$rw_venv"
	mv "$rw_venv.new" "$rw_venv"
}

rw_setup_demo()
{
	# shellcheck disable=SC2086
	rw_apt "demo" $RW_APT_DEMO
}

rw_setup_demo_nat()
{
	# shellcheck disable=SC2086
	rw_apt "demo of NAT" $RW_APT_DEMO_NAT
}

rw_setup_test()
{
	# Without root, the cases that lack a program are skipped by name.
	[ "$(id -u)" -eq 0 ] || return 0
	# shellcheck disable=SC2086
	rw_apt "tests" $RW_APT_TEST
	rw_setup_syslog
}

# rw_setup WHAT ...: build (default), kmod, demo, demo_nat, syslog, test.  Installs nothing twice.
rw_setup()
{
	[ $# -gt 0 ] || set -- build
	for rw_w; do
		case $rw_w in
		build | kmod | demo | demo_nat | syslog | test)
			if rw_is_bsd; then rw_setup_bsd "$rw_w"; else "rw_setup_$rw_w"; fi
			;;
		*) rw_die "setup: there is no '$rw_w': build kmod demo test" ;;
		esac
	done
}
