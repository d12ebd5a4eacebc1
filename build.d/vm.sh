# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Part of build.sh: what the tests bring into a virtual machine.  Needs common.sh, setup.sh,
# kmod.sh and userland.sh to be sourced first.
#
# rw_vm netbsd|freebsd: target/vm/OS.img, an ext2 disk with the modules, built against the sys/ of
# the machine's kernel (NETBSD_SYS or FREEBSD_SYS) with its options (VM_NETBSD_CPPFLAGS or
# VM_FREEBSD_CPPFLAGS), and with our programs for that system: the tools, syslogd, and what sends to it.
rw_vm()
(
	rw_os=$1
	case $rw_os in
	netbsd) rw_sys=${NETBSD_SYS-} KMOD_CPPFLAGS=${VM_NETBSD_CPPFLAGS-} rw_var=NETBSD_SYS ;;
	freebsd) rw_sys=${FREEBSD_SYS-} KMOD_CPPFLAGS=${VM_FREEBSD_CPPFLAGS-} rw_var=FREEBSD_SYS ;;
	*) rw_die "vm: say -t netbsd or -t freebsd" ;;
	esac
	export KMOD_CPPFLAGS
	[ -n "$rw_sys" ] || rw_die "vm: set $rw_var to the sys/ that the machine's kernel is of"
	rw_have mke2fs || rw_die "vm: mke2fs is not here: install e2fsprogs"
	rw_disk=$RW_TARGET/vm/$rw_os
	mkdir -p "$rw_disk"
	rw_userland "$rw_os" logblast || exit 1
	# Not where the release's own are: these fit one kernel only.
	RW_TARGET=$RW_TARGET/vm/kmod.$rw_os SYSDIR=$rw_sys rw_kmod "$rw_os" || exit 1
	for rw_b in $RW_USERLAND_BINS logblast; do
		cp "$RW_TARGET/userland/$rw_os/$rw_b" "$rw_disk/" || exit 1
	done
	cp "$RW_TOP/tests/local/l2tp.sh" \
	    "$RW_TARGET/vm/kmod.$rw_os/kmod/$rw_os"/*.k* "$rw_disk/" || exit 1
	rm -f "$rw_disk.img"
	# Of blocks of 1 KB FreeBSD reads long files wrong.
	mke2fs -q -t ext2 -b 4096 -d "$rw_disk" "$rw_disk.img" 192M || rw_die "mke2fs failed"
	# NetBSD has no devfs, and mknod(8) on a root of ext2 loses the number there.
	if [ "$rw_os" = netbsd ]; then
		debugfs -w -R "mknod iipf c 144 0" "$rw_disk.img" 2>/dev/null ||
			rw_die "debugfs failed"
	fi
	rw_note "$rw_disk.img"
)
