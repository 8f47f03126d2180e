//! A Dockerfile's own text, for builders that read it themselves.

use super::{Command, Dockerfile, Instruction, Line};

/// Lines as they were written, up to a RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// They.
    pub text: String,
    /// The same as they are understood.
    pub lines: &'a [Line],
    /// The RUN that they end before; `None` behind the last one.
    pub run: Option<&'a Command>,
}

impl Dockerfile {
    /// What is written before FROM.
    #[must_use]
    pub fn before_from(&self) -> String {
        self.written(1, Some(self.from_at))
    }

    /// All that is written behind FROM.
    #[must_use]
    pub fn behind_from(&self) -> String {
        self.next(self.from_at).map(|first| self.written(first, None)).unwrap_or_default()
    }

    /// The same, cut at every RUN, which is in none of the texts.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut begin = self.next(self.from_at);
        let mut rest = self.lines.as_slice();
        loop {
            let run = rest.iter().enumerate().find_map(|(at, line)| match &line.what {
                Instruction::Run(command) => Some((at, line.number, command)),
                _ => None,
            });
            let end = run.map(|(_, number, _)| number);
            let text = begin.map(|begin| self.written(begin, end)).unwrap_or_default();
            let lines = &rest[..run.map_or(rest.len(), |(at, ..)| at)];
            pieces.push(Piece { text, lines, run: run.map(|(.., command)| command) });
            let Some((at, number, _)) = run else { return pieces };
            begin = self.next(number);
            rest = &rest[at + 1..];
        }
    }

    /// Where the next instruction begins.
    fn next(&self, after: usize) -> Option<usize> {
        let all = self.lines.iter().map(|line| line.number).chain(self.ignored.iter().map(|(number, _)| *number));
        all.filter(|number| *number > after).min()
    }

    /// The lines from one, counted from 1, to before another.
    fn written(&self, from: usize, to: Option<usize>) -> String {
        let lines = self.text.lines().take(to.map_or(usize::MAX, |to| to - 1)).skip(from - 1);
        lines.map(|line| format!("{line}\n")).collect()
    }
}
