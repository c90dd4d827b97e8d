use super::*;

#[test]
fn every_task_of_a_worker_is_tried() {
    let targets = targets();
    let names: Vec<&str> = targets.iter().map(|target| target.task.as_str()).collect();
    for name in ["main", "prepare", "coordinator", "supervisor", "list shards"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    // A shard's task is named after it.
    assert!(names.iter().filter(|name| name.starts_with("shardId-")).count() >= 2, "{names:?}");
}

#[test]
fn drops_are_every_poll_and_then_some() {
    let target = Polled { node: VICTIM, task: "main".to_owned(), nth: 2, polls: 12 };
    let drops = drops(&[target], Stride { each_up_to: 3, then_every: 5 });
    assert_eq!(drops.iter().map(|cancel| cancel.poll).collect::<Vec<_>>(), [1, 2, 3, 5, 10]);
    assert!(drops.iter().all(|cancel| (cancel.task.as_str(), cancel.nth) == ("main", 2)));
}

/// A worker that never stops, or whose lease stays renewed unread, must not pass.
#[test]
fn the_judge_sees_what_is_wrong() {
    let cancel = Cancel { node: VICTIM, task: "supervisor".to_owned(), nth: 1, poll: 1 };
    let (entries, _, stuck) = run(None);
    assert_eq!(judge::judge(&entries, &options(), stuck.as_ref(), &cancel), [""; 0]);
    let without = |event: fn(&Event) -> bool| -> Vec<String> {
        let left: Vec<Entry> = entries.iter().filter(|entry| !event(&entry.event)).cloned().collect();
        judge::judge(&left, &options(), None, &cancel)
    };
    let unread = without(|event| matches!(event, Event::Read(VICTIM, ..)));
    assert!(unread.iter().any(|wrong| wrong.contains("nobody reads it")), "{unread:?}");
    let running = without(|event| matches!(event, Event::Stopped(VICTIM, _)));
    assert!(running.iter().any(|wrong| wrong.contains("never stops")), "{running:?}");
    let kept = without(|event| matches!(event, Event::Write(write) if write.write.verb() == kcl_core::Verb::Release));
    assert!(kept.iter().any(|wrong| wrong.contains("still belongs to")), "{kept:?}");
}

/// A few polls of every task; the tool tries them all.
#[test]
fn a_dropped_task_breaks_no_promise() {
    let drops = drops(&targets(), Stride { each_up_to: 2, then_every: 97 });
    let failures: Vec<_> = drops.iter().filter_map(drop_at).map(|failure| (failure.cancel, failure.wrong)).collect();
    assert!(failures.is_empty(), "{} of {}: {failures:#?}", failures.len(), drops.len());
}
