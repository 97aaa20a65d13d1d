//! Finds the shared library that the benchmark measures and links it as a C program would.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The name under which the loader looks for the library when the program starts.
const SONAME: &str = "libbinlog.so.0";

fn main() {
    println!("cargo:rerun-if-env-changed=BINLOG_LIB_DIR");
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release");
    let folder = env::var_os("BINLOG_LIB_DIR").map_or_else(beside, PathBuf::from);
    let library = folder.join("libbinlog.so");
    println!("cargo:rerun-if-changed={}", library.display());
    let Ok(library) = library.canonicalize() else {
        eprintln!("{} is missing: run `cargo build --release` in the project's root,", library.display());
        eprintln!("or name the library's folder in BINLOG_LIB_DIR.");
        std::process::exit(1);
    };

    // The command is built with the library, into the same folder.
    println!("cargo:rustc-env=BENCH_BINLOG={}", library.with_file_name("binlog").display());

    // The library's build creates only one name; a link with the loader's name is added here.
    let links = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for name in [SONAME, "libbinlog.so"] {
        let link = links.join(name);
        let _ = fs::remove_file(&link);
        symlink(&library, &link).expect("a link in our own output folder");
    }
    compile_c(&links);
    println!("cargo:rustc-link-search=native={}", links.display());
    println!("cargo:rustc-link-lib=dylib=binlog");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", links.display());
}

/// The program in C that those of the other languages are compared with, compiled as a user of the library would do it.
fn compile_c(links: &Path) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, include) = (manifest.join("languages/bench.c"), manifest.join("../include"));
    println!("cargo:rerun-if-changed={}", source.display());
    println!("cargo:rerun-if-changed={}", include.join("binlog.h").display());
    println!("cargo:rerun-if-env-changed=CC");
    let program = links.join("bench-c");
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]);
    compiler.arg("-I").arg(include).arg("-o").arg(&program).arg(source);
    compiler.arg("-L").arg(links).arg("-lbinlog").arg(format!("-Wl,-rpath,{}", links.display()));
    match compiler.status() {
        Ok(status) if status.success() => println!("cargo:rustc-env=BENCH_C={}", program.display()),
        Ok(status) => panic!("{compiler:?}: {status}"),
        Err(error) => panic!("{compiler:?}: {error}"),
    }
}
