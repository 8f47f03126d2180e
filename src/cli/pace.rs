//! How many cases at once, and how long a step may take: of each verb that runs cases.

use std::{thread, time::Duration};

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Pace {
    /// Cases at the same time [default: as many as there are processors]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: Option<u16>,
    /// Seconds that a step may take where its author said nothing
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(super) timeout: Duration,
}

impl Pace {
    /// Cases at the same time: as many as were asked for, or as there are processors.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from)
    }

    /// The same where there are so many of them.
    pub(super) fn jobs_for(&self, cases: usize) -> usize {
        // Asking how many processors there are takes the reading of a few files.
        if cases < 2 { self.jobs.map_or(1, usize::from) } else { self.jobs() }
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds, more than 0, at most 3600".to_owned()),
    }
}
