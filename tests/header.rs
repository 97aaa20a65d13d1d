//! The committed header is what cbindgen makes of `src/ffi` today.

use std::path::Path;

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    // Only the interface, in reading order: the rest of the crate has constants of its own.
    let files = [
        "types",
        "rolling",
        "hooks",
        "required",
        "compress",
        "archive/types",
        "version",
        "error",
        "writer/options",
        "writer/open",
        "writer/append",
        "writer/control",
        "reader",
        "cursor",
        "metadata",
        "packed",
        "repair",
        "archive/shipper",
        "archive/writer",
        "../store/table/mod",
    ];
    let builder = files.iter().fold(cbindgen::Builder::new().with_config(config), |builder, file| {
        builder.with_src(root.join(format!("src/ffi/{file}.rs")))
    });
    let bindings = builder.generate().expect("src/ffi is understood");
    let mut generated = vec![];
    bindings.write(&mut generated);
    let generated = tidy(&without_rust_notes(&String::from_utf8(generated).expect("a header is text")));
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

/// Comments of one line on one line, and negative numbers in parentheses.
fn tidy(header: &str) -> String {
    let lines: Vec<&str> = header.lines().collect();
    let mut out = String::new();
    let mut i = 0;
    while i < lines.len() {
        let short = lines[i].trim() == "/**" && lines.get(i + 2).is_some_and(|line| line.trim() == "*/");
        if short {
            let indent = &lines[i][..lines[i].len() - lines[i].trim_start().len()];
            let text = lines[i + 1].trim_start().trim_start_matches("* ");
            out.push_str(&format!("{indent}/** {text} */"));
            i += 2;
        } else if let Some((name, number)) = lines[i].rsplit_once(" -").filter(|_| lines[i].starts_with("#define")) {
            out.push_str(&format!("{name} (-{number})"));
        } else if let Some((name, number)) = large_number(lines[i]) {
            out.push_str(&format!("{name} {number:#X}u").replace("0X", "0x"));
        } else {
            out.push_str(lines[i]);
        }
        out.push('\n');
        i += 1;
    }
    out
}

/// Numbers that do not fit into an `int` are unsigned ones, and read better in hexadecimal.
fn large_number(line: &str) -> Option<(&str, u32)> {
    let (name, number) = line.strip_prefix("#define").and_then(|_| line.rsplit_once(' '))?;
    Some((name, number.parse().ok().filter(|&number| number >= 1 << 30)?))
}
