use super::*;

const LIMITS: Limits = Limits { max_states: 10_000 };

/// Water jugs of 3 and 5 litres.
struct Jugs {
    forbidden: u8,
}

#[derive(Debug)]
enum Pour {
    FillSmall,
    FillBig,
    EmptySmall,
    EmptyBig,
    SmallToBig,
    BigToSmall,
}

impl Model for Jugs {
    type State = (u8, u8);
    type Action = Pour;

    fn initial_states(&self) -> Vec<(u8, u8)> {
        vec![(0, 0)]
    }

    fn actions(&self, _: &(u8, u8), actions: &mut Vec<Pour>) {
        use Pour::{BigToSmall, EmptyBig, EmptySmall, FillBig, FillSmall, SmallToBig};
        actions.extend([FillSmall, FillBig, EmptySmall, EmptyBig, SmallToBig, BigToSmall]);
    }

    fn next(&self, &(small, big): &(u8, u8), action: &Pour) -> Option<(u8, u8)> {
        let (to_big, to_small) = (small.min(5 - big), big.min(3 - small));
        Some(match action {
            Pour::FillSmall => (3, big),
            Pour::FillBig => (small, 5),
            Pour::EmptySmall => (0, big),
            Pour::EmptyBig => (small, 0),
            Pour::SmallToBig => (small - to_big, big + to_big),
            Pour::BigToSmall => (small + to_small, big - to_small),
        })
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        vec![Invariant { name: "the forbidden amount is never measured", holds: |jugs, state| state.1 != jugs.forbidden }]
    }

    fn explain(&self, _: &Self::State, action: &Self::Action) -> String {
        format!("{action:?}")
    }

    fn describe(&self, state: &(u8, u8)) -> String {
        format!("small={} big={}", state.0, state.1)
    }
}

#[test]
fn a_violation_is_found_on_a_shortest_way() {
    let outcome = explore(&Jugs { forbidden: 4 }, LIMITS);
    let (invariant, trace) = outcome.violation().unwrap();
    assert_eq!(invariant, "the forbidden amount is never measured");
    assert_eq!(trace.steps, ["FillBig", "BigToSmall", "EmptySmall", "BigToSmall", "FillBig", "BigToSmall"]);
    assert_eq!(trace.end, "small=3 big=4");
    let text = outcome.to_string();
    assert!(text.contains("   1. FillBig\n") && text.ends_with("=> small=3 big=4"), "{text}");
}

#[test]
fn a_clean_model_is_visited_whole_and_the_same_way_every_time() {
    let outcome = explore(&Jugs { forbidden: 9 }, LIMITS);
    assert!(outcome.is_clean());
    assert_eq!((outcome.states, outcome.depth), (16, 7));
    assert_eq!(explore(&Jugs { forbidden: 9 }, LIMITS), outcome);
}

#[test]
fn a_limit_proves_nothing() {
    let outcome = explore(&Jugs { forbidden: 9 }, Limits { max_states: 5 });
    assert_eq!(outcome.verdict, Verdict::LimitReached);
    assert!(!outcome.is_clean());
}

/// A walker on a line that is to reach 5; in the trap it can only go round in circles.
struct Walk {
    trap: Option<u8>,
}

impl Model for Walk {
    type State = u8;
    type Action = i8;

    fn initial_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, _: &u8, actions: &mut Vec<i8>) {
        actions.extend([1, -1, 100, 0]);
    }

    fn next(&self, state: &u8, action: &i8) -> Option<u8> {
        if *state >= 100 {
            // 100 and 101, for ever.
            return Some(100 + (*state + 1) % 2);
        }
        match action {
            100 => (self.trap == Some(*state)).then_some(100),
            by => state.checked_add_signed(*by).filter(|to| *to <= 5),
        }
    }

    fn invariants(&self) -> Vec<Invariant<Self>> {
        Vec::new()
    }

    fn goal(&self) -> Option<Predicate<Self>> {
        Some(|_, state| *state == 5)
    }

    fn explain(&self, _: &Self::State, action: &Self::Action) -> String {
        format!("{action:?}")
    }

    fn describe(&self, state: &u8) -> String {
        state.to_string()
    }
}

#[test]
fn a_cycle_without_a_way_to_the_goal_is_a_dead_end() {
    let outcome = explore(&Walk { trap: Some(2) }, LIMITS);
    let Verdict::DeadEnd { states, trace } = &outcome.verdict else { panic!("{outcome}") };
    assert_eq!(*states, 2);
    assert_eq!(trace.steps, ["1", "1", "100"]);
    assert_eq!(trace.end, "100");
}

#[test]
fn cycles_that_can_be_left_are_none() {
    assert!(explore(&Walk { trap: None }, LIMITS).is_clean());
}
