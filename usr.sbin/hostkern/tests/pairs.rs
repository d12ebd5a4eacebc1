// SPDX-License-Identifier: BSD-2-Clause
//! Inline pairs of a hostkern(8) that ends in order, does not start, or is killed, each in a
//! network namespace of its own.
//!
//! Where that is impossible a test says `skipped: NAME: why`.

#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What each script begins with: two ends of a cable, furnished; and how hostkern is run.
const PROLOGUE: &str = r#"
set -eu
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || :' EXIT
fail() { echo "FAIL: $*"; exit 1; }
wait_for() { n=0; while ! eval "$1"; do n=$((n + 1)); [ $n -lt 200 ] || fail "$1"; sleep 0.05; done; }
have() {
	# What an interface has, without the seconds that pass.
	{ ip -o addr show; ip route show table all | sort; ip -6 route show table all | sort
	  ip -o link show eth1 | grep -o 'mtu [0-9]*\|,UP'; tc qdisc show dev eth1; } |
	    sed 's/[0-9]*sec/Nsec/g'
}
ip link set lo up
ip link add eth1 type veth peer name far1
ip link set far1 up
ip link set eth1 mtu 1450 up
ip addr add 192.0.2.1/24 dev eth1 label eth1:a
ip addr add 192.0.2.7/24 dev eth1 valid_lft 4000 preferred_lft 3000
ip -6 addr add 2001:db8::1/64 dev eth1
ip route add default via 192.0.2.254 dev eth1 metric 5
ip route add 10.0.0.0/8 via 192.0.2.253 dev eth1 table 9 mtu 1400
ip -6 route add default via 2001:db8::fe dev eth1 metric 5
wait_for '! ip -6 addr | grep -q tentative'
cat >"$DIR/hk.toml" <<TOML
socket = "$DIR/ctl.sock"
state = "$DIR/state"
pairs = ["wan0 eth1"]
TOML
have >"$DIR/before"
start() { "$HOSTKERN" -f "$DIR/hk.toml" 2>"$DIR/log" & pid=$!; wait_for 'grep -q "up; control" "$DIR/log"'; }
same() { have >"$DIR/after"; diff "$DIR/before" "$DIR/after" || fail "$1"; }
on_tap() {
	ip -o addr show dev wan0 | grep -q 192.0.2.7/24 || fail "no address on wan0"
	ip route show default | grep -q 'dev wan0' || fail "no route on wan0"
	if ip -o addr show dev eth1 | grep inet; then fail "eth1 has addresses"; fi
}
"#;

fn refusal() -> Option<String> {
    let tried = Command::new("unshare")
        .args([
            "-n",
            "sh",
            "-c",
            "ip link add name x0 type veth && test -w /dev/net/tun",
        ])
        .output();
    match tried {
        Ok(out) if out.status.success() => None,
        Ok(out) => Some(format!(
            "network namespaces, veth, tun: {}",
            String::from_utf8_lossy(&out.stderr).trim()
        )),
        Err(e) => Some(format!("unshare(1): {e}")),
    }
}

fn run(dir: &PathBuf, script: &str) -> Output {
    Command::new("unshare")
        .args(["-n", "sh", "-c", &format!("{PROLOGUE}{script}")])
        .env("DIR", dir)
        .env("HOSTKERN", env!("CARGO_BIN_EXE_hostkern"))
        .output()
        .expect("unshare runs")
}

