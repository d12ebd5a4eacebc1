#!/usr/bin/env atf-sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2016,SC2034,SC2153,SC2154 # the library's variables
#
# Protocols that carry addresses: FTP with curl and vsftpd, TFTP, PPTP; and by hand.

# shellcheck source=/dev/null
. "$(atf_get_srcdir)/../lib/atf.subr"

# ftpd NS ADDR: vsftpd with one file of 200 kB for everybody.
ftpd()
{
	rw_tmp
	mkdir -p "$RW_TMP/ftp" "$RW_TMP/empty"
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(n * n & 255 for n in range(200000)))' \
	    >"$RW_TMP/ftp/file"
	cat >"$RW_STATE/vsftpd.conf" <<-CONF
	listen=YES
	listen_address=$2
	background=NO
	anonymous_enable=YES
	local_enable=NO
	anon_root=$RW_TMP/ftp
	ftp_username=ftp
	secure_chroot_dir=$RW_TMP/empty
	seccomp_sandbox=NO
	isolate_network=NO
	connect_from_port_20=YES
	xferlog_enable=NO
	CONF
	rw_spawn vsftpd "$1" vsftpd "$RW_STATE/vsftpd.conf"
	rw_until 10 rw_in "$1" python3 -c 'import socket, sys; socket.create_connection((sys.argv[1], 21), 1)' "$2" ||
	    rw_fail "the FTP server does not listen"
}

# fetch NS HOST ARG...: the file by curl, compared.
fetch()
{
	_fe_ns=$1 _fe_host=$2
	shift 2
	rm -f "$RW_STATE/got"
	RW_T=10 nat_run "$_fe_ns" curl -sS -m 8 "$@" -o "$RW_STATE/got" "ftp://$_fe_host/file" &&
	    cmp "$RW_TMP/ftp/file" "$RW_STATE/got"
}

# ftp NAME "what" ALGS CURL-ARGS yes|no: whether the file comes.
ftp()
{
	rw_case "$1" "$2"
	eval "$1_body() { ftp_fetch '$3' '$4' $5; }"
}

ftp_fetch()
{
	rw_need vsftpd curl
	id ftp >/dev/null 2>&1 || rw_skip "no user ftp, as whom vsftpd serves"
	nat_begin
	NAT_ALGS=$1
	nat_up
	ftpd "$NS_INET1" "$NAT_INET1"
	# shellcheck disable=SC2086 # a list
	if fetch "$NS_LAN1" "$NAT_INET1" $2; then
		[ "$3" = yes ] || rw_fail "the file came without a gateway"
	else
		[ "$3" = no ] || rw_fail "the file did not come: $(cat "$RW_STATE/out")"
	fi
	nat_finish
}

ftp ftp_port "active, PORT" ftp "--ftp-port - --disable-eprt" yes
ftp ftp_eprt "active, EPRT" ftp "--ftp-port -" yes
ftp ftp_pasv "passive, PASV" ftp "--disable-epsv --no-ftp-skip-pasv-ip" yes
ftp ftp_epsv "passive, EPSV" ftp "" yes
ftp ftp_off "without the gateway, active FTP does not work" "" "--ftp-port - --disable-eprt" no

for mode in pasv epsv; do
	rw_case "ftp_server_$mode" "a server in the LAN, $mode from outside"
	eval "ftp_server_${mode}_body() { ftp_server $mode; }"
done

ftp_server()
{
	rw_need vsftpd curl
	id ftp >/dev/null 2>&1 || rw_skip "no user ftp, as whom vsftpd serves"
	nat_begin
	NAT_ALGS=ftp
	NAT_FORWARDS="tcp $NAT_EXT 21 $NAT_LAN2 21"
	nat_up
	ftpd "$NS_LAN2" "$NAT_LAN2"
	case $1 in
	pasv) set -- --disable-epsv --no-ftp-skip-pasv-ip ;;
	epsv) set -- ;;
	esac
	fetch "$NS_INET1" "$NAT_EXT" "$@" || rw_fail "the file did not come: $(cat "$RW_STATE/out")"
	nat_finish
}

# hand NAME "what" ALG SCENE [FEATURE]
hand()
{
	rw_case "$1" "$2"
	eval "$1_body() { nat_begin ${5:-}; NAT_ALGS='$3'; nat_up; nat_scene alg $4; nat_finish; }"
}

hand ftp_dialogue_port "PORT twice, and the connection stays in step" ftp ftp_port
hand ftp_dialogue_eprt "EPRT, and the connection stays in step" ftp ftp_eprt
hand ftp_dialogue_split "a command in pieces" ftp ftp_split alg_split
hand ftp_bounce "addresses of others and low ports open nothing" ftp ftp_bounce alg_low_ports
hand ftp_nonsense "lines that are none pass untouched, or not at all" ftp ftp_nonsense alg_strict
hand ftp_large "long replies pass untouched" ftp ftp_large
hand pptp "two PPTP clients with one call id" pptp pptp

for alg in tftp none; do
	rw_case "tftp_$alg" "TFTP, with gateway: $alg"
	eval "tftp_${alg}_body() { tftp_get $alg; }"
done

tftp_get()
{
	rw_need in.tftpd tftp
	nat_begin
	[ "$1" = none ] || NAT_ALGS=$1
	nat_up
	mkdir -p "$RW_STATE/tftp"
	head -c 20000 /dev/urandom >"$RW_STATE/tftp/file"
	chmod -R a+rX "$RW_STATE/tftp"
	# Its server drops into that folder as nobody.
	rw_spawn tftpd "$NS_INET1" in.tftpd -L -4 -u root -a "$NAT_INET1:69" -s "$RW_STATE/tftp"
	rw_until 5 rw_in "$NS_INET1" sh -c 'grep -q ":0045 " /proc/net/udp' ||
	    rw_fail "the TFTP server does not listen"
	cd "$RW_STATE" || rw_fail "cd"
	RW_T=6 nat_run "$NS_LAN1" tftp -4 -m binary "$NAT_INET1" -c get file || :
	if [ "$1" = none ]; then
		[ ! -s "$RW_STATE/file" ] || rw_fail "the file came without a gateway"
	else
		cmp "$RW_STATE/tftp/file" "$RW_STATE/file" >&2 || rw_fail "the file did not come"
	fi
	nat_finish
}

atf_init_test_cases()
{
	rw_add_cases
}
