//! The static helper, built by a cargo of its own: it is linked statically and without the parent's features, which
//! one build cannot do for two crates.

use std::{env, fs, path::Path, process::Command};

/// Builds init/ and leaves the binary as `OUT_DIR/caplab-init`.
pub(crate) fn build(root: &Path, out: &Path) {
    let init = root.join("init");
    println!("cargo::rerun-if-changed={}", init.join("src").display());
    println!("cargo::rerun-if-changed={}", init.join("Cargo.toml").display());
    println!("cargo::rerun-if-changed=build");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    assert!(target.contains("linux"), "caplab runs containers of Linux; {target} has none");
    let folder = out.join("helper");
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo.args(["build", "--profile", "helper", "--bin", "caplab-init", "--features", "helper", "--target", &target]);
    // Without a lock file (a published package has none for a member) the outer resolution is what there is.
    if root.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    cargo.arg("--manifest-path").arg(init.join("Cargo.toml")).arg("--target-dir").arg(&folder);
    // What the outer cargo set for its own compiler calls (clippy's wrapper, coverage flags) is not for this one.
    for variable in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(variable);
    }
    // Its own entry point (init/src/runtime.rs), at a fixed address: nothing is left to be done before it runs. It ends on a
    // panic, and needs no tables to unwind by: every run copies the whole of it into a memfd.
    let flags = "-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no \
                 -C link-arg=-nostartfiles -C link-arg=-nostdlib";
    cargo.env("RUSTFLAGS", flags);
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "the helper in init/ does not build: see above");
    let built = folder.join(&target).join("helper").join("caplab-init");
    fs::copy(&built, out.join("caplab-init")).expect("the helper's binary can be copied");
}
