use crate::failure::Failure;
use crate::kind::Kind;
use crate::scene::Scene;

/// Records that are put after a change, so that every shard gets some.
const AFTER: usize = 60;

pub(super) async fn join_and_leave(scene: &mut Scene, first: Kind, second: Kind) -> Result<(), Failure> {
    prepare(scene, first).await?;
    let stays = scene.start(first)?;
    scene.balanced(&[&stays]).await?;
    // It starts with all that was put until then: what comes again is counted from where it has caught up.
    scene.more_records(AFTER).await?;
    scene.works(&stays).await?;
    let leaves = scene.start(second)?;
    scene.balanced(&[&stays, &leaves]).await?;
    scene.works(&stays).await?;
    scene.works(&leaves).await?;
    scene.stop(&leaves).await?;
    released(scene, second, &leaves).await?;
    scene.balanced(&[&stays]).await?;
    scene.more_records(AFTER).await?;
    scene.drain().await
}

pub(super) async fn kill(scene: &mut Scene, victim: Kind, survivor: Kind) -> Result<(), Failure> {
    prepare(scene, victim).await?;
    let victim = scene.start(victim)?;
    let survivor = scene.start(survivor)?;
    scene.balanced(&[&victim, &survivor]).await?;
    scene.works(&victim).await?;
    scene.works(&survivor).await?;
    scene.kill(&victim)?;
    scene.balanced(&[&survivor]).await?;
    scene.more_records(AFTER).await?;
    scene.drain().await
}

/// Workers of ours hand leases to each other while a worker that knows nothing of it takes part.
pub(super) async fn three(scene: &mut Scene, two: Kind, one: Kind) -> Result<(), Failure> {
    prepare(scene, two).await?;
    let first = scene.start(two)?;
    let between = scene.start(one)?;
    scene.balanced(&[&first, &between]).await?;
    scene.works(&between).await?;
    let second = scene.start(two)?;
    scene.balanced(&[&first, &between, &second]).await?;
    scene.works(&second).await?;
    scene.kill(&between)?;
    scene.balanced(&[&first, &second]).await?;
    let again = scene.start(one)?;
    scene.balanced(&[&first, &again, &second]).await?;
    scene.works(&again).await?;
    scene.stop(&first).await?;
    released(scene, two, &first).await?;
    scene.balanced(&[&again, &second]).await?;
    scene.more_records(AFTER).await?;
    scene.drain().await
}

pub(super) async fn rolling(scene: &mut Scene, from: Kind, to: Kind) -> Result<(), Failure> {
    prepare(scene, from).await?;
    let old = [scene.start(from)?, scene.start(from)?];
    scene.balanced(&[&old[0], &old[1]]).await?;
    let new = replace(scene, old, to).await?;
    replace(scene, new, from).await?;
    scene.more_records(AFTER).await?;
    scene.drain().await
}

/// A new worker comes, and when it works an old one goes, until all are new.
async fn replace(scene: &mut Scene, old: [String; 2], kind: Kind) -> Result<[String; 2], Failure> {
    let first = scene.start(kind)?;
    scene.works(&first).await?;
    scene.stop(&old[0]).await?;
    let second = scene.start(kind)?;
    scene.works(&second).await?;
    scene.stop(&old[1]).await?;
    scene.balanced(&[&first, &second]).await?;
    Ok([first, second])
}

/// Records on their way. A table for Java workers holds the rows of a first start; ours makes its own.
async fn prepare(scene: &mut Scene, first: Kind) -> Result<(), Failure> {
    if first != Kind::Rust {
        scene.seed().await?;
    }
    scene.produce();
    Ok(())
}

/// A worker of ours leaves no lease behind; a Java worker leaves them to expire.
async fn released(scene: &Scene, kind: Kind, name: &str) -> Result<(), Failure> {
    let left = scene.rows().await.iter().filter(|lease| lease.owner.as_ref().is_some_and(|owner| owner.as_str() == name)).count();
    if kind == Kind::Rust && left > 0 {
        return Err(Failure::new(format!("a worker that left still owns leases: worker={name} leases={left}")));
    }
    Ok(())
}
