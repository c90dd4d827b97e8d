use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::java_log;
use crate::scenario::Play;
use crate::scene::Outcome;

/// What fleets of Java workers have logged in earlier runs.
const KNOWN: &str = include_str!("../../known/java-errors.txt");
/// How much is shown of what may be long.
const SHOWN: usize = 10;

/// Says how each scenario ended, what was wrong first and a line for each last. Yields whether none failed.
pub(super) fn print(outcomes: &[(Play, Outcome)], skipped: &[(String, Failure)]) -> bool {
    let mut known = java_log::listed(KNOWN);
    for (_, outcome) in outcomes.iter().filter(|(play, _)| play.is_all_java()) {
        known.extend(outcome.java.keys().cloned());
    }
    let judged: Vec<(&Play, &Outcome, Judgement)> =
        outcomes.iter().map(|(play, outcome)| (play, outcome, Judgement::of(play, outcome, &known))).collect();
    for (play, _, judgement) in &judged {
        for line in &judgement.details {
            println!("{}: {line}", play.name());
        }
    }
    println!();
    for (play, outcome, judgement) in &judged {
        let word = if judgement.fine() { "ok" } else { "failed" };
        println!("{}: {outcome}, java errors {}: {word}", play.name(), judgement.java_errors);
    }
    for (name, why) in skipped {
        println!("{name}: skipped ({why})");
    }
    judged.iter().all(|(.., judgement)| judgement.fine())
}

struct Judgement {
    java_errors: usize,
    /// What is wrong, a line for each.
    wrong: usize,
    details: Vec<String>,
}

impl Judgement {
    fn of(play: &Play, outcome: &Outcome, known: &BTreeSet<String>) -> Self {
        let mut wrong: Vec<String> = outcome.failed.iter().map(ToString::to_string).collect();
        let lost = &outcome.verdict.lost;
        if !lost.is_empty() {
            wrong.push(format!("lost: {:?}", &lost[..lost.len().min(SHOWN)]));
        }
        wrong.extend(outcome.verdict.broken.iter().take(SHOWN).cloned());
        let unknown = java_log::unknown(&outcome.java, known);
        let java_errors = unknown.values().sum();
        let mut details: Vec<String> = unknown.iter().map(|(shape, times)| format!("java error, {times} times: {shape}")).collect();
        if play.is_all_java() {
            // For the list of what is known.
            details.extend(outcome.java.iter().map(|(shape, times)| format!("all Java, {times} times: {shape}")));
        }
        details.extend(wrong.iter().cloned());
        Self { java_errors, wrong: wrong.len(), details }
    }

    const fn fine(&self) -> bool {
        self.wrong == 0 && self.java_errors == 0
    }
}
