use crate::failure::Failure;
use crate::kind::Kind;
use crate::scene::Scene;

/// User records in each aggregate, and the one at which the first worker checkpoints.
const RECORDS: u64 = 10;
const CHECKPOINT: u64 = 3;

pub(super) async fn inside(scene: &mut Scene, first: Kind, second: Kind) -> Result<(), Failure> {
    if first != Kind::Rust {
        scene.seed().await?;
    }
    let shards = scene.shards().await?;
    for (number, shard) in (0..).zip(&shards) {
        // The second aggregate of a shard is in the same batch, maybe, and must not be begun.
        for half in [0, 1] {
            let from = (2 * number + half) * RECORDS;
            scene.put_aggregate(shard.hash_range.start, from..from + RECORDS).await?;
        }
    }
    let first = scene.start_with(first, &["--inside", &CHECKPOINT.to_string()])?;
    let everywhere = shards.len();
    scene
        .until("checkpointed inside of an aggregate of each shard", async |scene| {
            let rows = scene.rows().await;
            rows.len() == everywhere && rows.iter().all(|row| row.checkpoint.sub_sequence_number() == CHECKPOINT)
        })
        .await?;
    scene.stop(&first).await?;
    let second = scene.start(second)?;
    scene.balanced(&[&second]).await?;
    scene.drain().await
}
