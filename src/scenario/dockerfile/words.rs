//! The words of a line and the variables in them.

/// A person writes two.
const MAX_DEPTH: usize = 16;

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

/// Where a brace is closed that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut before) = (1, ' ');
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => open += 1,
            '}' if before != '\\' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
        before = letter;
    }
    None
}

/// Puts in the values of variables; one that is not set is empty, as docker has it.
///
/// # Errors
/// Where the text is none that has a meaning.
pub fn expand(text: &str, variables: &[(String, String)]) -> Result<String, String> {
    expand_in(text, variables, 0)
}

fn expand_in(text: &str, variables: &[(String, String)], depth: usize) -> Result<String, String> {
    if depth > MAX_DEPTH {
        return Err(format!("`{text}`: variables in more than {MAX_DEPTH} braces"));
    }
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
            let end = closing(inside).ok_or_else(|| format!("`{text}`: a brace that is not closed"))?;
            let (inside, after) = (&inside[..end], &inside[end + 1..]);
            let (name, default, instead) =
                match inside.split_once(':').map(|(name, word)| (name, word.split_at_checked(1))) {
                    Some((name, Some(("-", default)))) => (name, Some(default), None),
                    Some((name, Some(("+", instead)))) => (name, None, Some(instead)),
                    _ => (inside, None, None),
                };
            if !is_name(name) {
                return Err(format!("`${{{inside}}}` is not understood"));
            }
            let set = value(name).filter(|value| !value.is_empty());
            match (set, default, instead) {
                // It has variables of its own.
                (Some(_), _, Some(word)) | (None, Some(word), _) => {
                    done.push_str(&expand_in(word, variables, depth + 1)?)
                }
                (Some(value), ..) => done.push_str(value),
                (None, ..) => {}
            }
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
