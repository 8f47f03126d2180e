//! A folder of scenarios, and what caplab says of it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A folder with these scenarios, in which caplab is called.
pub(crate) struct Lab(TempDir);

pub(crate) const PASSING: &str = "title: It passes\ncontainer: {preset: docker}\nsteps:\n  - probe: mount\n    expect: {denied: EPERM}\n    because: {capability: SYS_ADMIN}\n";

impl Lab {
    pub(crate) fn new(scenarios: &[(&str, &str)]) -> Self {
        let lab = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in scenarios {
            lab.write(name, text);
        }
        lab
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join("scenarios").join(format!("{name}.yaml"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_caplab"))
            .args(arguments)
            .current_dir(self.path())
            .env("CI", "true")
            .env_remove("CAPLAB_MUST_RUN")
            .output()
            .expect("caplab starts")
    }

    /// Standard output, after the exit status was found to be this.
    pub(crate) fn says(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "caplab {arguments:?}\n{out}\n{err}");
        format!("{out}{err}")
    }
}
