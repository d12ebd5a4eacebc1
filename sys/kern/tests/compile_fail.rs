// SPDX-License-Identifier: BSD-2-Clause
//! Misuse that the types refuse does not compile, for the reason and at the line that its file
//! names with `//~ CODE`, or with `//~ CODE|CODE` where the compiler may choose between them; and
//! what is right beside it compiles.
//!
//! Error codes and lines are compared, not the compiler's words: these change with each release.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Error codes by line.
type Errors = BTreeMap<u64, BTreeSet<String>>;

/// The cases of a folder under `tests`, by name.
fn cases(folder: &str) -> BTreeMap<String, PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let files = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let name = |p: &PathBuf| p.file_stem().unwrap().to_str().unwrap().to_owned();
    files.map(|p| (name(&p), p)).collect()
}

/// What the markers of a case announce.
fn announced(file: &Path) -> Errors {
    let text = fs::read_to_string(file).unwrap();
    let marked = text.lines().zip(1..).filter_map(|(line, n)| {
        let (_, marker) = line.split_once("//~")?;
        // A caret: the line before.
        let (n, code) = match marker.strip_prefix('^') {
            Some(code) => (n - 1, code),
            None => (n, marker),
        };
        Some((n, code.trim().split('|').map(str::to_owned).collect()))
    });
    marked.collect()
}

/// A package whose binaries are the cases, outside of the workspace.
fn package(cases: &BTreeMap<String, PathBuf>) -> PathBuf {
    let kern = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    fs::create_dir_all(&dir).unwrap();
    let mut manifest = format!(
        "[package]\nname = \"cases\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\n\
         [workspace]\n\n[dependencies]\nkern = {{ path = {:?} }}\nkabi = {{ path = {:?} }}\n",
        kern,
        kern.join("../abi"),
    );
    for (name, path) in cases {
        write!(manifest, "\n[[bin]]\nname = {name:?}\npath = {path:?}\n").unwrap();
    }
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    // The same versions as the workspace has, which are on the machine.
    fs::copy(kern.join("../../Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    dir
}

/// Compiles all cases and gives the errors of each that has any.
fn compile(cases: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Errors> {
    let dir = package(cases);
    let out = Command::new(env!("CARGO"))
        .args([
            "check",
            "--quiet",
            "--offline",
            "--keep-going",
            "--message-format=json",
        ])
        .current_dir(&dir)
        .env("CARGO_TARGET_DIR", dir.join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    let mut found: BTreeMap<String, Errors> = BTreeMap::new();
    let mut compiled = 0;
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        compiled += usize::from(json["reason"] == "compiler-artifact");
        let message = &json["message"];
        if json["reason"] != "compiler-message" || message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().unwrap();
        // The sum at the end has no place.
        let Some(place) = spans.iter().find(|s| s["is_primary"] == true) else {
            continue;
        };
        let target = json["target"]["name"].as_str().unwrap().to_owned();
        let code = message["code"]["code"]
            .as_str()
            .unwrap_or("ERROR")
            .to_owned();
        let line = place["line_start"].as_u64().unwrap();
        let errors = found.entry(target).or_default();
        errors.entry(line).or_default().insert(code);
    }
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(compiled > 0, "nothing was compiled at all:\n{stderr}");
    found
}

#[test]
fn misuse_is_refused_and_use_is_not() {
    let (wrong, right) = (cases("compile_fail"), cases("compile_pass"));
    assert!(wrong.len() >= 36 && right.len() >= 5, "cases are missing");
    let all = wrong.clone().into_iter().chain(right).collect();
    let found = compile(&all);
    let mut report = String::new();
    for (name, path) in &all {
        let expected = announced(path);
        assert_eq!(
            expected.is_empty(),
            !wrong.contains_key(name),
            "{name}: markers"
        );
        let got = found.get(name).cloned().unwrap_or_default();
        let lines_agree = got.keys().eq(expected.keys());
        let codes_agree = || {
            got.iter()
                .all(|(line, codes)| codes.is_subset(&expected[line]))
        };
        if !lines_agree || !codes_agree() {
            writeln!(report, "{name}: expected {expected:?}, got {got:?}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}
