use super::*;

fn lines(text: &str) -> Vec<Instruction> {
    read("Dockerfile", text, &[]).expect("read").lines.into_iter().map(|line| line.what).collect()
}

fn refused(text: &str) -> (usize, String) {
    let wrong = read("Dockerfile", text, &[]).expect_err("refused");
    (wrong.line, format!("{}; {}", wrong.message, wrong.help))
}

#[test]
fn what_the_note_has() {
    let file = read("Dockerfile", "FROM host\nRUN adduser -u 6667 nonroot\nUSER nonroot\n", &[]).expect("read");
    assert_eq!(file.from, Base::Host);
    assert_eq!(
        file.lines,
        [
            Line { number: 2, what: Instruction::Run(Command::Shell("adduser -u 6667 nonroot".to_owned())) },
            Line { number: 3, what: Instruction::User("nonroot".to_owned()) },
        ]
    );
}

#[test]
fn a_line_goes_on_after_a_backslash_and_over_comments() {
    let text =
        "# syntax=docker/dockerfile:1\nfrom scratch as base\nRun a \\\n  # why\n  && b\n\nCMD [\"a\", \"b c\"]\n";
    assert_eq!(
        lines(text),
        [
            Instruction::Run(Command::Shell("a   && b".to_owned())),
            Instruction::Cmd(Command::Exec(vec!["a".to_owned(), "b c".to_owned()])),
        ]
    );
}

#[test]
fn words_and_variables() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        lines("FROM host\nENV A=1 B=\"x y\" C=a\\ b D='$A'\nENV OLD a b\n"),
        [
            Instruction::Env(vec![pair("A", "1"), pair("B", "x y"), pair("C", "a b"), pair("D", "\\$A")]),
            Instruction::Env(vec![pair("OLD", "a b")]),
        ]
    );
    let known = [pair("A", "1"), pair("EMPTY", ""), pair("A", "2")];
    for (text, expected) in [
        ("$A-${A}", "2-2"),
        ("${B:-x}${EMPTY:-y}${A:-z}", "xy2"),
        ("${A:+set}${B:+set}", "set"),
        ("${B:-$A}.${B:-${C:-d}}.${A:+${A}${B:-e}}.", "2.d.2e."),
        ("${B:-a:-b}", "a:-b"),
        ("\\$A", "$A"),
        ("a\\b", "a\\b"),
        ("$NONE.", "."),
    ] {
        assert_eq!(expand(text, &known).as_deref(), Ok(expected), "{text}");
    }
    let deep = "${B:-".repeat(100_000) + &"}".repeat(100_000);
    for text in ["${A", "$", "${A?}", "$1", "${B:-${C}", "${B:}", &deep] {
        assert!(expand(text, &known).is_err(), "{text}");
    }
}

#[test]
fn arguments_before_from_are_its_alone() {
    let args = [("BASE".to_owned(), "toolbox".to_owned())];
    let file = read("Dockerfile", "ARG BASE=host\nFROM $BASE\nARG BASE\n", &args).expect("read");
    assert_eq!(file.from, Base::Toolbox);
    assert_eq!(file.lines[0].what, Instruction::Arg("BASE".to_owned(), Some("toolbox".to_owned())));
    let unknown = read("Dockerfile", "FROM host\n", &args).expect_err("refused");
    assert_eq!(unknown.message, "no ARG BASE, which `args` gives a value");
}

#[test]
fn what_changes_nothing_is_passed_over_by_name() {
    let file = read("Dockerfile", "FROM host\nLABEL a=b\nHEALTHCHECK CMD true\n", &[]).expect("read");
    assert_eq!(file.ignored, [(2, "LABEL".to_owned()), (3, "HEALTHCHECK".to_owned())]);
}

#[test]
fn what_is_not_understood_is_refused_by_its_line() {
    for (text, line, words) in [
        ("", 1, "no FROM"),
        ("RUN a\n", 1, "before FROM"),
        ("FROM host\nUSR a\n", 2, "did you mean USER?"),
        ("FROM host\nFROM host\n", 2, "a second FROM"),
        ("FROM --platform=x host\n", 1, "--platform"),
        ("FROM host\nVOLUME /x\n", 2, "VOLUME is not supported"),
        ("FROM host\nRUN --mount=type=cache a\n", 2, "--mount"),
        ("FROM host\nRUN <<EOF\na\nEOF\n", 2, "here-document"),
        ("FROM host\n\nADD https://x/y /z\n", 3, "no network"),
        ("FROM host\nCOPY --from=x a b\n", 2, "--from"),
        ("FROM host\nCOPY *.c /\n", 2, "patterns"),
        ("FROM host\nCOPY a\n", 2, "a source and a target"),
        ("FROM host\nCMD ['a']\n", 2, "no list"),
        ("FROM host\nENV A\n", 2, "no value"),
        ("FROM host\nENV A=\"b\n", 2, "not closed"),
        ("FROM host\nUSER\n", 2, "USER of nothing"),
        ("# escape=`\nFROM host\n", 1, "escape"),
    ] {
        let (at, said) = refused(text);
        assert_eq!(at, line, "{text:?}: {said}");
        assert!(said.contains(words), "{text:?}: {said}");
    }
    assert_eq!(lines("FROM host\nRUN a << 2\n").len(), 1);
}

#[test]
fn its_text_is_cut_at_every_run() {
    let text = "# first\nARG BASE=host\nFROM $BASE \\\n  AS one\nLABEL a=b\nARG BASE\nRUN a \\\n # why\n  b\nENV A=1\n# said\nUSER 1\nRUN [\"c\"]\nRUN d\n";
    let file = read("Dockerfile", text, &[]).expect("read");
    assert_eq!(file.before_from(), "# first\nARG BASE=host\n");
    assert!(text.ends_with(&file.behind_from()) && file.behind_from().starts_with("LABEL"), "{}", file.behind_from());
    // Declared once more it is what it was.
    assert_eq!(file.lines[0].what, Instruction::Arg("BASE".to_owned(), Some("host".to_owned())));
    let pieces = file.pieces();
    let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(texts, ["LABEL a=b\nARG BASE\n", "ENV A=1\n# said\nUSER 1\n", "", ""]);
    assert_eq!(pieces.iter().map(|piece| piece.lines.len()).collect::<Vec<_>>(), [1, 2, 0, 0]);
    assert_eq!(pieces[0].run, Some(&Command::Shell("a   b".to_owned())));
    assert_eq!(pieces[3].run, None);
}
