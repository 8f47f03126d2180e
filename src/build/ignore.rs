//! .dockerignore: what of a context no COPY and no ADD sees (docker's reference, "Dockerignore files").

use regex::Regex;

use crate::image::{Folder, Found, contents};

/// Its name.
const NAME: &str = ".dockerignore";
/// podman looks for that one first, docker never.
const PODMANS: &str = ".containerignore";
/// A longer one is none that a person wrote, in bytes.
const LONGEST: u64 = 64 << 10;

/// Its patterns.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    text: String,
    fits: Regex,
    /// It takes back what those before it leave out.
    is_exception: bool,
}

impl Ignored {
    /// That of a context; nothing where there is none.
    pub(super) fn of(context: &Folder) -> Result<Self, String> {
        if context.has(PODMANS) {
            return Err(format!("the context has a {PODMANS}, which podman alone reads: {NAME} is for both"));
        }
        if !context.has(NAME) {
            return Ok(Self::default());
        }
        let told = |why: String| format!("{NAME}: {why}");
        let Found::File(file) = context.open(NAME).map_err(told)? else { return Err(told("a folder".to_owned())) };
        let text =
            String::from_utf8(contents(file, LONGEST).map_err(told)?).map_err(|error| told(error.to_string()))?;
        Self::read(&text).map_err(told)
    }

    fn read(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let lines = lines.filter(|line| !line.starts_with('#')).map(str::trim).filter(|line| !line.is_empty());
        let one = |line: &str| {
            let (pattern, is_exception) = line.strip_prefix('!').map_or((line, false), |rest| (rest.trim(), true));
            if pattern.is_empty() {
                return Err("a `!` alone".to_owned());
            }
            let text = clean(pattern);
            let fits = Regex::new(&expression(&text)).map_err(|_| format!("`{line}` is no pattern"))?;
            Ok(Pattern { text, fits, is_exception })
        };
        lines.map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether it leaves a path out: the last pattern that fits it, or a folder that it lies in, decides. Into a folder that is left out docker
    /// looks only where an exception begins with its name, letter by letter (moby, pkg/archive TarWithOptions).
    pub(super) fn has(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let way: Vec<&str> = ends.map(|end| &path[..end]).collect();
        let is_out = |way: &[&str]| {
            let fitting = self.0.iter().rev().find(|pattern| way.iter().any(|path| pattern.fits.is_match(path)));
            fitting.is_some_and(|pattern| !pattern.is_exception)
        };
        let is_closed = |folder: &str| {
            let mut exceptions = self.0.iter().filter(|pattern| pattern.is_exception);
            !exceptions.any(|pattern| format!("{}/", pattern.text).starts_with(&format!("{folder}/")))
        };
        is_out(&way) || (1..way.len()).any(|depth| is_out(&way[..depth]) && is_closed(way[depth - 1]))
    }
}

/// A path without what says nothing, as Go's filepath.Clean, and without a slash before it.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A pattern as a regular expression (moby, pkg/fileutils Pattern.compile).
fn expression(pattern: &str) -> String {
    let mut letters = pattern.chars().peekable();
    let mut made = "^".to_owned();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.next_if_eq(&'*').is_some() => {
                letters.next_if_eq(&'/');
                made.push_str(if letters.peek().is_none() { ".*" } else { "(.*/)?" });
            }
            '*' => made.push_str("[^/]*"),
            '?' => made.push_str("[^/]"),
            // A class is the same in both.
            '[' | ']' | '-' | '^' => made.push(letter),
            '\\' => made.push_str(&regex::escape(&letters.next().unwrap_or('\\').to_string())),
            letter => made.push_str(&regex::escape(&letter.to_string())),
        }
    }
    made.push('$');
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        for (text, out, left) in [
            ("secret.txt", &["secret.txt", "secret.txt/below"][..], &["secret_txt", "d/secret.txt", "secret.txt2"][..]),
            ("# d\n\n  /k/ \n", &["k", "k/x"], &["d", "d/k"]),
            ("**/*.log", &["a.log", "d/a.log", "d/e/a.log"], &["a.logs", "d"]),
            ("*.log", &["a.log"], &["d/a.log"]),
            ("*\n!d/b.txt", &["a", "d", "d/a"], &["d/b.txt"]),
            ("d\n!d/e\nd/e/f", &["d/a", "d/e/f"], &["d/e", "d/e/g"]),
            ("d\n!d/*/f", &["d/e/f"], &[]),
            ("d/*\n!d/e/f", &["d/e", "d/e/g", "d/a"], &["d/e/f"]),
            ("[a-c]/?.log", &["b/x.log"], &["d/x.log", "b/xy.log"]),
            ("a/../b//./c", &["b/c"], &["a", "b"]),
            ("d/**", &["d/a", "d/a/b"], &["d"]),
            ("a+(b)", &["a+(b)"], &["aab"]),
            (".", &[], &["a"]),
        ] {
            let ignored = Ignored::read(text).expect("read");
            for path in out {
                assert!(ignored.has(path), "{text:?}: {path}");
            }
            for path in left {
                assert!(!ignored.has(path), "{text:?}: {path}");
            }
        }
        for text in ["!", "[a", "# a\nb\n! "] {
            assert!(Ignored::read(text).is_err(), "{text:?}");
        }
    }
}
