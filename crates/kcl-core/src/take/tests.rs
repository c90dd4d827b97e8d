use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;
use crate::Checkpoint;

const FAILOVER: Duration = Duration::from_secs(10);

/// A worker and what it may do.
struct Taker<'a> {
    me: &'a str,
    max_leases: usize,
    leases_to_acquire: usize,
    hand_off: bool,
    /// The owners that hand leases off, a letter each.
    handing_off: &'a str,
    settled: Settled,
}

impl Taker<'_> {
    /// What it plans that sees this table: one letter a lease, of the owner, or `.` free since this moment, `l` free for two
    /// scans, `o` free for long, `x` expired, `*` live under this worker's name and not held. A capital letter is the lease
    /// of a finished shard. `+` is a lease of `a` that `m` asks for, `-` one that `q` asks for, `=` one that was transferred to
    /// `m`.
    fn plan(&self, table: &str) -> TakePlan {
        let me = WorkerId::from(self.me);
        let row = |(index, letter): (usize, char)| {
            let mut lease = Lease::new(LeaseKey::new(format!("shard-{index}")), Checkpoint::TrimHorizon);
            let owner = match letter {
                '*' => self.me.to_owned(),
                '+' | '-' => "a".to_owned(),
                '=' => "m".to_owned(),
                other => other.to_lowercase().to_string(),
            };
            lease.tenure = Some(TenureToken::new(1));
            lease.hands_off = self.handing_off.contains(&owner).then(|| WorkerId::new(owner.clone())).filter(|_| letter != '=');
            lease.owner = (!".lo".contains(letter)).then(|| WorkerId::new(owner));
            lease.requested_by = match letter {
                '+' => Some("m".into()),
                '-' => Some("q".into()),
                _ => None,
            };
            if letter.is_uppercase() {
                lease.checkpoint = Checkpoint::ShardEnd;
            }
            let (standing, age) = match letter {
                '.' => (Standing::Unowned, Duration::ZERO),
                'l' => (Standing::Unowned, FAILOVER),
                'o' => (Standing::Unowned, FAILOVER * 4),
                'x' => (Standing::Expired, FAILOVER),
                _ => (Standing::Live, Duration::ZERO),
            };
            (lease, standing, age, letter)
        };
        let rows: Vec<_> = table.chars().enumerate().map(row).collect();
        let leases: Vec<_> = rows.iter().map(|(lease, standing, age, _)| (lease, *standing, *age)).collect();
        let mine = rows.iter().filter(|(lease, .., letter)| lease.is_owned_by(&me) && !"*=".contains(*letter));
        let held = mine.map(|(lease, ..)| lease.key.clone()).collect();
        let input = TakeInput {
            me: &me,
            held: &held,
            leases: &leases,
            avoid: &BTreeSet::new(),
            max_leases: self.max_leases,
            leases_to_acquire: self.leases_to_acquire,
            hand_off: self.hand_off,
            failover: FAILOVER,
            settled: self.settled,
        };
        plan_takes(&input, &mut ChaCha8Rng::seed_from_u64(7))
    }
}

/// What the worker `m` plans while others come and go.
fn plan(table: &str, max_leases: usize, leases_to_acquire: usize) -> TakePlan {
    Taker { me: "m", max_leases, leases_to_acquire, hand_off: true, handing_off: "m", settled: Settled::Nothing }.plan(table)
}

