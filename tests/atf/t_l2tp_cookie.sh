#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # the library's variables
#
# Cookies of every size in each direction, over both encapsulations.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# What a cookie of so many bytes is at site A, at site B.
cookie_a() { case $1 in 0) ;; 4) echo 00c0ffee ;; 8) echo 0123456789abcdef ;; esac; }
cookie_b() { case $1 in 0) ;; 4) echo fedcba98 ;; 8) echo ffffffff00000001 ;; esac; }

# cookies A_EXPECTS B_EXPECTS ENCAP
cookies()
{
	rw_begin
	judge_need
	r_want_encap "$3"
	case $1/$2 in
	0/[48]|[48]/0)
		r_want A uneven
		r_want B uneven
		;;
	esac
	topo_two_sites 4
	tun_defaults
	TUN_ENCAP=$3
	TUN_COOKIE_A=$(cookie_a "$1")
	TUN_COOKIE_B=$(cookie_b "$2")
	r_both_up
	judge_start A
	tr_ping
	tr_full
	judge_stop A
	rw_finish A B
}

for encap in ip udp; do
	for a in 0 4 8; do
		for b in 0 4 8; do
			rw_case "cookies_${a}_${b}_$encap" \
			    "A expects a cookie of $a bytes, B one of $b, $encap"
			eval "cookies_${a}_${b}_${encap}_body() { cookies $a $b $encap; }"
		done
	done
done

atf_init_test_cases()
{
	rw_add_cases
}
