//! The ids of an ordinary user's lab host, written from outside.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

use caplab_init::wire::IdMap;

use crate::host::{LabHost, lab::LabRoot};

/// Writes the maps of a process that waits for them.
///
/// # Errors
/// What the program that writes them said, or the kernel.
pub(super) fn write(lab: &LabHost, pid: i32) -> Result<(), String> {
    match &lab.root {
        LabRoot::Mapped(tools) => {
            // Both at the same time: each takes a millisecond, most of which is its start.
            let started = [(&tools.uids, &lab.uids), (&tools.gids, &lab.gids)]
                .map(|(tool, map)| begin(tool, pid, map).map_err(|error| format!("{}: {error}", tool.display())));
            started.into_iter().map(|child| child.and_then(end)).fold(Ok(()), Result::and)
        }
        LabRoot::Apart => write_files(pid, &[("gid_map", line(&lab.gids)), ("uid_map", line(&lab.uids))]),
        LabRoot::Single(_) | LabRoot::Own => write_files(
            pid,
            &[("setgroups", "deny".to_owned()), ("uid_map", line(&lab.uids)), ("gid_map", line(&lab.gids))],
        ),
    }
}

fn write_files(pid: i32, files: &[(&str, String)]) -> Result<(), String> {
    files.iter().try_for_each(|(file, text)| {
        let path = format!("/proc/{pid}/{file}");
        fs::write(&path, text).map_err(|error| format!("{path}: {error}"))
    })
}

fn line(map: &[IdMap]) -> String {
    map.iter().map(|line| format!("{} {} {}\n", line.inside, line.outside, line.count)).collect()
}

fn begin(tool: &Path, pid: i32, map: &[IdMap]) -> std::io::Result<Child> {
    let numbers = map.iter().flat_map(|line| [line.inside, line.outside, line.count]).map(|number| number.to_string());
    let mut command = Command::new(tool);
    command.arg(pid.to_string()).args(numbers);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

fn end(mut child: Child) -> Result<(), String> {
    let mut words = String::new();
    if let Some(stream) = child.stderr.as_mut() {
        // What cannot be read is not told.
        stream.read_to_string(&mut words).ok();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} ({status})", words.trim())) }
}
