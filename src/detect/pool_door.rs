//! `postgres.connections` of a pooler's databases: one that an operator closed lets nobody in.

use super::{Assessment, View};
use crate::model::{PooledDatabase, PoolerSample, Remedy, Resource, Severity};
use crate::store::Target;

/// Judges every database of every pooler.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let one = |(target, sample): (&Target, &PoolerSample)| {
        let all = sample.databases.iter().map(|database| judge(target, sample, database));
        all.collect::<Vec<_>>()
    };
    view.store.poolers(view.now).flat_map(one).collect()
}

fn judge(target: &Target, sample: &PoolerSample, database: &PooledDatabase) -> Assessment {
    let row = target.info.id.row(database.name.as_str());
    let it = Assessment::new("pool_door", Resource::PostgresConnections, row);
    let waiting: u64 = sample
        .pools
        .iter()
        .filter(|pool| pool.database == database.name)
        .map(|pool| pool.clients_waiting)
        .fold(0, u64::saturating_add);
    let name = &database.name;
    if database.disabled {
        return it
            .at_least(Severity::Warning)
            .says(format!("{name} is disabled at the pooler: it refuses every new client"))
            .remedy(Remedy::advice(format!("when that is over, say ENABLE {name} at the pooler's console")));
    }
    if database.paused && waiting == 0 {
        return it.says(format!("{name} is paused at the pooler: whoever comes waits until RESUME {name}"));
    }
    // Who waits is judged by pool.
    it.says(format!("{name} is open"))
}
