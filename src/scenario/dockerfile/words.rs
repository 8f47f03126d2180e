//! The words of a line and the variables in them.

/// Whether a variable may be called so.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
}

/// Words as the Dockerfile's own lexer takes them: quotes and backslashes, nothing else. A `$` in single quotes stays one.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    lexed(text, true)
}

/// The same of a text that is one word, whatever spaces it has.
pub(super) fn word(text: &str) -> Result<String, String> {
    lexed(text, false).map(|words| words.concat())
}

fn lexed(text: &str, apart: bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, letter) if apart && letter.is_whitespace() => found.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), close) if open == close => quote = None,
            (Some('\''), '$') => word.get_or_insert_default().push_str("\\$"),
            (None | Some('"'), '\\') => {
                let next = letters.next().ok_or("a backslash at the end")?;
                if next == '$' {
                    // It is a variable's beginning no longer, which `expand` has to know.
                    word.get_or_insert_default().push('\\');
                } else if quote.is_some() && next != '"' && next != '\\' {
                    word.get_or_insert_default().push('\\');
                }
                word.get_or_insert_default().push(next);
            }
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote that is not closed".to_owned());
    }
    found.extend(word);
    Ok(found)
}

/// Puts in the values of variables; one that is not set is empty, as docker has it.
///
/// # Errors
/// Where the text is none that has a meaning.
pub fn expand(text: &str, variables: &[(String, String)]) -> Result<String, String> {
    let value = |name: &str| variables.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        done.push_str(&rest[..at]);
        let escaped = rest[at..].starts_with("\\$");
        if rest[at..].starts_with('\\') {
            done.push(if escaped { '$' } else { '\\' });
            rest = &rest[at + if escaped { 2 } else { 1 }..];
            continue;
        }
        rest = &rest[at + 1..];
        if let Some(inside) = rest.strip_prefix('{') {
            let end = inside.find('}').ok_or_else(|| format!("`{text}`: a brace that is not closed"))?;
            let (inside, after) = (&inside[..end], &inside[end + 1..]);
            let (name, default, instead) = match (inside.split_once(":-"), inside.split_once(":+")) {
                (Some((name, default)), _) => (name, Some(default), None),
                (None, Some((name, instead))) => (name, None, Some(instead)),
                (None, None) => (inside, None, None),
            };
            if !is_name(name) {
                return Err(format!("`${{{inside}}}` is not understood"));
            }
            let set = value(name).filter(|value| !value.is_empty());
            done.push_str(match (set, default, instead) {
                (Some(_), _, Some(instead)) => instead,
                (Some(value), ..) => value,
                (None, Some(default), _) => default,
                (None, ..) => "",
            });
            rest = after;
        } else {
            let end =
                rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
            let name = &rest[..end];
            if !is_name(name) {
                return Err(format!("`{text}`: a dollar that begins no variable"));
            }
            done.push_str(value(name).unwrap_or_default());
            rest = &rest[end..];
        }
    }
    done.push_str(rest);
    Ok(done)
}
