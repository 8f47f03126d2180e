//! A scenario that is built from a Dockerfile, and the processes of a build.

use std::fs;

/// Processes with this word in their command line.
pub(crate) fn processes(word: &str) -> usize {
    let lines =
        fs::read_dir("/proc").expect("read").filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|own| own == word.as_bytes())).count()
}

/// A scenario with this Dockerfile and these steps.
pub(crate) fn scenario(dockerfile: &str, steps: &str) -> String {
    let lines: String = dockerfile.lines().map(|line| format!("      {line}\n")).collect();
    format!("title: t\ncontainer:\n  build:\n    context: .\n    dockerfile_inline: |\n{lines}steps:\n{steps}")
}
