//! Which programs a shell command needs.

/// What shells have themselves: POSIX.1-2017 "Special Built-In Utilities", those that dash builds in, and words of bash, which may be sh.
const BUILTINS: [&str; 57] = [
    ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "declare", "do", "done", "echo",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for", "function", "getopts",
    "hash", "if", "jobs", "kill", "let", "local", "printf", "pwd", "read", "readonly", "return", "select", "set",
    "shift", "source", "test", "then", "time", "times", "trap", "true", "type", "typeset", "ulimit", "umask",
    "unalias", "unset", "until", "wait", "while",
];

/// Programs by the first word of each simple command. A word that is not plain text is passed over: what it would be
/// is decided by the shell.
pub(crate) fn programs(text: &str) -> Vec<String> {
    let text = &without_documents(text);
    let mut found: Vec<String> = Vec::new();
    for command in split(text) {
        let mut words = command.split_whitespace().skip_while(|word| {
            let assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            let before =
                matches!(*word, "!" | "{" | "(" | "then" | "do" | "else" | "elif" | "if" | "while" | "until" | "exec");
            assignment || before
        });
        let Some(word) = words.next() else { continue };
        let own = [format!("{word}()"), format!("{word} ()"), format!("alias {word}="), format!("function {word}")];
        let is_own = own.iter().any(|said| text.contains(said));
        let plain = !is_own && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/+-".contains(&byte));
        if plain && !BUILTINS.contains(&word) && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

/// The text without its here-documents, which are what a command reads.
fn without_documents(text: &str) -> String {
    let mut kept = Vec::new();
    let mut ends: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(end) = ends.first() {
            if line.trim_start_matches('\t') == end {
                ends.remove(0);
            }
            continue;
        }
        kept.push(line);
        let begins =
            line.match_indices("<<").filter(|(at, _)| !line[at + 2..].starts_with('<') && !line[..*at].ends_with('<'));
        ends.extend(begins.filter_map(|(at, _)| {
            let word = line[at + 2..].trim_start_matches('-').trim_start();
            let end =
                word.find(|letter: char| letter.is_whitespace() || ";|&)<>".contains(letter)).unwrap_or(word.len());
            let word: String = word[..end].chars().filter(|letter| !"'\"\\".contains(*letter)).collect();
            // `1 << 2` of an arithmetic expansion is none.
            word.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_').then_some(word)
        }));
    }
    kept.join("\n")
}

/// Simple commands: split at operators outside of quotes.
fn split(text: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut quote = None;
    // Of `(` that are not closed yet; where the statement began that goes on.
    let (mut open, mut begun) = (0_u32, 0);
    let mut in_case = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (None, '\\') => {
                letters.next();
            }
            // `2>&1` and `&>` are redirections, not the end of a command.
            (None, '&') if commands.last().is_some_and(|command| command.ends_with('>')) => continue,
            // An arithmetic expansion has names in it and no commands.
            (None, '(') if letters.peek() == Some(&'(') => {
                let mut depth = 1;
                for inside in letters.by_ref() {
                    depth += i32::from(inside == '(') - i32::from(inside == ')');
                    if depth == 0 {
                        break;
                    }
                }
                continue;
            }
            (None, ';' | '|' | '&' | '\n' | '(' | ')') => {
                let command = commands.last().map(|command| command.trim()).unwrap_or_default();
                in_case = (in_case || command.starts_with("case ")) && command != "esac";
                match letter {
                    // A pattern may stand in parentheses.
                    '(' if in_case && (command.is_empty() || command.ends_with(" in")) => {}
                    '(' => open += 1,
                    ')' if open > 0 => open -= 1,
                    // It ends a pattern of `case`.
                    ')' => commands.drain(begun..).for_each(drop),
                    _ => {}
                }
                commands.push(String::new());
                if letter != '|' {
                    begun = commands.len() - 1;
                }
                continue;
            }
            _ => {}
        }
        if let Some(command) = commands.last_mut() {
            command.push(letter);
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::programs;

    #[test]
    fn programs_are_first_words() {
        assert_eq!(programs("iptables -L"), ["iptables"]);
        assert_eq!(programs("echo \"hello; rm\" >> /mnt/shadow"), Vec::<String>::new());
        assert_eq!(programs("A=1 id -u | grep 0 && ps -ef 2>&1; cd /tmp"), ["id", "grep", "ps"]);
        assert_eq!(programs("b() { ls; }; b"), ["ls"]);
        assert_eq!(programs("if test -e /x; then cat /x; elif grep x /y; then ps; fi"), ["cat", "grep", "ps"]);
        assert_eq!(programs("(cd /tmp && ls) | (wc -l)"), ["ls", "wc"]);
    }

    /// Whoever takes one for a command skips a case for ever.
    #[test]
    fn what_is_no_command_is_none() {
        assert_eq!(programs("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done"), Vec::<String>::new());
        assert_eq!(programs("exit $((RANDOM % 2))"), Vec::<String>::new());
        assert_eq!(programs("echo $(( (a + b) << c )); ls"), ["ls"]);
        assert_eq!(programs("cat <<EOF\nfoo bar; baz\nEOF\nid"), ["cat", "id"]);
        assert_eq!(programs("sed x <<-'E' | grep y\n\tfoo\n\tE\nps"), ["sed", "grep", "ps"]);
        assert_eq!(programs("case $1 in nope) true;; x|y) ls;; (z) id;; *) ps;; esac"), ["ls", "id", "ps"]);
        assert_eq!(programs("case $1 in\n  (a) ls ;;\n  b | c)\n    id\n    ;;\nesac\nps"), ["ls", "id", "ps"]);
        assert_eq!(programs("alias x=y; x; local z; select a in b; do break; done"), Vec::<String>::new());
    }
}
