#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# syslogd in a booted NetBSD or FreeBSD: SL_GUEST, vm_netbsd or vm_freebsd, says in which. What happens
# there is a scene of guest.py, which types on the guest's console; each has a machine of its own.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# sl_guest SCENE: boots, plays the scene, and looks whether the kernel complained.
sl_guest()
{
	rw_init "$PWD/state"
	case ${SL_GUEST:-} in
	vm_netbsd | vm_freebsd) R_DRIVER_S=$SL_GUEST ;;
	*) rw_skip "no other kernel is chosen: ROPEWALK_KERNELS=\"syslog+vm-netbsd\" ./build.sh test kernels" ;;
	esac
	vm_need "$(vm_os S)"
	rw_ns_add s
	vm_start_qemu S "$RW_NS" -nic none
	_sg_rc=0
	timeout -k 2 "${SL_SECONDS:-800}" python3 "$RW_LIB/../syslog/guest.py" "$(vm_os S)" \
	    "$RW_STATE/vmS.con" "$RW_STATE/vmS.log" "$1" >"$RW_STATE/scene.log" 2>&1 || _sg_rc=$?
	rw_stop qemu-vmS 5 || :
	case $_sg_rc in
	0) ;;
	77) rw_skip "$(sed -n 's/^skip: //p' "$RW_STATE/scene.log" | tail -n 1)" ;;
	*)
		RW_LOG_LINES=60 rw_fail "$(grep '^scene: ' "$RW_STATE/scene.log" | tail -n 1 | grep . ||
		    echo "scene: status $_sg_rc")"
		;;
	esac
	vm_quiet S || rw_fail "the kernel complained"
}

for way in \
    "local 20,000 messages through the local socket, in rings and a file, each counted; a clean end" \
    "reading reading and following, by time, level and program; figures; a ring resized and cleared" \
    "killed the worker killed, the parent killed, and started again: what keep= says" \
    "reload SIGHUP with another configuration, and with a wrong one" \
    "network UDP and TCP over IPv4 and IPv6, and TCP to a second syslogd that goes and comes" \
    "kernel what the kernel says: a process that ends by a signal becomes a record" \
    "full a disk that is full, and room again" \
    "memory memory does not grow"; do
	rw_case "${way%% *}" "${way#* }, in a booted kernel" 900
	eval "${way%% *}_body() { sl_guest ${way%% *}; }"
done

atf_init_test_cases()
{
	rw_add_cases
}