fn test(name: &str, script: &str) {
    if let Some(why) = refusal() {
        println!("skipped: {name}: {why}");
        return;
    }
    let dir = std::env::temp_dir().join(format!("hostkern-{name}-{}", std::process::id()));
    fs::create_dir(&dir).expect("a directory of our own");
    let out = run(&dir, script);
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    let _ = fs::remove_dir_all(&dir);
    assert!(
        out.status.success(),
        "{}{}hostkern said: {log}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
}

#[test]
fn signals_take_a_pair_down_in_order() {
    test(
        "signals",
        r#"
for sig in TERM INT; do
	start
	on_tap
	kill -"$sig" "$pid"
	wait "$pid" || fail "$sig: exit $?"
	same "$sig"
	[ -z "$(ls "$DIR/state")" ] || fail "state is left"
done
# Away with its line, and here again.
start
sed 's/^pairs.*/pairs = []/' "$DIR/hk.toml" >"$DIR/x"
cp "$DIR/hk.toml" "$DIR/full"; cp "$DIR/x" "$DIR/hk.toml"
kill -HUP "$pid"; wait_for 'grep -q "read again, 0" "$DIR/log"'
same "without its line"
cp "$DIR/full" "$DIR/hk.toml"
kill -HUP "$pid"; wait_for '[ "$(grep -c "read again, 0" "$DIR/log")" = 2 ]'
on_tap
kill -TERM "$pid"; wait "$pid" || fail "exit $?"
same "in the end"
"#,
    );
}

#[test]
fn what_a_killed_process_left_is_repaired() {
    test(
        "killed",
        r#"
# By --restore.
start
on_tap
kill -KILL "$pid"; wait "$pid" || :
ip route show default | grep -q . && fail "the route is still there"
"$HOSTKERN" --restore -f "$DIR/hk.toml" 2>"$DIR/log" || fail "restore"
grep -q "eth1: has back what wan0 had taken over" "$DIR/log" || fail "not said"
same "restored"
[ -z "$(ls "$DIR/state")" ] || fail "state is left"
"$HOSTKERN" --restore -f "$DIR/hk.toml" || fail "nothing to restore is fine"
# By the next start; what came meanwhile counts.
start
ip addr add 198.51.100.3/24 dev wan0
ip route add 198.51.101.0/24 via 198.51.100.9 dev wan0
wait_for 'grep -q 3362650 "$DIR"/state/* || grep -q c6336403 "$DIR"/state/*'
"$HOSTKERN" --restore -f "$DIR/hk.toml" || fail "a living one is left alone"
on_tap
kill -KILL "$pid"; wait "$pid" || :
start
on_tap
ip -o addr show dev wan0 | grep -q 198.51.100.3/24 || fail "the new address"
ip route show 198.51.101.0/24 | grep -q 'dev wan0' || fail "the new route"
# A route outlives the way to its gateway.
ip addr del 198.51.100.3/24 dev wan0
kill -TERM "$pid"; wait "$pid" || fail "exit $?"
ip route show 198.51.101.0/24 | grep -q 'via 198.51.100.9 dev eth1' || fail "it is lost"
ip route del 198.51.101.0/24
same "in the end"
"#,
    );
}

#[test]
fn a_pair_that_cannot_be_leaves_all_as_it_was() {
    test(
        "cannot",
        r#"
try() {
	sed "s/^pairs.*/pairs = [\"$1\"]/" "$DIR/hk.toml" >"$DIR/x.toml"
	"$HOSTKERN" -f "$DIR/x.toml" 2>"$DIR/log" & pid=$!
	wait_for 'grep -q "up; control" "$DIR/log"'
	grep -q "$2" "$DIR/log" || fail "$1: not said: $2"
	kill -TERM "$pid"; wait "$pid" || fail "exit $?"
	same "$1"
}
try "wan0 nosuch0" "nosuch0: the system has no such interface"
try "wan0 lo" "lo: not an Ethernet interface"
try "far1 eth1" "far1: the system has an interface of this name already"
ip link add br0 type bridge
ip link set far1 master br0
have >"$DIR/before"
try "wan0 far1" "far1: belongs to br0"
ip link set far1 nomaster
ip link add link eth1 name mv0 type macvlan mode bridge
have >"$DIR/before"
try "wan0 eth1" "eth1: mv0 stands upon it"
ip link del mv0
have >"$DIR/before"
# Its place in the filters is taken: all but that has been done by then.
tc qdisc add dev eth1 clsact
tc filter add dev eth1 ingress pref 1 bpf da bytecode '1,6 0 0 0'
have >"$DIR/before"
try "wan0 eth1" "cannot keep the system from its frames"
tc qdisc del dev eth1 clsact
have >"$DIR/before"
# A file where the directory of states should be: half of it is done by then.
echo x >"$DIR/file"
sed "s|^state.*|state = \"$DIR/file\"|" "$DIR/hk.toml" >"$DIR/y.toml"
"$HOSTKERN" -f "$DIR/y.toml" 2>"$DIR/log" & pid=$!
wait_for 'grep -q "up; control" "$DIR/log"'
grep -q "error: pair wan0 eth1: $DIR/file: " "$DIR/log" || fail "state: not said"
same "no state"
kill -TERM "$pid"; wait "$pid" || fail "exit $?"
same "no state, in the end"
"#,
    );
}
