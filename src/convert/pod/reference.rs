//! `$(NAME)` in the commands and variables of a Pod, as the kubelet reads it (third_party/forked/golang/expansion): a variable that is
//! known is put in its place, one that is not stays as it is, and `$$` is a dollar.

use crate::{convert::draft::pairs, scenario::plain::Plain};

/// A text that the kubelet turns into this one.
pub(super) fn escaped(text: &str) -> String {
    if text.contains("$(") || text.contains("$$") { text.replace('$', "$$") } else { text.to_owned() }
}

/// What the kubelet makes of a text, where these variables are known.
pub(super) fn expanded(text: &str, variables: Option<&Plain>) -> String {
    let known = variables.map(pairs).unwrap_or_default();
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (after.strip_prefix('$'), reference) {
            (Some(after), _) => {
                done.push('$');
                after
            }
            (None, Some((name, after))) => {
                match known.iter().rev().find(|(variable, _)| variable == name) {
                    Some((_, value)) => done.push_str(value),
                    None => done.push_str(&format!("$({name})")),
                }
                after
            }
            (None, None) => {
                done.push('$');
                after
            }
        };
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_the_kubelets() {
        let known = Plain::Map(vec![("A".to_owned(), Plain::text("one"))]);
        for (text, becomes) in [
            ("$(A) $(B)", "one $(B)"),
            ("$$(A)", "$(A)"),
            ("$5 $", "$5 $"),
            ("$(A", "$(A"),
            ("$$$(A)", "$one"),
            ("$$$$", "$$"),
        ] {
            assert_eq!(expanded(text, Some(&known)), becomes, "{text}");
        }
        for text in ["$(A)", "$$", "$5", "$", "$$(A)", "plain", "$()$$("] {
            assert_eq!(expanded(&escaped(text), Some(&known)), text);
        }
    }
}
