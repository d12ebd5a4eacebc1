// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz target of the grammar without a fuzzer: the committed inputs, and a bounded number of
//! mutations of them that are the same each time.

#[path = "../fuzz/src/conf.rs"]
mod target;

use testkit::Replay;

const REPLAY: Replay<'_> = Replay {
    folder: env!("CARGO_MANIFEST_DIR"),
    targets: &[("conf", target::conf, 12_000)],
    prefixes: 3,
    noise: 0x636f_6e66,
    joins: true,
    changes: 4,
};

fn seeds(_: &str) -> Vec<(String, Vec<u8>)> {
    let texts = [
        (
            "bsd",
            "# c\n*.err;kern.*;auth.notice;authpriv.none\t/dev/console\n!-devd\n*.=debug -/d\n!*\n\
             mail,news.!=info;mark.info root, operator\n*.emerg\t*\ninclude /etc/syslog.d\n",
        ),
        (
            "rings",
            "set budget 1m\n*.* ring:a:64k:keep=boot:group=g:mode=0640\nkern.* ring:a\n\
             *.debug :32:debug\nuser.* ring:b:128k:keep=restart\n",
        ),
        (
            "tests",
            "!a,b*\n+h,@\n:msg, !icase_contains, \"De\\\"ny\"\n*.* /a\n!!c\n++h2\n\
             :hostname, ereregex, \"^a(b|c)+[[:digit:]]{2}$\"\n*.* /b \\\n# c\n:*\n\
             :programname, regex, \"^b\\\\(ir\\\\)d6\\\\?$\"\n*.* |exec cat \\# # x\n",
        ),
        (
            "remotes",
            "*.* @h\n*.* @h:1514\n*.* @@(o)h:601(queue=1m,messages=5,spool=\"/s\",spool-size=8k)\n\
             *.* @[h]:6514(subject=\"x y\",verify=off,format=rfc3164)\n*.* @[::1]\n\
             *.* @tls6://[::1]:syslog-tls(cert=/c)\n*.* +-/f ;rotate=1\n",
        ),
        (
            "settings",
            "set throttle 5/10s burst 7\nset own 1/s\nset repeats 30s 2m\nset mark off\n\
             set sources 3\nset queue 64k messages 9\nset spool /s 1m\nset message 1k\n\
             tls_server = on\ntls_bindport=\"13245\"\ntls_key=/k\nsign_sg = 1\nkern.* /a\n\
             remap !p :msg, contains, \"x\" kern.err -> local0.debug\nremap *.* -> .info\n",
        ),
        (
            "wrong",
            "a.b c\n:x\nset x\nremap\n!\u{e9}\n*.* ring:a\n*.* @[::1\n\u{7}\n*.*\n",
        ),
    ];
    let seed = |(name, text): (&str, &str)| (name.to_owned(), text.as_bytes().to_vec());
    texts.map(seed).to_vec()
}

#[test]
fn seeds_are_committed() {
    REPLAY.seeds_are_committed(seeds);
}

#[test]
fn committed_inputs_pass() {
    REPLAY.committed_inputs_pass();
}

#[test]
fn mutations_pass() {
    REPLAY.mutations_pass("conf");
}
