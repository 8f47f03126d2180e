//! For tests of what takes root.

/// Whether this is root; where not, the test says so and is over.
pub(crate) fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("not run: needs root");
    }
    root
}