#[test]
fn how_many_are_taken_and_stolen() {
    // (table, max_leases, leases_to_acquire) -> (taken in all, of them stolen)
    let cases = [
        ("", 9, 1, 0, 0, "no lease"),
        ("....", 9, 1, 4, 0, "alone: everything, whatever leases_to_acquire says"),
        ("....", 3, 1, 3, 0, "never above max_leases"),
        ("a...", 9, 1, 2, 0, "the fair share of the unowned"),
        ("aa..", 9, 1, 2, 0, "the fair share exactly"),
        ("mmmm", 9, 1, 0, 0, "nothing left to take"),
        ("xxxx", 9, 1, 4, 0, "expired leases do not count for their owner"),
        ("aaxx", 9, 1, 2, 0, "a dead worker's leases"),
        ("aaaa", 9, 1, 1, 1, "one stolen in a round"),
        ("aaaa", 9, 5, 2, 2, "as many as make it even, no more"),
        ("aaaaa", 9, 5, 2, 2, "two of five: taking a third would only move the excess"),
        ("am", 9, 5, 0, 0, "even"),
        ("aam", 9, 5, 0, 0, "a difference of one is as even as it gets"),
        ("aaam", 9, 5, 1, 1, "a difference of two is not"),
        ("aaaabbm", 9, 5, 1, 1, "from whoever has most, until nobody has two more"),
        ("aaaa.", 9, 5, 1, 0, "no stealing in a round with free leases"),
        ("aaaa", 1, 5, 1, 1, "stealing respects max_leases"),
        ("mmmm", 1, 5, 0, 0, "above max_leases: nothing more"),
        ("aaao", 9, 1, 1, 0, "left alone for long: taken"),
        ("maaooo", 9, 1, 3, 0, "left alone for long: taken above the fair share"),
        ("mmoo", 3, 1, 1, 0, "but not above max_leases"),
        ("**aa", 9, 1, 0, 0, "what an earlier process of this name left will be this worker's: even"),
        ("*aaa", 9, 5, 1, 1, "not even"),
        ("**a.", 9, 1, 0, 0, "it counts when free leases are dealt out"),
        ("***", 9, 1, 0, 0, "and nobody may take it before it expires"),
        ("AAAA", 9, 5, 0, 0, "the leases of finished shards stay where they are"),
        ("AAaam", 9, 5, 0, 0, "one unfinished lease more: moving it would only move the excess"),
        ("AAaaam", 9, 5, 1, 1, "until the unfinished ones are even"),
        ("MMMaaa", 9, 5, 0, 0, "even by number: a Java worker would take one back"),
        ("MMaaaa", 9, 5, 1, 1, "until they are even by number"),
        ("AAAAAabbbm", 9, 5, 1, 1, "from whoever has most that may move"),
    ];
    for (table, max_leases, leases_to_acquire, taken, stolen, why) in cases {
        let plan = plan(table, max_leases, leases_to_acquire);
        assert_eq!((plan.takes.len(), plan.stolen), (taken, stolen), "{table:?}: {why}");
    }
}

#[test]
fn what_moves_is_not_finished() {
    for table in ["AAAaaam", "aaaAAAm", "AaAaAabbbb"] {
        let plan = plan(table, 100, 100);
        assert!(plan.stolen > 0, "{table}");
        for take in plan.takes {
            let index: usize = take.write.key().trim_start_matches("shard-").parse().unwrap();
            assert!(table.as_bytes()[index].is_ascii_lowercase(), "{table}");
        }
    }
}

#[test]
fn each_lease_once_and_never_my_own() {
    for table in ["......", "aaaabbbbm", "xxmm..", "aabbccddm"] {
        let plan = plan(table, 100, 100);
        let keys: BTreeSet<_> = plan.takes.iter().map(|take| take.write.key().clone()).collect();
        assert_eq!(keys.len(), plan.takes.len(), "{table}");
        for key in keys {
            let index: usize = key.trim_start_matches("shard-").parse().unwrap();
            assert_ne!(table.as_bytes()[index], b'm', "{table}");
        }
    }
}

#[test]
fn every_take_has_a_token_of_its_own() {
    let tokens = |table| -> Vec<_> {
        let takes = plan(table, 100, 100).takes.into_iter();
        takes.map(|take| if let Change::Update(update) = take.write.change() { update.tenure } else { None }).collect()
    };
    for (table, taken) in [("......", 6), ("aaaabbbbm", 2)] {
        let tokens = tokens(table);
        let distinct: BTreeSet<_> = tokens.iter().flatten().collect();
        assert_eq!((tokens.len(), distinct.len()), (taken, taken), "{table}");
    }
}

#[test]
fn a_lease_to_avoid_is_left_alone() {
    let me = WorkerId::from("m");
    let lease = Lease::new("shard".into(), Checkpoint::TrimHorizon);
    let avoid = BTreeSet::from([lease.key.clone()]);
    let leases = [(&lease, Standing::Unowned, Duration::ZERO)];
    let input = TakeInput {
        me: &me,
        held: &BTreeSet::new(),
        leases: &leases,
        avoid: &avoid,
        max_leases: 9,
        leases_to_acquire: 1,
        hand_off: true,
        failover: FAILOVER,
        settled: Settled::AllLeases,
    };
    assert!(plan_takes(&input, &mut ChaCha8Rng::seed_from_u64(1)).takes.is_empty());
}

