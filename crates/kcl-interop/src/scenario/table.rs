use super::reshard;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::scene::Scene;

pub(super) async fn foreign_table(scene: &mut Scene, writer: Kind, starter: Kind) -> Result<(), Failure> {
    scene.produce();
    // Nothing is seeded: the table, its first rows and those of the children are the writer's alone.
    let writer = scene.start(writer)?;
    scene.works(&writer).await?;
    let shards = scene.shards().await?;
    let first = shards.first().ok_or_else(|| Failure::new("the stream has no shard"))?;
    reshard::split(scene, first).await?;
    reshard::settled(scene).await?;
    scene.stop(&writer).await?;
    let starter = scene.start(starter)?;
    scene.balanced(&[&starter]).await?;
    scene.works(&starter).await?;
    scene.drain().await
}
