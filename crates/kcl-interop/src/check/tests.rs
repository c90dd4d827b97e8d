use super::*;
use crate::journal::parse;

/// A worker from lines like `5 record a 100 0 1`.
fn worker(name: &str, lines: &[&str]) -> Worker {
    let text: String = lines.iter().map(|line| format!("{}\n", line.replace(' ', "\t"))).collect();
    Worker { name: name.to_owned(), entries: parse(&text).unwrap() }
}

fn judge(acknowledged: impl IntoIterator<Item = u64>, workers: &[Worker]) -> Verdict {
    check(&acknowledged.into_iter().collect(), workers, &BTreeMap::new())
}

#[test]
fn a_clean_hand_over_is_clean() {
    let one = worker("one", &["1 start a TRIM_HORIZON 0 -", "2 record a 5 0 1", "2 record a 5 1 2", "3 checkpoint a 5 1 -"]);
    let other = worker("other", &["4 start a 5 1 -", "5 record a 9 0 3", "6 ending a - 0 -"]);
    assert_eq!(judge(1..=3, &[one, other]), Verdict { records: 3, ..Verdict::default() });
}

#[test]
fn what_nobody_processed_is_lost_and_what_came_again_is_counted() {
    let one = worker("one", &["1 start a TRIM_HORIZON 0 -", "2 record a 5 0 1", "2 record a 6 0 2"]);
    let other = worker("other", &["4 start a 5 0 -", "5 record a 6 0 2"]);
    let verdict = judge([1, 2, 7, 8], &[one, other]);
    assert_eq!((verdict.records, verdict.lost, verdict.duplicates), (4, vec![7, 8], 1));
    assert_eq!(verdict.broken, Vec::<String>::new());
}

#[test]
fn order_holes_and_tenures_are_judged_in_each_worker() {
    let backwards = worker("w", &["1 start a TRIM_HORIZON 0 -", "2 record a 5 1 1", "2 record a 5 0 2"]);
    let broken = judge([], &[backwards]).broken;
    assert!(broken[0].starts_with("records were left out") && broken[1].starts_with("a record out of order"), "{broken:?}");

    let complete = worker("v", &["1 start a TRIM_HORIZON 0 -", "2 record a 5 0 1", "2 record a 6 0 2", "2 record a 7 0 3"]);
    let hole = worker("w", &["3 start a 5 0 -", "4 record a 7 0 3"]);
    let broken = judge([], &[complete.clone(), hole]).broken;
    assert!(broken.len() == 1 && broken[0].starts_with("records were left out"), "{broken:?}");

    for end in ["lost", "shutdown", "ending"] {
        let late = worker("w", &["3 start a 5 0 -", &format!("4 {end} a - 0 -"), "5 record a 6 0 2"]);
        let broken = judge([], &[complete.clone(), late]).broken;
        assert!(broken.len() == 1 && broken[0].starts_with("a record outside of a tenure"), "{broken:?}");
    }
}

#[test]
fn a_tenure_that_begins_before_a_durable_checkpoint_is_named() {
    let one = worker("one", &["1 start a TRIM_HORIZON 0 -", "2 record a 5 3 1", "3 checkpoint a 5 3 -"]);
    let again = worker("again", &["4 start a 5 2 -", "5 record a 5 3 1"]);
    assert!(judge([1], &[one.clone(), again]).broken[0].contains("before a durable checkpoint"));
    let from_scratch = worker("again", &["4 start a TRIM_HORIZON 0 -"]);
    assert!(judge([1], &[one.clone(), from_scratch]).broken[0].contains("before a durable checkpoint"));
    let before = worker("before", &["2 start a TRIM_HORIZON 0 -"]);
    assert_eq!(judge([1], &[one, before]).broken, Vec::<String>::new());
}

#[test]
fn a_child_waits_for_each_of_its_parents() {
    let parents = BTreeMap::from([("c".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
    let judge = |lines: &[&str]| check(&BTreeSet::new(), &[worker("w", lines)], &parents).broken.len();
    assert_eq!(judge(&["1 ending a - 0 -", "2 ending b - 0 -", "2 start c TRIM_HORIZON 0 -"]), 0);
    assert_eq!(judge(&["1 ending a - 0 -", "2 start c TRIM_HORIZON 0 -", "3 ending b - 0 -"]), 1);
    assert_eq!(judge(&["2 start c TRIM_HORIZON 0 -"]), 2);
    assert_eq!(judge(&["2 start a TRIM_HORIZON 0 -"]), 0);
}
