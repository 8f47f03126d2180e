//! A key put into the text of a scenario, everything else left as its author wrote it.

use granit_parser::{Event, Marker, Parser};

/// The text with `because: VALUE` in the step of this number; `None` where the place is not found: what was put in must be read
/// again before it is believed.
#[must_use]
pub fn with_because(text: &str, step: usize, value: &str) -> Option<String> {
    let (start, end) = span(text, step)?;
    let (first, last) = (offset(text, &start)?, offset(text, &end)?);
    let mut edited = String::with_capacity(text.len() + value.len() + 16);
    if text[first..].starts_with('{') {
        // Written in a line: before its closing brace.
        let close = text[..last.max(first + 1)].rfind('}').or_else(|| text[last..].find('}').map(|at| last + at))?;
        let head = text[..close].trim_end();
        let comma = if head.ends_with([',', '{']) { "" } else { "," };
        edited.push_str(head);
        edited.push_str(&format!("{comma} because: {value}"));
        edited.push_str(&text[close..]);
        return Some(edited);
    }
    // Written in lines: after the last of them that is indented as far as its keys.
    let keys = start.col();
    let begin = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let mut end = begin;
    for (index, line) in text[begin..].split_inclusive('\n').enumerate() {
        let indent = line.len() - line.trim_start().len();
        let blank = line.trim().is_empty();
        if index > 0 && !blank && indent < keys {
            break;
        }
        if !blank {
            end = begin + text[begin..].split_inclusive('\n').take(index + 1).map(str::len).sum::<usize>();
        }
    }
    edited.push_str(&text[..end]);
    if !edited.ends_with('\n') {
        edited.push('\n');
    }
    edited.push_str(&format!("{:keys$}because: {value}\n", ""));
    edited.push_str(&text[end..]);
    Some(edited)
}

/// Where the map of a step begins and ends.
fn span(text: &str, step: usize) -> Option<(Marker, Marker)> {
    let mut parser = Parser::new_from_str(text);
    // Names of the maps and numbers of the lists that are open; of a map the key that was read last.
    let mut depth = 0_usize;
    let mut in_steps = false;
    let mut is_key = true;
    let mut item = 0;
    let mut begun = None;
    loop {
        let (event, span) = parser.next_event()?.ok()?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if in_steps && depth == 2 && matches!(event, Event::MappingStart(..)) {
                    begun = (item == step).then_some(span.start);
                }
                depth += 1;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                if depth == 2 && in_steps {
                    if let Some(start) = begun {
                        return Some((start, span.end));
                    }
                    item += 1;
                }
                if depth == 1 {
                    (in_steps, is_key) = (false, true);
                }
            }
            Event::Scalar(word, ..) if depth == 1 => {
                in_steps = is_key && word == "steps";
                is_key = !is_key;
            }
            Event::Scalar(..) | Event::Alias(..) if depth == 2 && in_steps => item += 1,
            Event::Alias(..) if depth == 1 => is_key = true,
            Event::StreamEnd => return None,
            _ => {}
        }
    }
}

/// A place in bytes: the parser counts characters.
fn offset(text: &str, at: &Marker) -> Option<usize> {
    let line = text.split_inclusive('\n').take(at.line().checked_sub(1)?).map(str::len).sum::<usize>();
    let rest = text.get(line..)?;
    let within = rest.char_indices().nth(at.col()).map_or(rest.len(), |(index, _)| index);
    Some(line + within)
}

#[cfg(test)]
mod tests {
    use super::with_because;

    #[test]
    fn comments_and_spacing_stay() {
        let text = "title: A claim  # here\ncontainer: {preset: docker}\nsteps:\n  # the first\n  - probe: mount   # why?\n    expect: {denied: EPERM}\n\n  - run: |\n      iptables -L\n      true\n    expect: allowed\n  # the end\nrequires: [root]\n";
        let edited = with_because(text, 0, "user").expect("found");
        assert_eq!(edited, text.replace("EPERM}\n", "EPERM}\n    because: user\n"));
        let edited = with_because(text, 1, "user").expect("found");
        assert_eq!(edited, text.replace("expect: allowed\n", "expect: allowed\n    because: user\n"));
        assert_eq!(with_because(text, 2, "user"), None);
    }

    #[test]
    fn a_step_in_a_line_and_a_file_without_an_end_of_line() {
        let text =
            "title: ü\nsteps:\n- {probe: mount, expect: {denied: EPERM}}  # one\n- probe: mount\n  expect: denied";
        let edited = with_because(text, 0, "user").expect("found");
        assert_eq!(edited, text.replace("EPERM}}", "EPERM}, because: user}"));
        let edited = with_because(text, 1, "{capability: SYS_ADMIN}").expect("found");
        assert_eq!(edited, format!("{text}\n  because: {{capability: SYS_ADMIN}}\n"));
    }
}
