use super::*;
use crate::spec::bfs::{Limits, explore};

const LIMITS: Limits = Limits { max_states: 20_000_000 };

#[test]
#[allow(clippy::disallowed_methods, reason = "measuring")]
fn probe() {
    let counter = std::env::var("PC").ok().and_then(|v| v.parse().ok()).unwrap_or(3);
    let on = |name: &str| std::env::var(name).is_ok();
    let num = |name: &str, d: u8| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let bounds = Bounds {
        counter,
        in_flight: usize::from(num("PF", 2)),
        crashes: num("PCR", 1),
        pauses: num("PP", 0),
        out_of_order: on("POO"),
        prepares: on("PPR"),
        describes: on("PD"),
        deletes: on("PDEL"),
        twice: on("PT"),
        slow_answers: on("PSL"),
        strict_takes: on("PST"),
    };
    let mutant = match num("PM", 0) {
        1 => Some(Mutant::UnconditionalCheckpoint),
        2 => Some(Mutant::CheckpointExpectsOwnerOnly),
        3 => Some(Mutant::TakeKeepsCounter),
        4 => Some(Mutant::RowCreatedAgain),
        7 => Some(Mutant::ConfirmedByOwnerAndCounter),
        _ => None,
    };
    let rules: Vec<Rule> = match num("PR", 0) {
        0 => Rule::ALL.to_vec(),
        5 => vec![Rule::S5],
        7 => vec![Rule::S7],
        9 => vec![Rule::S9],
        _ => vec![],
    };
    let start = std::time::Instant::now();
    let mut model = LeaseModel::watching(bounds, mutant, &rules);
    if on("PG") {
        model = model.seeking_goal();
    }
    println!("{}", explore(&model, LIMITS));
    println!("{:?} {}", start.elapsed(), model.sizes());
}
