//! Limits of control groups: `pids_limit`, `mem_limit`, `memswap_limit`, `cpus`, and what an inspect step says of them.

use super::{Fields, scalar::number, text};
use crate::{
    observe::{Cpu, Resources as Seen},
    scenario::{
        diagnostic::Fault,
        format::{self, Map, words},
        model::{Container, Preset},
        problems::Problems,
        resources::{Limit, Resources},
        tree::{Node, Value},
    },
    text::nearest,
};

/// The kernel takes fewer than PIDS_MAX, kernel/cgroup/pids.c, on 64 bits.
const MOST_PIDS: u64 = 1 << 22;
/// docker refuses less ("Minimum memory limit allowed is 6MB").
const LEAST_MEMORY: u64 = 6 << 20;
/// Bytes are a signed number in the runtime-spec.
const MOST_MEMORY: u64 = i64::MAX as u64;
/// Billionths of a processor: the kernel wants a quota of a millisecond at least, which is this much of docker's period.
const LEAST_CPUS: u64 = 10_000_000;
/// More processors than Linux has (CONFIG_NR_CPUS).
const MOST_CPUS: u64 = 8192 * 1_000_000_000;

/// The keys of a container.
pub(super) fn resources(fields: &Fields<'_>) -> Resources {
    let memory = fields.read("mem_limit", mem_limit);
    // Beside one that was told to be wrong it is neither alone nor less.
    let known = memory.is_some() || fields.get("mem_limit").is_none();
    Resources {
        pids: fields.read("pids_limit", pids_limit),
        memory,
        memory_swap: fields
            .read("memswap_limit", |node| if known { memswap_limit(node, memory) } else { Err(Fault::told()) }),
        nano_cpus: fields.read("cpus", cpus),
    }
}

fn pids_limit(node: &Node) -> Result<u64, Fault> {
    match text(node)? {
        "-1" => Ok(u64::MAX),
        "0" => Err(Fault::new(node.at, "a pids_limit of 0")
            .help("docker and podman take it for no limit, the kernel for none at all: `-1` is no limit")),
        _ => number(node, "number of processes", 1, MOST_PIDS)
            .map_err(|fault| fault.help(format!("a whole number from 1 to {MOST_PIDS}, or `-1` for no limit"))),
    }
}

fn mem_limit(node: &Node) -> Result<u64, Fault> {
    let bytes = size(node)?;
    if bytes < LEAST_MEMORY {
        return Err(Fault::new(node.at, "less memory than docker gives a container").help("`6m` is the least"));
    }
    Ok(bytes)
}

fn memswap_limit(node: &Node, memory: Option<u64>) -> Result<u64, Fault> {
    let Some(memory) = memory else {
        return Err(Fault::new(node.at, "a `memswap_limit` without a `mem_limit`")
            .help("it is memory and swap together: docker and podman refuse it alone"));
    };
    if text(node)? == "-1" {
        return Ok(u64::MAX);
    }
    let both = size(node)?;
    if both < memory {
        return Err(Fault::new(node.at, "a `memswap_limit` below the `mem_limit`")
            .help("it is memory and swap together: the same is no swap, `-1` is no limit"));
    }
    Ok(both)
}

/// docker's sizes (go-units, RAMInBytes): a number, which may have a fraction, and a unit of 1024's powers.
pub(super) fn size(node: &Node) -> Result<u64, Fault> {
    let text = text(node)?;
    let wrong = || {
        Fault::new(node.at, format!("`{text}` is no size")).help("bytes, or `512k`, `64m`, `1.5g`, as docker writes it")
    };
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = unit.to_ascii_lowercase();
    let unit: u128 = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(wrong()),
    };
    let (billionths, billion) = (decimal(digits).ok_or_else(wrong)?, 1_000_000_000);
    u64::try_from(u128::from(billionths) * unit / billion).ok().filter(|bytes| *bytes <= MOST_MEMORY).ok_or_else(wrong)
}

fn cpus(node: &Node) -> Result<u64, Fault> {
    let text = text(node)?;
    decimal(text).filter(|cpus| (LEAST_CPUS..=MOST_CPUS).contains(cpus)).ok_or_else(|| {
        Fault::new(node.at, format!("`{text}` is no number of processors")).help("`0.5`, `2`; at least 0.01")
    })
}

/// Billionths of a number with at most nine digits behind its point.
fn decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(format!("{fraction:0<9}").parse().ok()?)
}

/// `inspect: {resources: …}`, in the runtime-spec's words. What is `None` is not asked.
pub(super) fn seen(node: &Node, problems: &Problems) -> Result<Seen, Fault> {
    let fields = Fields::of(node, &format::step::RESOURCES, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "no limit is named").help("`resources: {pids: 16}`"));
    }
    let pids = |node: &Node| number(node, "number of processes", 1, MOST_PIDS);
    Ok(Seen {
        pids: fields.read("pids", |node| amount(limit_of(node, &format::step::PIDS_LIMIT, problems)?, pids)),
        memory: fields.read("memory", |node| amount(limit_of(node, &format::step::MEMORY_LIMIT, problems)?, size)),
        cpu: fields.read("cpu", |node| cpu(node, problems)),
        ..Seen::default()
    })
}

fn cpu(node: &Node, problems: &Problems) -> Result<Cpu, Fault> {
    let fields = Fields::of(node, &format::step::CPU, problems)?;
    let micros = |node: &Node| number(node, "number of microseconds", 1, u64::MAX - 1);
    let (quota, period) = (fields.need("quota", |node| amount(node, micros)), fields.need("period", micros));
    Ok(Cpu { quota: quota?, period: period? })
}

/// `16`, or `{limit: 16}`.
fn limit_of<'a>(node: &'a Node, map: &'static Map, problems: &'a Problems) -> Result<&'a Node, Fault> {
    match node.value {
        Value::Map(_) => Fields::of(node, map, problems)?.required("limit"),
        _ => Ok(node),
    }
}

fn amount(node: &Node, read: impl FnOnce(&Node) -> Result<u64, Fault>) -> Result<u64, Fault> {
    match text(node)? {
        "unlimited" | "-1" => Ok(u64::MAX),
        _ => read(node),
    }
}

/// Whether a container has a limit that could be lifted.
pub(super) fn has(container: &Container, limit: Limit) -> bool {
    let own = container.resources;
    match limit {
        Limit::Pids => own.pids.map_or(container.preset == Preset::Podman, |pids| pids != u64::MAX),
        Limit::Memory => own.memory.is_some(),
        Limit::Ulimit(name) => container.ulimits.iter().any(|ulimit| ulimit.name == name),
    }
}

/// `because: {limit: …}`.
pub(super) fn limit(node: &Node) -> Result<Limit, Fault> {
    let word = text(node)?;
    match word {
        "pids" => return Ok(Limit::Pids),
        "memory" => return Ok(Limit::Memory),
        _ => {}
    }
    if let Some(name) = words::ULIMITS.iter().find(|name| **name == word) {
        return Ok(Limit::Ulimit(name));
    }
    let fault = Fault::new(node.at, format!("no limit `{word}`"));
    Err(match nearest(word, words::limits()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help("`pids`, `memory`, or one of `ulimits`"),
    })
}