#[test]
fn a_rejected_take_is_sent_again_only_to_the_owner_it_was_meant_for() {
    let me = WorkerId::from("m");
    let token = TenureToken::new;
    let row = |owner: Option<&str>, counter| {
        let mut lease = Lease::new("shard".into(), Checkpoint::TrimHorizon);
        lease.owner = owner.map(WorkerId::from);
        lease.counter = crate::LeaseCounter::new(counter);
        lease
    };
    let ended = Lease { checkpoint: Checkpoint::ShardEnd, ..row(Some("a"), 5) };
    let planned = |owner, from_live| PlannedTake { write: LeaseWrite::take(&row(owner, 3), &me, token(1)), from_live };
    let cases = [
        (planned(Some("a"), true), row(Some("a"), 5), true, "it renewed"),
        (planned(Some("a"), true), ended, false, "it finished the shard"),
        (planned(Some("a"), true), row(Some("b"), 5), false, "it lost the lease"),
        (planned(Some("a"), true), row(None, 5), false, "it gave it up"),
        (planned(Some("a"), true), row(Some("m"), 4), false, "it is ours: an earlier answer was lost"),
        (planned(Some("a"), false), row(Some("a"), 5), false, "it had expired and has come back"),
        (planned(None, false), row(Some("a"), 5), false, "somebody was faster"),
    ];
    for (take, current, again, why) in cases {
        let sent = take.again(&current, &me, token(2));
        let expected = again.then(|| LeaseWrite::take(&current, &me, token(2)));
        assert_eq!(sent.map(|take| take.write), expected, "{why}");
    }
}

#[test]
fn during_a_java_hand_over_the_lease_is_its_checkpoint_owners() {
    let me = WorkerId::from("m");
    // Owner and checkpoint owner of one lease, whether it is still renewed -> whose it counts as, whether it is taken.
    let cases = [
        ("b", "a", Standing::Live, Some("a"), false, "the old owner still works"),
        ("m", "a", Standing::Live, Some("a"), false, "also when we are to be next"),
        ("b", "m", Standing::Live, None, false, "ours from before a restart: it is not resumed"),
        ("b", "a", Standing::Expired, None, true, "the old owner died in the middle"),
        ("m", "a", Standing::Expired, None, true, "and we were to be next"),
        ("b", "m", Standing::Expired, None, true, "it was us who died"),
    ];
    for (owner, checkpoint_owner, standing, counted, taken, why) in cases {
        let mut lease = Lease::new("shard".into(), Checkpoint::TrimHorizon);
        (lease.owner, lease.checkpoint_owner) = (Some(owner.into()), Some(checkpoint_owner.into()));
        let input = TakeInput {
            me: &me,
            held: &BTreeSet::new(),
            leases: &[(&lease, standing, FAILOVER)],
            avoid: &BTreeSet::new(),
            max_leases: 9,
            leases_to_acquire: 1,
            hand_off: true,
            failover: FAILOVER,
            settled: Settled::Nothing,
        };
        let plan = plan_takes(&input, &mut ChaCha8Rng::seed_from_u64(7));
        assert_eq!(plan.others, counted.map(WorkerId::from).into_iter().collect(), "{why}");
        let rows: Vec<Lease> = plan.takes.iter().map(|take| take.write.apply(Some(&lease)).unwrap().unwrap()).collect();
        assert_eq!(rows.len(), usize::from(taken), "{why}");
        for row in rows {
            assert_eq!((row.owner, row.checkpoint_owner), (Some(me.clone()), None), "the marker is removed: {why}");
        }
    }
}

