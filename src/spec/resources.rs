//! Limits of control groups, `linux.resources`, as docker and podman write them (measured in config.json: docker 20.10.24, podman
//! 4.3.1). Not there are the words of docker's that limit nothing: `disableOOMKiller: false`, `shares: 0`, `weight: 0`.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::preset::Facts;
use crate::{
    host::{Controller, Machine},
    scenario::{model::Container, resources::Resources},
};

/// Microseconds of docker's and podman's period: moby, daemon/daemon_unix.go; podman, specgenutil.
const PERIOD: u64 = 100_000;

/// Adds the container's limits.
pub(super) fn add(resources: &mut LinuxResources, container: &Container, facts: &Facts, machine: &Machine) {
    let Resources { pids, memory, memory_swap, nano_cpus } = container.resources;
    // What the preset gives to whoever asks for nothing cannot be given where the kernel has no such controller; what an author asks
    // for is another matter, a requirement.
    let default = facts.pids_limit.filter(|_| machine.cgroups.controllers().home(Controller::Pids).is_some());
    match (pids, default) {
        (Some(u64::MAX), None) | (None, None) => {}
        // podman's word for none.
        (Some(u64::MAX), Some(_)) => drop(resources.set_pids(Some(limit(0)))),
        (Some(asked), _) | (None, Some(asked)) => drop(resources.set_pids(Some(limit(asked)))),
    }
    if let Some(bytes) = memory {
        let mut memory = LinuxMemory::default();
        memory.set_limit(Some(signed(bytes)));
        // Twice the memory where nobody says otherwise (moby, adaptContainerSettings; podman does the same), and nothing where the
        // kernel does not count swap.
        let swap = memory_swap.unwrap_or(bytes.saturating_mul(2));
        if machine.cgroups.controllers().swap && swap != u64::MAX {
            memory.set_swap(Some(signed(swap)));
        }
        resources.set_memory(Some(memory));
    }
    if let Some(billionths) = nano_cpus {
        let mut cpu = LinuxCpu::default();
        cpu.set_quota(Some(signed(billionths / 1000 * PERIOD / 1_000_000))).set_period(Some(PERIOD));
        resources.set_cpu(Some(cpu));
    }
}

fn limit(count: u64) -> LinuxPids {
    let mut pids = LinuxPids::default();
    pids.set_limit(signed(count));
    pids
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
