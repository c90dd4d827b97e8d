use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::java_log::{self, Shapes};
use crate::scenario::Play;
use crate::scene::Outcome;

/// What fleets of Java workers have logged in earlier runs.
const ALL_JAVA: &str = include_str!("../../known/all-java.txt");
/// What Java workers log because of us, and may.
const DECIDED: &str = include_str!("../../known/decided.txt");
/// How much is shown of what may be long.
const SHOWN: usize = 10;

/// Says how each scenario ended: what was wrong first, and a line for each last. Yields whether none failed.
pub(super) fn print(outcomes: &[(Play, Outcome)], skipped: &[(String, Failure)]) -> bool {
    let mut usual = java_log::listed(ALL_JAVA);
    for (_, outcome) in outcomes.iter().filter(|(play, _)| play.is_all_java()) {
        usual.extend(outcome.java.keys().cloned());
    }
    let decided = java_log::listed(DECIDED);
    let judged: Vec<(&Play, &Outcome, Judgement)> =
        outcomes.iter().map(|(play, outcome)| (play, outcome, Judgement::of(outcome, &usual, &decided))).collect();
    for (play, outcome, judgement) in &judged {
        let twin = outcomes.iter().find(|(other, _)| *other == play.all_java()).filter(|_| !play.is_all_java());
        if let Some((_, twin)) = twin {
            let (ours, java) = (outcome.verdict.duplicates, twin.verdict.duplicates);
            println!("{}: duplicates {ours}, with Java workers only {java}", play.name());
        }
        if play.is_all_java() {
            named(play, "a fleet of Java workers logs", &outcome.java);
        }
        named(play, "java error, as decided", &judgement.decided);
        named(play, "java error", &judgement.unknown);
        judgement.wrong.iter().for_each(|wrong| println!("{}: {wrong}", play.name()));
    }
    println!();
    for (play, outcome, judgement) in &judged {
        let word = if judgement.is_fine() { "ok" } else { "failed" };
        println!("{}: {outcome}, java errors {}: {word}", play.name(), judgement.java_errors());
    }
    for (name, why) in skipped {
        println!("{name}: skipped ({why})");
    }
    judged.iter().all(|(.., judgement)| judgement.is_fine())
}

fn named(play: &Play, what: &str, shapes: &Shapes) {
    for (shape, times) in shapes {
        println!("{}: {what}, {times} times: {shape}", play.name());
    }
}

/// What is to be said against an outcome.
#[derive(Debug, Default)]
struct Judgement {
    unknown: Shapes,
    decided: Shapes,
    wrong: Vec<String>,
}

impl Judgement {
    fn of(outcome: &Outcome, usual: &BTreeSet<String>, decided: &BTreeSet<String>) -> Self {
        let mut wrong: Vec<String> = outcome.failed.iter().map(ToString::to_string).collect();
        let lost = &outcome.verdict.lost;
        if !lost.is_empty() {
            wrong.push(format!("lost: {:?}", &lost[..lost.len().min(SHOWN)]));
        }
        wrong.extend(outcome.verdict.broken.iter().take(SHOWN).cloned());
        let unusual = java_log::unknown(&outcome.java, usual);
        let (decided, unknown) = unusual.into_iter().partition(|(shape, _)| decided.contains(shape));
        Self { unknown, decided, wrong }
    }

    fn java_errors(&self) -> usize {
        self.unknown.values().chain(self.decided.values()).sum()
    }

    fn is_fine(&self) -> bool {
        self.unknown.is_empty() && self.wrong.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn only_what_is_neither_usual_nor_decided_fails() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let judge = |names: &[&str]| {
            let java = names.iter().map(|name| ((*name).to_owned(), 2)).collect();
            let judgement = Judgement::of(&Outcome { java, ..Outcome::default() }, &set(&["usual"]), &set(&["decided"]));
            (judgement.java_errors(), judgement.is_fine())
        };
        assert_eq!(judge(&["usual"]), (0, true));
        assert_eq!(judge(&["usual", "decided"]), (2, true));
        assert_eq!(judge(&["decided", "new"]), (4, false));
    }

    #[test]
    fn a_lost_record_fails_and_a_duplicate_does_not() {
        let fine = |lost: &[u64], duplicates| {
            let verdict = Verdict { records: 9, lost: lost.to_vec(), duplicates, broken: Vec::new() };
            let outcome = Outcome { verdict, ..Outcome::default() };
            Judgement::of(&outcome, &BTreeSet::new(), &BTreeSet::new()).is_fine()
        };
        assert!(fine(&[], 5) && !fine(&[7], 0));
    }

    #[test]
    fn the_lists_are_disjoint_and_not_empty() {
        let (all_java, decided) = (java_log::listed(ALL_JAVA), java_log::listed(DECIDED));
        assert!(!all_java.is_empty() && !decided.is_empty() && all_java.is_disjoint(&decided));
    }
}