#[test]
fn rows_that_are_due_are_read_before_anything_is_taken() {
    let me = WorkerId::from("m");
    let row = |index: usize, owner: &str| {
        let mut lease = Lease::new(LeaseKey::new(format!("shard-{index}")), Checkpoint::TrimHorizon);
        lease.owner = Some(owner.into());
        lease
    };
    // Two live workers with a lease each, and four of a dead one.
    let rows: Vec<Lease> = ["m", "a", "d", "d", "d", "d"].iter().enumerate().map(|(index, owner)| row(index, owner)).collect();
    let held = BTreeSet::from([rows[0].key.clone()]);
    let plan = |dead: Standing| {
        let standing = |index: usize| if index < 2 { Standing::Live } else { dead };
        let leases: Vec<_> = rows.iter().enumerate().map(|(index, lease)| (lease, standing(index), FAILOVER)).collect();
        let avoid = BTreeSet::new();
        let (max_leases, leases_to_acquire) = (9, 1);
        let input = TakeInput {
            me: &me,
            held: &held,
            leases: &leases,
            avoid: &avoid,
            max_leases,
            leases_to_acquire,
            hand_off: true,
            failover: FAILOVER,
            settled: Settled::AllLeases,
        };
        plan_takes(&input, &mut ChaCha8Rng::seed_from_u64(7))
    };
    let (due, expired) = (plan(Standing::Due), plan(Standing::Expired));
    assert_eq!((due.reads.len(), due.takes.len()), (2, 0), "its part only");
    let taken: Vec<LeaseKey> = expired.takes.iter().map(|take| take.write.key().clone()).collect();
    assert_eq!((taken, expired.reads), (due.reads, vec![]), "what was read is taken");
}

