//! Limits of a container's control groups, in Compose's words.

/// What an author says about them; `None` is the preset's default. `u64::MAX` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// `pids_limit`, docker's `--pids-limit`: processes and threads at once.
    pub pids: Option<u64>,
    /// `mem_limit`, docker's `--memory`, in bytes.
    pub memory: Option<u64>,
    /// `memswap_limit`, docker's `--memory-swap`: memory and swap together, in bytes. Never without `memory`, never below it.
    pub memory_swap: Option<u64>,
    /// `cpus`, docker's `--cpus`, in billionths of a processor.
    pub nano_cpus: Option<u64>,
}

/// A limit as docker's flags spell it: -1 is none.
#[must_use]
pub fn limit_text(limit: u64) -> String {
    if limit == u64::MAX { "-1".to_owned() } else { limit.to_string() }
}

/// Billionths of a processor as `--cpus` and `cpus` take them: `0.5`.
#[must_use]
pub fn processors(billionths: u64) -> String {
    let text = format!("{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A limit that may decide over an outcome, as `because: {limit: …}` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `pids_limit`, or its preset's.
    Pids,
    /// `mem_limit`.
    Memory,
    /// One of `ulimits`, by docker's name.
    Ulimit(&'static str),
}

impl Limit {
    /// `pids`, `memory`, `nofile`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pids => "pids",
            Self::Memory => "memory",
            Self::Ulimit(name) => name,
        }
    }
}
