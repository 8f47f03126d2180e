//! The disk of a fixture host in a job: its numbers, which the kernel gives when it is attached.

use caplab_init::wire::{DISK_NUMBERS, Device, Probe};
use oci_spec::runtime::Spec;

use crate::engine::{Job, Program, StepJobKind};

/// The job with these numbers wherever spec/ has [`DISK_NUMBERS`].
pub(super) fn numbered(job: &Job, numbers: (u32, u32)) -> Job {
    let mut job = job.clone();
    for container in &mut job.containers {
        in_spec(&mut container.spec, numbers);
    }
    for step in &mut job.steps {
        if let StepJobKind::Exec {
            program: Program::Probe(Probe::OpenDevice { device: Device::Disk { major, minor } }),
            ..
        } = &mut step.kind
        {
            (*major, *minor) = numbers;
        }
    }
    job
}

fn in_spec(spec: &mut Spec, (major, minor): (u32, u32)) {
    let is_it = |one: i64, other: i64| (one, other) == (i64::from(DISK_NUMBERS.0), i64::from(DISK_NUMBERS.1));
    let Some(linux) = spec.linux_mut() else { return };
    for device in linux.devices_mut().iter_mut().flatten() {
        if is_it(device.major(), device.minor()) {
            device.set_major(i64::from(major)).set_minor(i64::from(minor));
        }
    }
    let list = linux.resources_mut().as_mut().and_then(|resources| resources.devices_mut().as_mut());
    for line in list.into_iter().flatten() {
        if let (Some(one), Some(other)) = (line.major(), line.minor())
            && is_it(one, other)
        {
            line.set_major(Some(i64::from(major))).set_minor(Some(i64::from(minor)));
        }
    }
}
