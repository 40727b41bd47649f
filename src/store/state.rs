//! The store itself: readings in, questions answered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::rates::{Rates, throughput};
use super::{Metric, Ring, Series, Target, TargetInfo};
use crate::model::{
    AppSample, At, Backend, CacheSample, DatabaseSample, HostSample, Mark, PooledClient, PoolerSample,
    ProxySample, QueueSample, Reading, Sample, TargetId, Timestamp,
};

/// Deploy marks kept.
const MARKS: usize = 200;

/// Everything that is known now.
#[derive(Clone, Debug, Default)]
pub struct Store {
    targets: Vec<Arc<Target>>,
    by_id: Arc<BTreeMap<TargetId, usize>>,
    series: Series,
    marks: VecDeque<At<Mark>>,
    dropped: u64,
    /// When it was last looked for what is to be forgotten.
    pruned: Timestamp,
}

impl Store {
    /// A store for these targets, in their order.
    #[must_use]
    pub fn new(targets: impl IntoIterator<Item = TargetInfo>) -> Self {
        let targets: Vec<_> = targets.into_iter().map(|info| Arc::new(Target::new(info))).collect();
        let by_id = Arc::new(places(&targets));
        Self { targets, by_id, ..Self::default() }
    }

    /// A store that has heard nothing yet, for the same targets; the deploy marks stay.
    #[must_use]
    pub fn begun_anew(&self) -> Self {
        let infos = self.configured().map(|target| target.info.clone());
        Self { marks: self.marks.clone(), dropped: self.dropped, ..Self::new(infos) }
    }

    /// Takes one reading in; one of an unknown target is counted as dropped.
    pub fn take(&mut self, at: Timestamp, reading: Reading) {
        let place = self.by_id.get(&reading.target).copied().or_else(|| self.add_row(&reading.target));
        let Some(target) = place.and_then(|n| self.targets.get_mut(n)) else {
            self.dropped += 1;
            return;
        };
        let failed = reading.sample.is_err();
        let target = Arc::make_mut(target);
        target.take(at, reading);
        if failed {
            let id = target.info.id.clone();
            self.series.gap(&id, at);
            return;
        }
        if let Some(rates) = &target.rates {
            throughput(&target.info.id, rates, |id, value| {
                self.series.push(id, Metric::Throughput, at, value);
            });
        }
        if let Some(rates) = target.cache_window() {
            self.series.push(&target.info.id, Metric::HitRatio, at, rates.hit_ratio);
        }
        match target.sample.as_deref() {
            Some(At { it: Sample::Queue(sample), .. }) => {
                for queue in &sample.queues {
                    let id = target.info.id.row(queue.name.as_str());
                    self.series.push(&id, Metric::Depth, at, Some(queue.depth as f64));
                }
            }
            Some(At { it: Sample::Proxy(sample), .. }) => {
                for backend in &sample.backends {
                    let id = target.info.id.row(backend.name.as_str());
                    self.series.push(&id, Metric::InFlight, at, Some(backend.in_flight as f64));
                }
            }
            _ => {}
        }
    }

    /// Makes place for a row that answers for itself, below a target that is known: a machine of a fleet.
    fn add_row(&mut self, id: &TargetId) -> Option<usize> {
        id.row_name()?;
        let parent = *self.by_id.get(&id.target())?;
        let info = TargetInfo { id: id.clone(), ..self.targets.get(parent)?.info.clone() };
        let place = self.targets.len();
        self.targets.push(Arc::new(Target::new(info)));
        Arc::make_mut(&mut self.by_id).insert(id.clone(), place);
        Some(place)
    }

    /// Adds a point to a series; `detect` does so with the value a resource is judged by.
    pub fn chart(&mut self, target: &TargetId, metric: Metric, at: Timestamp, value: Option<f64>) {
        self.series.push(target, metric, at, value);
    }

    /// Takes a deploy mark in; the same mark twice is one mark.
    pub fn mark(&mut self, mark: At<Mark>) {
        if self.marks.iter().any(|known| known.it.id == mark.it.id) {
            return;
        }
        let place = self.marks.partition_point(|known| known.at <= mark.at);
        self.marks.insert(place, mark);
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
    }

    /// Counts readings that were lost on the way here.
    pub const fn lost(&mut self, readings: u64) {
        self.dropped += readings;
    }

    /// Readings dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets rows, and series of rows, not heard of for longer than a ring holds. Looks every ten seconds.
    pub fn prune(&mut self, now: Timestamp) {
        if now.since(self.pruned) < Duration::from_secs(10) {
            return;
        }
        self.pruned = now;
        let oldest = now.minus(Duration::from_secs(900));
        self.series.prune(oldest);
        let is_gone = |target: &Target| {
            target.info.id.row_name().is_some() && target.heard.is_none_or(|heard| heard < oldest)
        };
        if self.targets.iter().any(|target| is_gone(target)) {
            self.targets.retain(|target| !is_gone(target));
            self.by_id = Arc::new(places(&self.targets));
        }
    }

    /// The targets of the config, in its order.
    pub fn configured(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().map(|target| &**target).filter(|target| target.info.id.row_name().is_none())
    }

    /// The targets in the config's order, and behind them the rows that answer for themselves.
    #[must_use]
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// One target, by its id or by the id of one of its rows.
    #[must_use]
    pub fn target(&self, id: &TargetId) -> Option<&Target> {
        let at = self.by_id.get(id).or_else(|| self.by_id.get(&id.target()))?;
        self.targets.get(*at).map(|target| &**target)
    }

