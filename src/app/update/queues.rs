//! Which queue is meant, and whether it can be told anything.

use super::moves;
use crate::app::{App, RowKey, Tab};
use crate::model::{Intent, PauseReach, QueueChange, Sample, pause_reach};

/// What would be done to the selected queue: a paused one is resumed, any other is paused.
pub(super) fn intent(app: &App) -> Result<Intent, String> {
    let none = || "no queue is selected: 6 and Enter list them".to_owned();
    let Some(RowKey::Target(row)) = (moves::tab(app) == Some(Tab::Queues)).then(|| moves::row(app)).flatten()
    else {
        return Err(none());
    };
    let id = row.target();
    let target = app.world.store.target(&id).ok_or_else(none)?;
    let Some(Sample::Queue(sample)) = target.sample.as_ref().map(|sample| &sample.it) else {
        return Err(none());
    };
    let queue = sample.queues.iter().find(|queue| id.row(queue.name.as_str()) == row).ok_or_else(none)?;
    let reach = pause_reach(&target.info.kind).map_err(str::to_owned)?;
    let to = if queue.paused == Some(true) { QueueChange::Resume } else { QueueChange::Pause };
    let queue = (reach == PauseReach::One).then(|| queue.name.to_string());
    Ok(Intent::PauseQueue { target: id, queue, to })
}
