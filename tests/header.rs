//! The committed header is what cbindgen makes of `src/ffi` today.

use std::path::Path;

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let bindings = cbindgen::generate_with_config(root, config).expect("src/ffi is understood");
    let mut generated = vec![];
    bindings.write(&mut generated);
    let generated = without_rust_notes(&String::from_utf8(generated).expect("a header is text"));
    let path = root.join("include/binlog.h");
    if std::env::var_os("BINLOG_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/ is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "include/binlog.h is out of date: run `make header`");
}

/// The `# Safety` chapters tell Rust callers what C callers take for granted.
fn without_rust_notes(header: &str) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in header.lines() {
        match line.trim() {
            "* # Safety" => {
                skipping = true;
                // The empty line before it.
                if out.ends_with(" *\n") {
                    out.truncate(out.len() - " *\n".len());
                }
                continue;
            }
            "*/" => skipping = false,
            _ => (),
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
