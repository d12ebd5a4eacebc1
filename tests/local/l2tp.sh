#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# l2tp.sh [DIR]: if_l2tp in the BSD that this runs on. As root, with nothing else of ours loaded;
# DIR (default .) holds if_l2tp.kmod or if_l2tp.ko, and our ifconfig and kstat. Two pseudowires face each
# other over addresses of the loopback interface; what is sent on one must come out of the other.
# Ends with "N passed, N failed, N skipped", and leaves nothing behind.
set -u

dir=${1:-.}
passed=0
failed=0
wires="l2tp91 l2tp92"

case $(uname -s) in
NetBSD)
	load() { modload "$dir/if_l2tp.kmod"; }
	unload() { modunload if_l2tp; }
	;;
FreeBSD)
	load() { kldload "$dir/if_l2tp.ko"; }
	unload() { kldunload if_l2tp; }
	;;
*)
	echo "skipped: local: l2tp: this is $(uname -s), neither NetBSD nor FreeBSD"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
	;;
esac

# is NAME COMMAND...: one test: the command does well.
is()
{
	name=$1
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok: $name"
	else
		failed=$((failed + 1))
		echo "not ok: $name: $*: $out"
	fi
}

isnt()
{
	name=$1
	shift
	if out=$("$@" 2>&1); then
		failed=$((failed + 1))
		echo "not ok: $name: $* went well: $out"
	else
		passed=$((passed + 1))
		echo "ok: $name"
	fi
}

# wire IF FAMILY ENCAP MY PEER MY_ID PEER_ID COOKIE
wire()
{
	"$dir/ifconfig" "$1" create encap "$3" tunnel "$4" "$5" session "$6" "$7" \
	    cookie 8 "0x$8" 8 "0x$8" up
}

# received IF N: at least, since IPv6 sends by itself when an interface comes up.
received()
{
	[ "$("$dir/ifconfig" --json "$1" | tr -d ' \n' |
	    sed -n 's/.*"ipackets":\([0-9]*\).*/\1/p')" -ge "$2" ]
}

# cross FAMILY ENCAP: a pseudowire each way, pings into one with a neighbour that is nobody.
cross()
{
	case $1 in
	4) a=127.0.91.1 b=127.0.91.2 ;;
	6) a=fd91::1 b=fd91::2 ;;
	esac
	if [ "$2" = udp ]; then
		a1=$a,17011 b1=$b,17012
	else
		a1=$a b1=$b
	fi
	is "IPv$1 $2: first pseudowire" wire l2tp91 "$1" "$2" "$a1" "$b1" 91 92 0123456789abcdef
	is "IPv$1 $2: second pseudowire" wire l2tp92 "$1" "$2" "$b1" "$a1" 92 91 0123456789abcdef
	isnt "IPv$1 $2: a session id twice" "$dir/ifconfig" l2tp92 session 91 5
	isnt "IPv$1 $2: unload while busy" unload
	ifconfig l2tp91 inet 10.91.0.1/24
	# An answer is nobody's to give: who-has goes out, and must come out.
	ping -c 3 10.91.0.2 >/dev/null 2>&1
	is "IPv$1 $2: frames come out of the other end" received l2tp92 1
	for w in $wires; do
		is "IPv$1 $2: destroy $w" "$dir/ifconfig" "$w" destroy
	done
}

is "load" load
isnt "load twice" load
ifconfig lo0 alias 127.0.91.1/32
ifconfig lo0 alias 127.0.91.2/32
ifconfig lo0 inet6 fd91::1/128 alias
ifconfig lo0 inet6 fd91::2/128 alias
for family in 4 6; do
	for encap in ip udp; do
		cross $family $encap
	done
done
is "unload when idle" unload
is "load again" load
is "unload again" unload
ifconfig lo0 inet 127.0.91.1 -alias
ifconfig lo0 inet 127.0.91.2 -alias
ifconfig lo0 inet6 fd91::1 -alias
ifconfig lo0 inet6 fd91::2 -alias
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
