//! One screen of what somebody is working on: failures first, then what has just run, then how it all stands.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{
    Tally,
    pretty::{self, DIM, GREEN, PLAIN, RED, YELLOW},
};
use crate::{
    result::{CaseResult, Verdict},
    scenario::{Invalid, model::Scenario},
};

/// How each scenario stands, whenever it ran last.
#[derive(Debug, Default)]
pub struct Standing {
    scenarios: BTreeMap<String, Stand>,
}

#[derive(Debug, Default)]
struct Stand {
    tally: Tally,
    duration: Duration,
    /// Of what is not as expected, its lines, the first of them what it is.
    wrong: Vec<String>,
    /// Why some of it was skipped.
    skipped: Option<String>,
}

/// What has just been done.
#[derive(Debug, Default)]
pub struct Round {
    /// Why: the file that was saved; empty at the beginning.
    pub after: String,
    /// Names of the scenarios that ran.
    pub ran: Vec<String>,
    /// How long that took.
    pub took: Duration,
    /// Anything may be otherwise than on the last screen.
    pub is_news: bool,
    /// What stood in the way of all.
    pub error: Option<String>,
}

impl Standing {
    /// Forgets a scenario: it runs anew, or is gone.
    pub fn forget(&mut self, scenario: &str) {
        self.scenarios.remove(scenario);
    }

    /// Names of those that it knows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scenarios.keys().map(String::as_str)
    }

    /// A case has run.
    pub fn case(&mut self, scenario: &Scenario, result: &CaseResult) {
        let stand = self.scenarios.entry(scenario.name.clone()).or_default();
        stand.tally.count(result);
        stand.duration += result.duration;
        if let Verdict::Skip(skip) = &result.verdict {
            stand.skipped.get_or_insert_with(|| skip.reason.clone());
        }
        stand.wrong.extend(pretty::told(scenario, result));
    }

    /// A file is no valid scenario.
    pub fn invalid(&mut self, invalid: &Invalid) {
        let stand = self.scenarios.entry(invalid.scenario.clone()).or_default();
        stand.tally.invalid += 1;
        stand.wrong.push(format!("{RED}invalid{PLAIN} {}", invalid.scenario));
        stand.wrong.extend(invalid.to_string().lines().map(str::to_owned));
        stand.wrong.push(String::new());
    }

    /// The screen; of this many lines and columns where that is known.
    #[must_use]
    pub fn screen(&self, round: &Round, size: Option<(usize, usize)>) -> String {
        let mut foot: Vec<String> = self.ran(round);
        if !foot.is_empty() {
            foot.push(String::new());
        }
        foot.push(self.summary(round));
        let mut head: Vec<String> = round.error.iter().flat_map(|error| error.lines()).map(str::to_owned).collect();
        head.extend(self.wrong_first(round).flat_map(|stand| stand.wrong.iter().cloned()));
        if let Some((rows, columns)) = size {
            let fit = |lines: &[String]| {
                lines.iter().flat_map(|line| pretty::fitted(line, Some(columns))).collect::<Vec<_>>()
            };
            (head, foot) = (fit(&head), fit(&foot));
            // What has passed gives way to what has not, of which something is always shown. Between and below are blank lines, that which
            // says what to press, and the cursor's.
            let fits = |head: &[String], foot: &[String]| head.len() + foot.len() + 4 <= rows;
            while foot.len() > 3 && !fits(&head, &foot) {
                foot.remove(0);
            }
            if !fits(&head, &foot) {
                cut(&mut head, rows.saturating_sub(foot.len() + 4).max(4));
            }
        }
        if head.last().is_some_and(|last| !last.is_empty()) {
            head.push(String::new());
        }
        head.into_iter().chain(foot).fold(String::new(), |all, line| all + &line + "\n")
    }

    /// Those that have just run before the others.
    fn wrong_first<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = &'a Stand> {
        let just = |name: &String| round.ran.contains(name);
        let wrong =
            move |now: bool| self.scenarios.iter().filter(move |(name, _)| just(name) == now).map(|(_, stand)| stand);
        wrong(true).chain(wrong(false))
    }

    /// A line for each that has just run and is as expected.
    fn ran(&self, round: &Round) -> Vec<String> {
        let good = round.ran.iter().filter_map(|name| Some((name, self.scenarios.get(name)?)));
        good.filter(|(_, stand)| stand.wrong.is_empty())
            .map(|(name, stand)| {
                let cases =
                    if stand.tally.passed > 1 { format!(" ({} cases)", stand.tally.passed) } else { String::new() };
                match &stand.skipped {
                    Some(reason) if stand.tally.passed == 0 => {
                        format!("{YELLOW}skip{PLAIN}  {name}  {DIM}{reason}{PLAIN}")
                    }
                    _ => {
                        let millis = stand.duration.as_secs_f64() * 1000.0;
                        format!("{GREEN}pass{PLAIN}  {name}{cases}  {DIM}{millis:.1} ms{PLAIN}")
                    }
                }
            })
            .collect()
    }

    fn summary(&self, round: &Round) -> String {
        let mut all = Tally::default();
        self.scenarios.values().for_each(|stand| all.add(&stand.tally));
        let ran = match round.ran.len() {
            1 => "1 scenario".to_owned(),
            count => format!("{count} scenarios"),
        };
        let mut text = format!("{}  {DIM}{ran} in {:.2} s", pretty::counts(&all), round.took.as_secs_f64());
        if !round.after.is_empty() {
            let _ = write!(text, " after {}", round.after);
        }
        text + PLAIN
    }
}

/// Leaves so many lines, and says how many more there are.
fn cut(lines: &mut Vec<String>, rows: usize) {
    if lines.len() > rows {
        let keep = rows.saturating_sub(1);
        let more = lines.len() - keep;
        lines.truncate(keep);
        lines.push(format!("{PLAIN}{DIM}… and {more} more lines: caplab run{PLAIN}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_has_no_more_rows_than_there_are() {
        let mut standing = Standing::default();
        for (name, wrong) in [("a/bad", 50), ("b/good", 0), ("c/bad", 3)] {
            let wrong =
                (0..wrong).map(|line| format!("{RED}{name}{PLAIN} line {line} {}", "long ".repeat(20))).collect();
            standing.scenarios.insert(name.to_owned(), Stand { wrong, ..Stand::default() });
        }
        let ran = ["a/bad", "b/good", "c/bad"].map(str::to_owned).to_vec();
        let round = Round { ran, ..Round::default() };
        let whole = standing.screen(&round, None);
        assert!(whole.contains("a/bad") && whole.contains("c/bad") && whole.contains("line 49"));
        for rows in [12, 24, 60] {
            let screen = standing.screen(&round, Some((rows, 80)));
            let seen: usize = screen.lines().map(|line| crate::text::width(line).div_ceil(80).max(1)).sum();
            // With the line that says what to press, one before it and the cursor's.
            assert!(seen + 3 <= rows, "{seen} of {rows}:\n{screen}");
            assert!(screen.contains("a/bad") && screen.contains("more lines"), "{screen}");
        }
    }
}
