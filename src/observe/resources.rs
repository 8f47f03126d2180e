//! Limits of the control groups that a process is in, as the files of their controllers have them.

/// The limits in force, in the runtime-spec's words; `u64::MAX` is unlimited. `None` where this machine has no such controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Processes and threads at once.
    pub pids: Option<u64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together, in bytes.
    pub swap: Option<u64>,
    /// Processor time.
    pub cpu: Option<Cpu>,
}

/// How much processor time there is in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Microseconds of one processor.
    pub quota: u64,
    /// Microseconds.
    pub period: u64,
}

/// Version 1 says "unlimited" of memory with the largest number of whole pages (PAGE_COUNTER_MAX), which depends on the page.
const UNLIMITED_BYTES: u64 = (i64::MAX as u64) & !0xf_ffff;

impl Resources {
    /// Of the files' names and content; `None` where nobody looked.
    ///
    /// # Errors
    /// A text says which file was not understood.
    pub(super) fn read(files: &[(String, String)]) -> Result<Option<Self>, String> {
        if files.is_empty() {
            return Ok(None);
        }
        let find = |name: &str| files.iter().find(|(known, _)| known == name).map(|(_, text)| text.trim());
        let number = |name: &str| find(name).map(|text| value(name, text)).transpose();
        let bytes = |name: &str| {
            Ok::<_, String>(number(name)?.map(|bytes| if bytes >= UNLIMITED_BYTES { u64::MAX } else { bytes }))
        };
        let first = [bytes("memory.limit_in_bytes")?, bytes("memory.max")?];
        let memory = first.into_iter().flatten().next();
        // Version 2 counts swap alone.
        let together = |swap: u64| memory.unwrap_or(u64::MAX).saturating_add(swap);
        let swap = [bytes("memory.memsw.limit_in_bytes")?, number("memory.swap.max")?.map(together)];
        let cpu = match (find("cpu.max"), number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?) {
            (_, Some(quota), Some(period)) => Some(Cpu { quota, period }),
            (Some(text), ..) => {
                let (quota, period) = text.split_once(' ').ok_or_else(|| format!("cpu.max: {text}"))?;
                Some(Cpu { quota: value("cpu.max", quota)?, period: value("cpu.max", period)? })
            }
            _ => None,
        };
        Ok(Some(Self { pids: number("pids.max")?, memory, swap: swap.into_iter().flatten().next(), cpu }))
    }
}

fn value(name: &str, text: &str) -> Result<u64, String> {
    match text {
        "max" | "-1" => Ok(u64::MAX),
        digits => digits.parse().map_err(|_| format!("{name}: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Option<Resources>, String> {
        Resources::read(&files.iter().map(|(name, text)| ((*name).to_owned(), format!("{text}\n"))).collect::<Vec<_>>())
    }

    const MAX: Option<u64> = Some(u64::MAX);

    #[test]
    fn version_1_is_understood() {
        let seen = read(&[
            ("pids.max", "16"),
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "134217728"),
            ("cpu.cfs_quota_us", "50000"),
            ("cpu.cfs_period_us", "100000"),
        ]);
        let cpu = Some(Cpu { quota: 50_000, period: 100_000 });
        let wanted = Resources { pids: Some(16), memory: Some(64 << 20), swap: Some(128 << 20), cpu };
        assert_eq!(seen, Ok(Some(wanted)));
        let seen =
            read(&[("pids.max", "max"), ("memory.limit_in_bytes", "9223372036854771712"), ("cpu.cfs_quota_us", "-1")]);
        assert_eq!(seen, Ok(Some(Resources { pids: MAX, memory: MAX, swap: None, cpu: None })));
    }

    #[test]
    fn version_2_is_understood() {
        let seen = read(&[
            ("pids.max", "max"),
            ("memory.max", "67108864"),
            ("memory.swap.max", "67108864"),
            ("cpu.max", "max 100000"),
        ]);
        let cpu = Some(Cpu { quota: u64::MAX, period: 100_000 });
        assert_eq!(seen, Ok(Some(Resources { pids: MAX, memory: Some(64 << 20), swap: Some(128 << 20), cpu })));
        let seen = read(&[("memory.max", "max"), ("memory.swap.max", "max")]);
        assert_eq!(seen, Ok(Some(Resources { memory: MAX, swap: MAX, ..Resources::default() })));
    }

    #[test]
    fn where_nobody_looked_nothing_is_said() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("pids.max", "many")]), Err("pids.max: many".to_owned()));
    }
}
