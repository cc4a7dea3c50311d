//! Compiles every `src/bpf/NAME.bpf.c` and writes its skeleton to `$OUT_DIR/NAME.skel.rs`.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let arch = env::var("CARGO_CFG_TARGET_ARCH")?;
    let headers = root.join("vmlinux").join(&arch);
    let sources = root.join("src/bpf");
    println!("cargo:rerun-if-changed={}", sources.display());
    println!("cargo:rerun-if-changed={}", headers.display());
    if !headers.join("vmlinux.h").exists() {
        return Err(format!("no kernel types for {arch}: vmlinux/README.md says how to make vmlinux/{arch}/vmlinux.h").into());
    }
    if Command::new("clang").arg("--version").output().is_err() {
        return Err("clang, which compiles the programs for the kernel, is missing: script/bootstrap installs what a build needs".into());
    }
    for entry in fs::read_dir(&sources)? {
        let source = entry?.path();
        let Some(name) = source.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".bpf.c")) else { continue };
        let skeleton = out.join(format!("{name}.skel.rs"));
        SkeletonBuilder::new()
            .source(&source)
            .clang_args(clang_args(&headers))
            .build_and_generate(&skeleton)
            .map_err(|e| format!("{}: {e:?}", source.display()))?;
    }
    Ok(())
}

/// `-mcpu=v3` is the newest instruction set that 5.10 knows.
fn clang_args(headers: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-Wall", "-Werror", "-mcpu=v3", "-I"].map(OsString::from).into();
    args.push(headers.into());
    args
}
