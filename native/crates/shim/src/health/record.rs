//! What results of probes make of a container, by the rules of moby's `daemon/health.go`.

use std::collections::VecDeque;

use serde::Serialize;

/// Results that are kept.
const RESULTS_MAX: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Starting,
    Healthy,
    Unhealthy,
}

/// What became of one probe. Any code but 0 is a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub started_at_ns: i64,
    pub ended_at_ns: i64,
    pub exit_code: i32,
    pub output: String,
}

/// The answer to a daemon that asks, and `health.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub status: Status,
    pub failing_streak: u32,
    log: VecDeque<Outcome>,
}

impl Record {
    pub fn new() -> Self {
        Self {
            status: Status::Starting,
            failing_streak: 0,
            log: VecDeque::new(),
        }
    }

    /// Take a result; whether it changed the status. `is_early`: the probe began in the start period.
    pub fn take(&mut self, outcome: Outcome, is_early: bool, retries: u32) -> bool {
        let before = self.status;
        if outcome.exit_code == 0 {
            self.failing_streak = 0;
            self.status = Status::Healthy;
        } else if !is_early || self.status != Status::Starting {
            self.failing_streak = self.failing_streak.saturating_add(1);
            if self.failing_streak >= retries {
                self.status = Status::Unhealthy;
            }
        }
        if self.log.len() == RESULTS_MAX {
            self.log.pop_front();
        }
        self.log.push_back(outcome);
        self.status != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(exit_code: i32) -> Outcome {
        Outcome {
            started_at_ns: 1,
            ended_at_ns: 2,
            exit_code,
            output: String::new(),
        }
    }

    /// Codes of results, in upper case those of the start period, and what they make of it: `!` marks a change.
    #[test]
    fn results_make_states() {
        for (results, states) in [
            ("+", "healthy!0"),
            ("-", "starting 1"),
            ("---", "starting 1, starting 2, unhealthy!3"),
            ("----", "starting 1, starting 2, unhealthy!3, unhealthy 4"),
            ("--+", "starting 1, starting 2, healthy!0"),
            ("FFFF", "starting 0, starting 0, starting 0, starting 0"),
            ("FS-", "starting 0, healthy!0, healthy 1"),
            ("SFFF", "healthy!0, healthy 1, healthy 2, unhealthy!3"),
            ("F--", "starting 0, starting 1, starting 2"),
            (
                "---+-",
                "starting 1, starting 2, unhealthy!3, healthy!0, healthy 1",
            ),
        ] {
            let mut record = Record::new();
            let said: Vec<String> = results
                .chars()
                .map(|result| {
                    let code = i32::from(!"+S".contains(result));
                    let changed = record.take(outcome(code), "FS".contains(result), 3);
                    let mark = if changed { '!' } else { ' ' };
                    let status = format!("{:?}", record.status).to_lowercase();
                    format!("{status}{mark}{}", record.failing_streak)
                })
                .collect();
            assert_eq!(said.join(", "), states, "{results}");
        }
    }

    #[test]
    fn the_last_five_results_are_kept() {
        let mut record = Record::new();
        for code in 0..7 {
            record.take(outcome(code), false, 3);
        }
        let codes: Vec<i32> = record.log.iter().map(|one| one.exit_code).collect();
        assert_eq!(codes, [2, 3, 4, 5, 6]);
    }
}
