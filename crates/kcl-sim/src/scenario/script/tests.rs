use kcl_core::ErrorKind;

use super::*;
use crate::scenario::Replacement;
use crate::world::Edit;

/// The script and the text it was written as.
macro_rules! both {
    ($script:expr) => {
        ($script, stringify!($script))
    };
}

fn without_space(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}

#[test]
fn its_text_is_the_rust_that_makes_it() {
    let (script, text) = both!(
        Script::new()
            .seed(0x2a)
            .workers(3)
            .shards(4)
            .failover(micros(2_500_000))
            .chaos(secs(90))
            .with(|options| options.start = StartStrategy::Timestamp(5))
            .with(|options| options.mixed = true)
            .with(|options| options.policy = Policy::Priorities)
            .with(|options| options.behaviour.panics = 7)
            .mutant(Mutant::ReopenAtLatest)
            .on(call(1, Api::Scan, 2), Fate::Stale(secs(3)))
            .on(call(1, Verb::Renew, 3), Fate::DelayApply(secs(6)))
            .on(call(2, Verb::Take, 1), Fate::Fail(ErrorKind::Throttled))
            .on(call(2, Api::List, 1), Fate::PartialListing(2))
            .at(secs(20), Action::Kill(1, Replacement::SameName))
            .at(micros(30_000_001), Action::Starve(0, 2, secs(9)))
            .at(secs(31), Action::JumpWall(0, -5))
            .at(secs(40), Action::Edit(0, Edit::Free))
            .at(secs(50), Action::Split(0))
    );
    // Numbers are shown without separators, or by their shortest name.
    let written = without_space(text).replace("micros(2_500_000)", "micros(2500000)").replace("30_000_001", "30000001");
    assert_eq!(without_space(&script.to_string()), written);
}

#[test]
fn what_never_happened_is_told() {
    let script = Script::new().chaos(secs(5)).settle(secs(30)).on(call(2, Verb::Take, 1_000), Fate::LoseReply);
    let report = script.run();
    assert_eq!(script.untried(&report), [(call(2, Verb::Take, 1_000), Fate::LoseReply)]);
}
