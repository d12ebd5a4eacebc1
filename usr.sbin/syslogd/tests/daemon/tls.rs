// SPDX-License-Identifier: BSD-2-Clause
//! TLS (RFC 5425), with certificates made by openssl(1).

use crate::rig::Rig;
use crate::rig::free_port;
use crate::rig::wait_for;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

fn openssl(dir: &Path, arguments: &str) -> Option<String> {
    let out = Command::new("openssl")
        .current_dir(dir)
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// An authority, a server's certificate by it, a client's, and a stranger's.
fn certificates(dir: &Path) -> Option<()> {
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        dir,
        &format!("{new} -x509 -keyout ca.key -out ca.pem -days 2 -subj /CN=ca"),
    )?;
    std::fs::write(
        dir.join("ext"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )
    .ok()?;
    for name in ["server", "client"] {
        openssl(
            dir,
            &format!("{new} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        )?;
        openssl(
            dir,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out \
                 {name}.pem -days 2 -extfile ext"
            ),
        )?;
    }
    openssl(
        dir,
        &format!("{new} -x509 -keyout other.key -out other.pem -days 2 -subj /CN=o"),
    )?;
    Some(())
}

fn server(extra: &str) -> Option<(Rig, u16)> {
    let dir = tempfile::tempdir().expect("a folder");
    if certificates(dir.path()).is_none() {
        eprintln!("skipped: TLS: openssl is not installed");
        return None;
    }
    let port = free_port();
    let udp = format!("127.0.0.1:{}", free_port());
    let conf = format!(
        "tls_server=on\ntls_bindhost=\"127.0.0.1\"\ntls_bindport=\"{port}\"\n\
         tls_key=\"DIR/server.key\"\ntls_cert=\"DIR/server.pem\"\ntls_ca=\"DIR/ca.pem\"\n{extra}\
         *.* ring:all:1M\n"
    );
    Some((Rig::at(dir, &conf, &["-b", &udp]), port))
}

/// Sends by openssl's client, with the certificate of that name; whether TLS let it.
fn send(rig: &Rig, port: u16, name: &str, text: &str) {
    let mut client = Command::new("openssl")
        .current_dir(rig.dir.path())
        .args(["s_client", "-quiet", "-no_ign_eof", "-CAfile", "ca.pem"])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args([
            "-cert",
            &format!("{name}.pem"),
            "-key",
            &format!("{name}.key"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    let mut input = client.stdin.take().expect("a pipe");
    // One that is refused may be gone by now.
    let _ = write!(input, "{} {text}", text.len());
    let _ = input.flush();
    std::thread::sleep(std::time::Duration::from_millis(500));
    drop(input);
    let _ = client.kill();
    let _ = client.wait();
}

#[test]
fn clients_with_the_right_certificate() {
    let Some((rig, port)) = server("") else {
        return;
    };
    send(&rig, port, "client", "<13>1 - h a - - - by tls");
    wait_for("it", || !rig.texts("all", "by tls").is_empty());
    send(&rig, port, "other", "<13>1 - h a - - - by a stranger");
    wait_for("the refusal", || {
        rig.stats()["inputs"]["connections_broken"].as_u64() > Some(0)
    });
    assert!(rig.texts("all", "by a stranger").is_empty());
}

#[test]
fn from_one_syslogd_to_another() {
    let Some((to, port)) = server("") else {
        return;
    };
    let conf = |name: &str| {
        let at = |file: &str| to.path(file).to_str().expect("a name").to_owned();
        format!(
            "tls_key=\"{}\"\ntls_cert=\"{}\"\ntls_ca=\"{}\"\n*.* @[127.0.0.1]:{port}\n\
             *.* ring:all:1M\n",
            at(&format!("{name}.key")),
            at(&format!("{name}.pem")),
            at("ca.pem")
        )
    };
    let from = Rig::new(&conf("client"));
    let log = from.log();
    for n in 0..2000 {
        log.send(format!("<13>app: between {n}").as_bytes())
            .expect("sent");
    }
    wait_for("all of them", || to.texts("all", "between").len() == 2000);
    assert_eq!(to.read("all")[0].host, "router");
    // A stranger gets nothing through, and keeps what it has.
    let stranger = Rig::new(&conf("other"));
    stranger.log().send(b"<13>app: strange").expect("sent");
    wait_for("a failure", || {
        stranger.stats()["outputs"][0]["failures"].as_u64() > Some(0)
    });
    assert!(to.texts("all", "strange").is_empty());
}
