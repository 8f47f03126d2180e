//! Which programs a shell command needs.

/// What every POSIX shell has itself, POSIX.1-2017 "Special Built-In Utilities" and those that dash builds in.
const BUILTINS: [&str; 44] = [
    ".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done", "echo", "elif", "else",
    "esac", "eval", "exec", "exit", "export", "false", "fi", "for", "if", "jobs", "kill", "printf", "pwd", "read",
    "return", "set", "shift", "test", "then", "times", "trap", "true", "type", "ulimit", "umask", "unset", "until",
    "wait", "while",
];

/// Programs by the first word of each simple command. A word that is not plain text is passed over: what it would be
/// is decided by the shell.
pub(crate) fn programs(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for command in split(text) {
        let mut words = command.split_whitespace().skip_while(|word| {
            let assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            assignment || matches!(*word, "!" | "{" | "(" | "then" | "do" | "else" | "if" | "while" | "until" | "exec")
        });
        let Some(word) = words.next() else { continue };
        let function = text.contains(&format!("{word}()")) || text.contains(&format!("{word} ()"));
        let plain = !function && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/+-".contains(&byte));
        if plain && !BUILTINS.contains(&word) && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

/// Simple commands: split at operators outside of quotes.
fn split(text: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut quote = None;
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
            (None, ';' | '|' | '&' | '\n' | '(' | ')') => {
                commands.push(String::new());
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
        assert_eq!(programs("if test -e /x; then cat /x; fi"), ["cat"]);
    }
}
