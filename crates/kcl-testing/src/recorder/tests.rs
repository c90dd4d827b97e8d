use kcl_core::SequenceNumber;

use super::*;

fn at(number: u64) -> ExtendedSequenceNumber {
    ExtendedSequenceNumber::new(SequenceNumber::from(number), 0)
}

fn recorder(delivered: u64) -> RecordingCheckpointer {
    let recorder = RecordingCheckpointer::for_shard("shardId-000000000007");
    recorder.deliver(at(delivered));
    recorder
}

#[tokio::test]
async fn keeps_what_is_stored_in_order_and_once() {
    let recorder = recorder(20);
    let checkpointer = recorder.checkpointer();
    let first = checkpointer.fencing_token();
    for number in [9, 9, 10] {
        checkpointer.checkpoint(at(number)).await.unwrap();
    }
    checkpointer.checkpoint_latest().await.unwrap();
    let stored = [9, 10, 20].map(|number| Checkpoint::At(at(number)));
    assert_eq!(recorder.checkpoints(), stored);
    assert_eq!(recorder.stored(), stored[2]);
    assert_eq!(checkpointer.fencing_token(), first + 3, "the second 9 was no write");
    assert_eq!(checkpointer.lease().shard_id, "shardId-000000000007");
}

#[tokio::test]
async fn only_what_was_delivered_and_not_passed_can_be_checkpointed() {
    let recorder = RecordingCheckpointer::for_shard("s");
    let checkpointer = recorder.checkpointer();
    checkpointer.checkpoint_latest().await.unwrap();
    assert!(matches!(checkpointer.checkpoint(at(1)).await, Err(CheckpointError::OutOfRange { .. })));
    recorder.deliver(at(10));
    recorder.deliver(at(9));
    checkpointer.checkpoint(at(10)).await.unwrap();
    for outside in [9, 11] {
        let error = checkpointer.checkpoint(at(outside)).await.unwrap_err();
        let CheckpointError::OutOfRange { position, lowest, highest } = error else { panic!("{error}") };
        assert_eq!(position, Checkpoint::At(at(outside)));
        assert_eq!((lowest, highest), (Checkpoint::At(at(10)), Checkpoint::At(at(10))));
    }
    assert_eq!(recorder.checkpoints().len(), 1);
}

#[tokio::test]
async fn the_end_needs_an_ended_shard_and_is_final() {
    let recorder = recorder(3);
    let checkpointer = recorder.checkpointer();
    assert!(matches!(checkpointer.end().await, Err(CheckpointError::NotEnded)));
    recorder.end_shard();
    checkpointer.checkpoint(at(2)).await.unwrap();
    checkpointer.end().await.unwrap();
    checkpointer.end().await.unwrap();
    assert!(matches!(checkpointer.checkpoint(at(3)).await, Err(CheckpointError::OutOfRange { .. })));
    assert_eq!(recorder.checkpoints(), [Checkpoint::At(at(2)), Checkpoint::ShardEnd]);
}

#[tokio::test]
async fn a_lost_lease_or_a_worker_that_is_gone_stores_nothing() {
    let (gone, lost) = (recorder(3), recorder(3));
    gone.shut_down();
    assert!(matches!(gone.checkpointer().checkpoint(at(3)).await, Err(CheckpointError::ShuttingDown)));
    lost.lose_lease();
    lost.shut_down();
    lost.end_shard();
    assert!(matches!(lost.checkpointer().checkpoint(at(3)).await, Err(CheckpointError::LeaseLost)));
    assert!(matches!(lost.checkpointer().end().await, Err(CheckpointError::LeaseLost)));
    assert!(matches!(lost.checkpointer().prepare(at(3), None).await, Err(CheckpointError::LeaseLost)));
    assert!(gone.checkpoints().is_empty() && lost.checkpoints().is_empty());
}

#[tokio::test]
async fn a_refusal_of_the_store_is_for_one_write() {
    let recorder = recorder(3);
    recorder.refuse_next(ErrorKind::Denied);
    let error = recorder.checkpointer().checkpoint(at(3)).await.unwrap_err();
    assert!(matches!(error, CheckpointError::Store(source) if source.kind() == ErrorKind::Denied));
    recorder.checkpointer().checkpoint(at(3)).await.unwrap();
}

#[tokio::test]
async fn a_proposal_is_committed_or_goes_to_the_next_tenure() {
    let recorder = recorder(9);
    let prepared = recorder.checkpointer().prepare(at(4), None).await.unwrap();
    assert!(recorder.checkpoints().is_empty());
    assert_eq!(recorder.pending().unwrap().checkpoint, *prepared.checkpoint());
    prepared.commit().await.unwrap();
    assert_eq!((recorder.pending(), recorder.stored()), (None, Checkpoint::At(at(4))));

    recorder.checkpointer().prepare(at(8), Some("state".into())).await.unwrap();
    let old = recorder.checkpointer();
    let next = recorder.next_tenure().checkpointer();
    assert!(matches!(old.checkpoint(at(9)).await, Err(CheckpointError::LeaseLost)));
    assert_eq!(next.lease().start_position, Checkpoint::At(at(4)));
    assert_eq!(next.lease().pending.as_ref().unwrap().state.as_deref(), Some(b"state".as_slice()));
    assert!(next.fencing_token() > old.fencing_token());
}