    /// The same store as it stood when its targets were these: for stepping back in time.
    #[must_use]
    pub fn rewound(&self, targets: &[Arc<Target>]) -> Self {
        Self { targets: targets.to_vec(), by_id: Arc::new(places(targets)), ..self.clone() }
    }

    /// The course of a value.
    #[must_use]
    pub fn course(&self, target: &TargetId, metric: Metric) -> Option<&Ring> {
        self.series.get(target, metric)
    }

    /// The deploy marks, oldest first.
    pub fn marks(&self) -> impl DoubleEndedIterator<Item = &At<Mark>> {
        self.marks.iter()
    }

    /// The last deploy before `at` and not more than `within` before it.
    #[must_use]
    pub fn deploy_before(&self, at: Timestamp, within: Duration) -> Option<&At<Mark>> {
        self.marks.iter().rev().find(|mark| mark.at <= at).filter(|mark| at.since(mark.at) <= within)
    }

    /// Every host that can be believed, with its rates.
    pub fn hosts(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &HostSample)> {
        self.fresh(now, |sample| match sample {
            Sample::Host(host) => Some(&**host),
            _ => None,
        })
    }

    /// Every database that can be believed.
    pub fn databases(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &DatabaseSample)> {
        self.fresh(now, |sample| match sample {
            Sample::Database(database) => Some(&**database),
            _ => None,
        })
    }

    /// Every connection pooler that can be believed.
    pub fn poolers(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &PoolerSample)> {
        self.fresh(now, |sample| match sample {
            Sample::Pooler(pooler) => Some(&**pooler),
            _ => None,
        })
    }

    /// Every app server that can be believed.
    pub fn apps(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &AppSample)> {
        self.fresh(now, |sample| match sample {
            Sample::App(app) => Some(&**app),
            _ => None,
        })
    }

    /// The client that a pooler lets use this session now: by process id, and by the database the pool
    /// leads to, since another server may have the same process id.
    #[must_use]
    pub fn client_behind(&self, now: Timestamp, it: &Backend) -> Option<(&Target, &PooledClient)> {
        self.poolers(now).find_map(|(target, sample)| {
            let client = sample.links.iter().find(|link| link.pid == it.key.pid)?;
            let pool = sample.pools.iter().find(|pool| pool.database == client.database)?;
            let leads_to = pool.server.as_str().rsplit('/').next();
            (leads_to == Some(it.database.as_str())).then_some((target, client))
        })
    }

    /// Every cache that can be believed.
    pub fn caches(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &CacheSample)> {
        self.fresh(now, |sample| match sample {
            Sample::Cache(cache) => Some(&**cache),
            _ => None,
        })
    }

    /// Every target with worker queues that can be believed.
    pub fn queues(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &QueueSample)> {
        self.fresh(now, |sample| match sample {
            Sample::Queue(queue) => Some(&**queue),
            _ => None,
        })
    }

    /// Every proxy that can be believed.
    pub fn proxies(&self, now: Timestamp) -> impl Iterator<Item = (&Target, &ProxySample)> {
        self.fresh(now, |sample| match sample {
            Sample::Proxy(proxy) => Some(&**proxy),
            _ => None,
        })
    }

    fn fresh<'a, T: 'a>(
        &'a self,
        now: Timestamp,
        pick: impl Fn(&'a Sample) -> Option<&'a T> + 'a,
    ) -> impl Iterator<Item = (&'a Target, &'a T)> {
        self.targets
            .iter()
            .filter_map(move |target| target.fresh(now).and_then(&pick).map(|sample| (&**target, sample)))
    }
}

fn places(targets: &[Arc<Target>]) -> BTreeMap<TargetId, usize> {
    targets.iter().enumerate().map(|(place, target)| (target.info.id.clone(), place)).collect()
}

impl Target {
    /// Rates since the previous answer, if they are a host's.
    #[must_use]
    pub const fn host_rates(&self) -> Option<&super::HostRates> {
        match &self.rates {
            Some(Rates::Host(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates since the previous answer, if they are a database's.
    #[must_use]
    pub const fn database_rates(&self) -> Option<&super::DatabaseRates> {
        match &self.rates {
            Some(Rates::Database(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates of one database since the previous answer, if they are a pooler's.
    #[must_use]
    pub fn pooler_rates(&self, database: &str) -> Option<&super::PoolerRates> {
        match &self.rates {
            Some(Rates::Pooler(rows)) => rows.get(database),
            _ => None,
        }
    }

    /// Rates since the previous answer, if they are a cache's.
    #[must_use]
    pub const fn cache_rates(&self) -> Option<&super::CacheRates> {
        match &self.rates {
            Some(Rates::Cache(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates over the window, if they are a cache's.
    #[must_use]
    pub const fn cache_window(&self) -> Option<&super::CacheRates> {
        match &self.window {
            Some(Rates::Cache(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates over the window, if they are those of queues.
    #[must_use]
    pub const fn queue_window(&self) -> Option<&super::RowRates<super::QueueRates>> {
        match &self.window {
            Some(Rates::Queue(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates over the window, if they are an app server's.
    #[must_use]
    pub const fn app_window(&self) -> Option<&super::AppRates> {
        match &self.window {
            Some(Rates::App(rates)) => Some(rates),
            _ => None,
        }
    }

    /// Rates over the window, if they are a proxy's, by backend and by `backend/server`.
    #[must_use]
    pub const fn proxy_window(&self) -> Option<&super::RowRates<super::ProxyRates>> {
        match &self.window {
            Some(Rates::Proxy(rates)) => Some(rates),
            _ => None,
        }
    }
}
