//! The committed header is what cbindgen generates from `src/ffi` today.

use std::collections::BTreeMap;
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
        "ship/types",
        "ship/options",
        "version",
        "error",
        "writer/options",
        "writer/open",
        "writer/append",
        "writer/appender",
        "writer/area",
        "writer/control",
        "reader",
        "plan",
        "filter",
        "cursor",
        "described",
        "metadata",
        "packed",
        "table",
        "loss",
        "repair",
        "ship/shipper",
        "ship/writer",
        "../store/table/mod",
    ];
    let builder = files.iter().fold(cbindgen::Builder::new().with_config(config), |builder, file| {
        builder.with_src(root.join(format!("src/ffi/{file}.rs")))
    });
    let bindings = builder.generate().expect("src/ffi is understood");
    let mut generated = vec![];
    bindings.write(&mut generated);
    let generated = tidy(&without_rust_notes(&String::from_utf8(generated).expect("a header is text")));
    let template = std::fs::read_to_string(root.join("include/binlog.h.in")).expect("the template is there");
    let generated = in_sections(&template, items(&generated));
    let path = root.join("include/binlog.h");
    if std::env::var_os("BINLOG_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/ is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "include/binlog.h is out of date: run `make header`");
}

/// The output of cbindgen: each declaration with the comment in front of it, by its name.
fn items(header: &str) -> BTreeMap<String, String> {
    let mut items = BTreeMap::new();
    let (mut item, mut depth, mut in_comment) = (String::new(), 0i32, false);
    for line in header.lines() {
        if item.is_empty() && (line.is_empty() || (line.starts_with("/*") && !line.starts_with("/**"))) {
            continue;
        }
        item.push_str(line);
        item.push('\n');
        let code = !in_comment && !line.trim_start().starts_with("/*");
        in_comment = (in_comment || line.trim_start().starts_with("/*")) && !line.ends_with("*/");
        if !code {
            continue;
        }
        depth += line.matches(['{', '(']).count() as i32 - line.matches(['}', ')']).count() as i32;
        if depth == 0 && (line.ends_with(';') || line.starts_with("#define")) {
            let item = std::mem::take(&mut item);
            assert!(items.insert(name_of(&item), item).is_none(), "an item occurs twice");
        }
    }
    assert!(item.trim().is_empty() || item.starts_with("/*"), "an item has no end: {item}");
    items
}

/// The name that a declaration declares.
fn name_of(item: &str) -> String {
    let code = item.split("*/").last().filter(|_| !item.contains("typedef struct")).unwrap_or_default();
    let words = |text: &str| -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.split(|c| !is_part(c))
            .filter(|word| word.to_lowercase().starts_with("binlog_"))
            .map(String::from)
            .collect()
    };
    let found = match item {
        // The name after the closing brace, or of an opaque struct.
        _ if item.contains("typedef struct") => {
            words(item.trim_end().rsplit(['}', '\n']).next().unwrap_or_default()).pop()
        }
        // `typedef R (*name)(...)`, `#define name`, `R name(...)`.
        _ if code.contains("(*") => words(code.split("(*").nth(1).unwrap_or_default()).into_iter().next(),
        _ if code.contains("#define") => words(code).into_iter().next(),
        _ => words(code.split('(').next().unwrap_or_default()).pop(),
    };
    found.unwrap_or_else(|| panic!("this has no name: {item}"))
}

/// The template with the items in their places, each once.
fn in_sections(template: &str, mut items: BTreeMap<String, String>) -> String {
    let number = |part: &str| -> u32 { part.parse().expect("parts of a version are numbers") };
    let version: Vec<u32> = env!("CARGO_PKG_VERSION").split('.').map(number).collect();
    let packed = format!("{:#08x}", version[0] << 16 | version[1] << 8 | version[2]);
    let mut out = String::new();
    for line in template.lines() {
        let Some(place) = line.strip_prefix('@') else {
            let line = line.replace("@VERSION", env!("CARGO_PKG_VERSION")).replace("@NUMBER", &packed);
            out.push_str(&line);
            out.push('\n');
            continue;
        };
        let (name, notes) = place.split_once(' ').unwrap_or((place, ""));
        let item = items.remove(name).unwrap_or_else(|| panic!("binlog.h.in has {name}, and src/ffi has not"));
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
        out.push_str(&with_attributes(&item, name, notes));
    }
    let left: Vec<_> = items.keys().collect();
    assert!(left.is_empty(), "these have no place in binlog.h.in: {left:?}");
    out
}

/// A function with what compilers can check about its calls: `notes` states that its status may be ignored, or lists
/// the numbers of the arguments that must not be NULL.
fn with_attributes(item: &str, name: &str, notes: &str) -> String {
    let call = format!("binlog_status {name}(");
    let Some((before, arguments)) = item.split_once(&call) else {
        assert!(notes.is_empty(), "{name} is no function that returns a status");
        return item.to_owned();
    };
    assert!(before.contains("BINLOG_OK"), "the comment of {name} does not say which statuses it returns");
    let numbers = notes.split_once("nonnull(").map_or("", |(_, numbers)| numbers.trim_end_matches(')'));
    let nonnull: Vec<usize> = numbers.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    let mut arguments: Vec<String> = arguments.split(',').map(String::from).collect();
    for number in &nonnull {
        let argument = &mut arguments[number - 1];
        let star = argument.rfind('*').unwrap_or_else(|| panic!("argument {number} of {name} is no pointer")) + 1;
        argument.insert_str(star, "BINLOG_NONNULL ");
    }
    let checked = if notes.contains("unchecked") { "" } else { "BINLOG_CHECKED\n" };
    let longest = arguments.join(",").lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 140, "the arguments of {name} have to be on lines of their own");
    format!("{before}{checked}{call}{}", arguments.join(","))
}

/// The `# Safety` chapters are for Rust callers; C callers take them for granted.
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
