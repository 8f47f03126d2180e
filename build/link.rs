//! How the binary is linked: for a short start. caplab is started for a case of two milliseconds.

use std::{env, fs, path::Path, process::Command};

/// Tells cargo.
pub(crate) fn tell(out: &Path) {
    // A fixed address: a position-independent program of this size spends a quarter of a millisecond at each start on
    // relocating itself.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    let archives: Option<Vec<_>> = LIBRARIES.iter().map(|name| Some((*name, archive(name)?))).collect();
    let Some(archives) = archives else { return };
    // No loader: it would spend half a millisecond on finding and binding two libraries. rustc asks for shared ones by name, and the
    // linker takes what it finds first; one shared library among them would make the program one that needs a loader after all.
    // libgcc_eh is libgcc_s as an archive.
    let folder = out.join("link");
    fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    let find = |name: &str, what: &str| {
        fs::write(folder.join(format!("lib{name}.a")), format!("INPUT({what})\n")).expect("OUT_DIR can be written");
    };
    find("gcc_s", "-lgcc_eh");
    for (name, path) in &archives {
        find(name, path);
    }
    println!("cargo::rustc-link-arg-bins=-L{}", folder.display());
    println!("cargo::rustc-link-arg-bins=-static");
}

/// What rustc asks for of the C library.
const LIBRARIES: [&str; 6] = ["c", "m", "util", "rt", "pthread", "dl"];

/// Where the C library, or a part of it, is as an archive: Debian's and Ubuntu's libc6-dev have them, others have a package of its own.
fn archive(name: &str) -> Option<String> {
    let gnu = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    let native = env::var("HOST").ok() == env::var("TARGET").ok();
    let asked = format!("-print-file-name=lib{name}.a");
    let found = Command::new("cc").arg(asked).output().ok().filter(|_| gnu && native)?;
    let path = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    // What is not found is printed as it was asked for.
    path.starts_with('/').then_some(path)
}