#[test]
fn what_is_left_over_goes_to_those_who_take() {
    // Everybody sees the same table. Each worker may hold so many. -> how many each takes if no worker has come or gone for some scans, and if one has.
    type Case = (&'static str, &'static [(&'static str, usize)], &'static [usize], &'static [usize], &'static str);
    let cases: [Case; 9] = [
        ("abbbccclll", &[("a", 1), ("b", 9), ("c", 9)], &[0, 2, 1], &[0, 0, 0], "`a` is full: the others share what it leaves"),
        ("abbbccc...", &[("a", 1), ("b", 9), ("c", 9)], &[0, 0, 0], &[0, 0, 0], "it has just been dealt its part"),
        ("abbccllll", &[("a", 9), ("b", 9), ("c", 9)], &[2, 1, 1], &[2, 1, 1], "who has less may take its part at last"),
        ("aaabbblll", &[("a", 3), ("b", 3)], &[0, 0], &[0, 0], "never above max_leases"),
        ("abbbccclll", &[("a", 1), ("b", 9), ("c", 3)], &[0, 2, 0], &[0, 0, 0], "the next who is full leaves its part in turn"),
        ("bbbcccdlll", &[("b", 9), ("c", 9), ("d", 1)], &[2, 1, 0], &[1, 0, 0], "what is `b`'s both ways it takes once"),
        ("aal", &[("a", 9)], &[1], &[1], "alone: everything, as ever"),
        ("aabbl", &[("a", 2), ("b", 9)], &[0, 1], &[0, 0], "nobody has less: the odd one goes to whoever takes it"),
        ("aabbbl", &[("a", 2), ("b", 9)], &[0, 1], &[0, 0], "or beyond that, rather than nobody reads it"),
    ];
    for (table, workers, settled, unsettled, why) in cases {
        let expected = [(Settled::AllLeases, settled), (Settled::FreeLeases, settled), (Settled::Nothing, unsettled)];
        for (settled, expected) in expected {
            let taken = |(me, max_leases): &(&str, usize)| everybody_sees(table, me, *max_leases, settled);
            let taken: Vec<usize> = workers.iter().map(taken).collect();
            assert_eq!(taken, expected, "{table}, {settled:?}: {why}");
        }
    }
}

fn everybody_sees(table: &str, me: &str, max_leases: usize, settled: Settled) -> usize {
    let takes = Taker { me, max_leases, leases_to_acquire: 1, hand_off: true, handing_off: "m", settled }.plan(table).takes;
    let distinct: BTreeSet<&LeaseKey> = takes.iter().map(|take| take.write.key()).collect();
    assert_eq!(distinct.len(), takes.len(), "{table}: each lease once");
    takes.len()
}

/// What `m` plans where the owners `a` and `m` hand leases off.
fn among_ours(table: &str, leases_to_acquire: usize, hand_off: bool, settled: Settled) -> TakePlan {
    Taker { me: "m", max_leases: 99, leases_to_acquire, hand_off, handing_off: "am", settled }.plan(table)
}

#[test]
fn owners_that_hand_off_are_asked() {
    // (table, leases_to_acquire, hand_off) -> (asked for, stolen, taken in all)
    let cases = [
        ("aaaa", 1, true, 2, 0, 0, "as many as make it even, whatever leases_to_acquire says"),
        ("aaaa", 1, false, 0, 1, 1, "not by a worker that does not ask"),
        ("bbbb", 1, true, 0, 1, 1, "nor from one that does not hand off"),
        ("aaabbb", 9, true, 1, 1, 1, "from each as it is"),
        ("aaaA", 1, true, 1, 0, 0, "the lease of a finished shard stays"),
        ("+aaa", 1, true, 1, 0, 0, "what is asked for already counts"),
        ("++aa", 1, true, 0, 0, 0, "and is enough"),
        ("--aa", 1, true, 0, 0, 0, "so does what somebody else asks for"),
        ("-aaaaa", 1, true, 2, 0, 0, "who is another worker"),
        ("=m", 1, true, 0, 0, 1, "what was transferred is taken"),
        ("=mmm", 1, true, 0, 0, 1, "whatever the share"),
        ("=m", 1, false, 0, 0, 0, "but is not known to one that does not ask"),
        ("+aaa.", 1, true, 0, 0, 1, "nothing is asked for in a round with free leases"),
    ];
    for (table, leases_to_acquire, hand_off, asked_for, stolen, taken, why) in cases {
        let plan = among_ours(table, leases_to_acquire, hand_off, Settled::Nothing);
        assert_eq!((plan.requests.len(), plan.stolen, plan.takes.len()), (asked_for, stolen, taken), "{table:?}: {why}");
    }
}

#[test]
fn the_last_lease_above_the_share_waits_for_those_who_have_less() {
    // Fourteen leases and three workers: four each and two over. `m` has four.
    let cases = [
        (Settled::Nothing, "aaaaaaaaa-mmmm", 0),
        (Settled::FreeLeases, "aaaaaaaaa-mmmm", 0),
        (Settled::AllLeases, "aaaaaaaaa-mmmm", 1),
        (Settled::Nothing, "aaaaaabbbbmmmm", 1),
        (Settled::Nothing, "aaaaaaaaaammmm", 3),
    ];
    for (settled, table, asked_for) in cases {
        assert_eq!(among_ours(table, 1, true, settled).requests.len(), asked_for, "{table} {settled:?}");
    }
}

#[test]
fn whoever_has_its_share_by_leases_of_finished_shards_asks_for_others_once_the_rest_wants_no_more() {
    // Twenty leases of which nine are not finished: five each. `m` has six, one of them unfinished, `a` eight and three.
    let table = "aaaAAAAAmMMMMMbbbccC";
    for (settled, asked_for) in [(Settled::Nothing, 0), (Settled::FreeLeases, 0), (Settled::AllLeases, 1)] {
        assert_eq!(among_ours(table, 1, true, settled).requests.len(), asked_for, "{settled:?}");
    }
}

#[test]
fn no_more_is_asked_for_at_a_time_than_can_be_watched() {
    assert_eq!(among_ours(&"a".repeat(200), 1, true, Settled::Nothing).requests.len(), 32);
    assert_eq!(among_ours(&format!("{}{}", "+".repeat(30), "a".repeat(170)), 1, true, Settled::Nothing).requests.len(), 2);
}

#[test]
fn what_somebody_asks_for_is_not_counted_by_its_owner() {
    let plan =
        Taker { me: "a", max_leases: 9, leases_to_acquire: 1, hand_off: true, handing_off: "a", settled: Settled::Nothing };
    let plan = plan.plan("--aa");
    assert_eq!((plan.held, plan.others.len(), plan.requests.len()), (2, 1, 0));
}

#[test]
fn a_lease_that_is_being_handed_off_is_still_held() {
    for (max_leases, taken) in [(5, 1), (4, 0)] {
        let plan =
            Taker { me: "a", max_leases, leases_to_acquire: 1, hand_off: true, handing_off: "a", settled: Settled::Nothing };
        assert_eq!(plan.plan("--aa....bb").takes.len(), taken, "four held, two of them on their way: at most {max_leases}");
    }
}
