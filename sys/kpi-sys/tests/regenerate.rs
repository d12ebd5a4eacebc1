// SPDX-License-Identifier: BSD-2-Clause
//! The committed bindings are what bindgen makes of `sys/kpi/kpi.h` today.

use std::env;
use std::fs;
use std::path::Path;

fn generate(header: &Path) -> String {
    bindgen::Builder::default()
        .header(header.to_str().expect("a path in UTF-8"))
        .use_core()
        .allowlist_item("(kpi|KPI)_.*")
        .layout_tests(true)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .enable_function_attribute_detection()
        .default_macro_constant_type(bindgen::MacroTypeVariation::Unsigned)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .rust_target(bindgen::RustTarget::stable(85, 0).expect("a Rust version bindgen knows"))
        .formatter(bindgen::Formatter::Prettyplease)
        .generate()
        .expect("kpi.h parses")
        .to_string()
}

#[test]
fn committed_bindings_match_the_header() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = generate(&here.join("../kpi/kpi.h"));
    let file = here.join("src/kpi.rs");
    if env::var_os("KPI_REGENERATE").is_some() {
        fs::write(&file, &made).expect("src/kpi.rs is writable");
    }
    let body = |s: &str| s.lines().skip(1).collect::<Vec<_>>().join("\n");
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        body(&made) == body(&committed),
        "kpi.h and src/kpi.rs differ: run KPI_REGENERATE=1 cargo test -p kpi-sys"
    );
}
