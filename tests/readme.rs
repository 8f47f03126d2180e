//! The two READMEs say the same: a change to one is a change to the other.

const ENGLISH: &str = include_str!("../README.md");
const CHINESE: &str = include_str!("../README.zh-CN.md");

/// What is code, in fences or indented, without its comments, which are translated.
fn code(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            // A prompt of root's is no comment.
            let code = if line.starts_with('#') { line } else { line.split("  # ").next().unwrap_or(line) };
            lines.push(code.trim_end().to_owned());
        }
    }
    lines
}

/// Where links lead, beside from one README to the other.
fn links(text: &str) -> Vec<&str> {
    let mut links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    links.retain(|link| !link.starts_with("README"));
    links.sort_unstable();
    links
}

#[test]
fn both_have_the_same_code() {
    assert_eq!(code(ENGLISH), code(CHINESE));
}

#[test]
fn both_have_the_same_links_and_chapters() {
    assert_eq!(links(ENGLISH), links(CHINESE));
    let chapters = |text: &str| text.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(chapters(ENGLISH), chapters(CHINESE));
    for link in links(ENGLISH).iter().filter(|link| !link.starts_with("http")) {
        assert!(std::path::Path::new(link).exists(), "{link}");
    }
}

/// Verbs and flags that one names in its sentences the other names too.
#[test]
fn both_name_the_same_verbs_and_flags() {
    let named = |text: &str| -> std::collections::BTreeSet<String> {
        let spans =
            text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("--") || span.starts_with("caplab "));
        spans.map(str::to_owned).collect()
    };
    assert_eq!(named(ENGLISH), named(CHINESE));
}
