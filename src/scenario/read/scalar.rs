//! Texts, numbers and lists.

use std::time::Duration;

use crate::{
    scenario::{
        diagnostic::{Fault, Place},
        tree::{Node, Value, is_null},
    },
    text::nearest,
};

/// The largest uid: the kernel keeps 4294967295 for "no id".
const MAX_ID: u32 = u32::MAX - 1;
/// A step that may take longer than this hangs.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// A text, which is not nothing.
pub(in crate::scenario) fn text(node: &Node) -> Result<&str, Fault> {
    match &node.value {
        Value::Scalar { text, plain, .. } if !(*plain && is_null(text)) => Ok(text),
        Value::Broken => Err(Fault::told()),
        _ => Err(Fault::new(node.at, format!("a text is wanted, this is {}", node.kind()))
            .help("in quotes where YAML would take it for something else: `\"…\"`")),
    }
}

/// A text with at least one letter in it.
pub(super) fn filled(node: &Node) -> Result<String, Fault> {
    let text = text(node)?;
    if text.trim().is_empty() {
        return Err(Fault::new(node.at, "an empty text").help("fill it, or leave the key away"));
    }
    Ok(text.to_owned())
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<bool, Fault> {
    match &node.value {
        Value::Scalar { text, plain: true, .. } if text == "true" => Ok(true),
        Value::Scalar { text, plain: true, .. } if text == "false" => Ok(false),
        // The author has written no word of the message's, but a variable.
        Value::Scalar { written: Some(written), .. } => Err(Fault::new(
            node.at,
            format!("true or false is wanted, `{written}` in quotes is a text"),
        )
        .help(format!(
            "write `{written}` without quotes, on a line of its own: within {{…}} YAML takes its brace for another map"
        ))),
        Value::Scalar { text, .. } => {
            Err(Fault::new(node.at, format!("`{text}` is not a truth value"))
                .help("write true or false, without quotes"))
        }
        Value::Broken => Err(Fault::told()),
        _ => Err(Fault::new(node.at, format!("true or false is wanted, this is {}", node.kind()))
            .help("write true or false, without quotes")),
    }
}

/// A list.
pub(in crate::scenario) fn list(node: &Node) -> Result<&[Node], Fault> {
    match &node.value {
        Value::List(items) => Ok(items),
        Value::Broken => Err(Fault::told()),
        _ => Err(Fault::new(node.at, format!("a list is wanted, this is {}", node.kind())).help("`[one, two]`")),
    }
}

/// A list of texts, each with its place; one text is a list of one.
pub(in crate::scenario) fn list_of_text(node: &Node) -> Result<Vec<(String, Place)>, Fault> {
    texts(node)?.iter().map(|item| Ok((text(item)?.to_owned(), item.at))).collect()
}

/// The items of such a list.
pub(in crate::scenario) fn texts(node: &Node) -> Result<&[Node], Fault> {
    match &node.value {
        Value::Scalar { .. } => text(node).map(|_| std::slice::from_ref(node)),
        _ => list(node),
    }
}

/// A word out of few.
pub(super) fn choice<T: Copy>(
    node: &Node,
    what: &str,
    known: &[(&'static str, T)],
    planned: &[&str],
) -> Result<T, Fault> {
    let word = text(node)?;
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == word) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    if planned.iter().any(|name| word.starts_with(name)) {
        return Err(Fault::new(node.at, format!("{what} `{word}` is not supported yet"))
            .help(format!("there is `{}`", names.join("`, `"))));
    }
    let fault = Fault::new(node.at, format!("no {what} `{word}`"));
    Err(match nearest(word, names.iter().copied()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help(format!("there is `{}`", names.join("`, `"))),
    })
}

/// A whole number in a range.
pub(super) fn number(node: &Node, what: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let text = text(node)?;
    let wrong =
        || Fault::new(node.at, format!("`{text}` is no {what}")).help(format!("a whole number from {least} to {most}"));
    // Neither `+1` nor `0x10` nor `1_000`: what the kernel and docker take is digits.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(wrong)
}

/// A uid or gid.
pub(super) fn id(node: &Node) -> Result<u32, Fault> {
    let number = number(node, "id", 0, MAX_ID.into())?;
    u32::try_from(number).map_err(|_| Fault::new(node.at, "no id"))
}

/// A uid or gid in a text that is part of a node.
pub(super) fn id_text(at: Place, text: &str) -> Result<u32, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|id| digits && *id <= MAX_ID)
        .ok_or_else(|| Fault::new(at, format!("`{text}` is no id")).help(format!("a whole number from 0 to {MAX_ID}")))
}

/// Permission bits in octal.
pub(super) fn mode(node: &Node) -> Result<u32, Fault> {
    let text = text(node)?;
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u32::from_str_radix(text, 8).ok().filter(|_| octal).ok_or_else(|| {
        Fault::new(node.at, format!("`{text}` is no file mode")).help("octal digits as chmod(1) takes them, \"0640\"")
    })
}

/// `uid:gid`.
pub(super) fn owner(node: &Node) -> Result<(u32, u32), Fault> {
    let text = text(node)?;
    let Some((uid, gid)) = text.split_once(':') else {
        return Err(Fault::new(node.at, format!("`{text}` is no owner")).help("\"uid:gid\", \"0:0\""));
    };
    Ok((id_text(node.at, uid)?, id_text(node.at, gid)?))
}

/// `2s`, `500ms`, `1m`, `2`.
pub(super) fn duration(node: &Node) -> Result<Duration, Fault> {
    let text = text(node)?;
    let wrong = || {
        Fault::new(node.at, format!("`{text}` is no time"))
            .help("`2s`, `500ms`, `1m`, or a number of seconds; at most an hour")
    };
    let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(count),
        "" | "s" => count.checked_mul(1000),
        "m" => count.checked_mul(60_000),
        _ => None,
    };
    millis.map(Duration::from_millis).filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT).ok_or_else(wrong)
}

/// An absolute path, its doubled and trailing slashes and dots taken out.
pub(super) fn path(node: &Node) -> Result<String, Fault> {
    path_text(node.at, text(node)?)
}

/// The same of a text that is part of a node.
pub(super) fn path_text(at: Place, text: &str) -> Result<String, Fault> {
    if !text.starts_with('/') {
        return Err(Fault::new(at, format!("`{text}` is no absolute path")).help("it must begin with `/`"));
    }
    if text.len() > 4000 {
        return Err(Fault::new(at, "a path longer than the kernel takes (4096)").help("a shorter one"));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(Fault::new(at, format!("`{text}` climbs")).help("write the path that is meant, without `..`"));
    }
    Ok(format!("/{}", parts.join("/")))
}
