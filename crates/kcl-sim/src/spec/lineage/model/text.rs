use super::{Action, State};
use crate::spec::lineage::stream::members;

pub(super) fn explain(action: Action) -> String {
    let shards = |bits: u8| members(bits).map(|shard| shard.to_string()).collect::<Vec<_>>().join(", ");
    match action {
        Action::Reshard => "the stream is resharded".to_owned(),
        Action::Trim(shard) => format!("the stream forgets {shard}"),
        Action::Sync(worker, plan) => {
            format!("worker {worker} plans rows at LATEST [{}], at TRIM_HORIZON [{}]", shards(plan.latest), shards(plan.oldest))
        }
        Action::Create(worker, shard) => format!("worker {worker} creates {shard}"),
        Action::Crash(worker) => format!("worker {worker} dies"),
        Action::Start(shard) => format!("{shard} is started"),
        Action::Checkpoint(shard) => format!("{shard} is read past its start"),
        Action::CreateChild(parent, child) => format!("the reader of {parent} creates {child}"),
        Action::End(shard) => format!("the end of {shard} is durable"),
        Action::Gone(shard) => format!("the reader of {shard} finds it gone"),
        Action::Delete(shard) => format!("the row of {shard} is deleted"),
        Action::JavaDelete(shard) => format!("a Java worker deletes the row of {shard}"),
    }
}

pub(super) fn describe(state: &State) -> String {
    let rows: Vec<String> = state.rows.iter().enumerate().map(|(shard, row)| format!("{shard} {row:?}")).collect();
    format!(
        "reshards {}, trimmed {:?}, rows [{}], on their way {:?}, started {:?}, ended {:?}",
        state.reshards,
        members(state.trimmed).collect::<Vec<_>>(),
        rows.join(", "),
        state.pending,
        members(state.started).collect::<Vec<_>>(),
        members(state.ended).collect::<Vec<_>>()
    )
}
