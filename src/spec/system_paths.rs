//! Paths of the kernel's own file systems that are masked or read-only: `linux.maskedPaths`, `linux.readonlyPaths`.

use super::preset::Facts;
use crate::scenario::model::Container;

/// The masked and the read-only ones. What is asked for with `mask` stays also where the container is privileged or `unmask` names
/// the same path (libpod, pkg/specgen/generate/config_linux.go BlockAccessToKernelFilesystems; measured in config.json).
pub(super) fn of(container: &Container, facts: &Facts) -> (Vec<String>, Vec<String>) {
    let asked = &container.system_paths;
    let none = container.privileged || asked.unconfined;
    let kept = |list: &[&str]| -> Vec<String> {
        let unmasked = |path: &str| none || asked.unmask.iter().any(|pattern| matches(pattern, path));
        list.iter().filter(|path| !unmasked(path)).map(|path| (*path).to_owned()).collect()
    };
    let altered = &container.altered;
    let covered = |mut list: Vec<String>, further: &[String]| {
        list.retain(|path| !altered.uncovered.contains(path));
        list.extend(further.iter().cloned());
        list
    };
    let mut masked = kept(facts.masked_paths);
    masked.extend(asked.mask.iter().cloned());
    (covered(masked, &altered.masked), covered(kept(facts.readonly_paths), &altered.readonly))
}

/// Go's filepath.Match of a pattern with `*` alone: any part of a name, but no slash.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if part(pattern, name) => {}
            _ => return false,
        }
    }
}

fn part(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(name) = name.strip_prefix(first) else { return false };
    let Some(mut name) = name.strip_suffix(last) else { return false };
    // What stands between two stars is taken where it is first met: that leaves most to what comes after it.
    between.split('*').all(|literal| match name.find(literal) {
        Some(at) => {
            name = &name[at + literal.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_part_of_a_name() {
        for (pattern, path) in [("/proc/*", "/proc/kcore"), ("/proc/k*e", "/proc/kcore"), ("/p*c/*k*y*s", "/proc/keys")]
        {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("/proc/*", "/sys/firmware"), ("/*", "/proc/keys"), ("/proc/kc*core", "/proc/kcore")] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
