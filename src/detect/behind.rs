//! What stands behind a cache while a namespace of it is cleared: every lookup that misses now asks the
//! databases. Told beside the clear, with a warning when both turn: a stampede.

use super::db_load::busy;
use crate::model::words::{count, many};
use crate::model::{DatabaseSample, TargetId, Timestamp};
use crate::store::{Store, Target};

/// The hit ratio fell by so much: a stampede may begin, and is over above the second.
const FELL: (f64, f64) = (0.15, 0.10);
/// A database has so many times the busy sessions it had, and at least so many more; the second pair ends it.
const ROSE: [(f64, u64); 2] = [(2.0, 4), (1.5, 2)];
/// Where nothing is known of before, a hit ratio below this counts as fallen.
const POOR: f64 = 0.5;
/// Databases told of, the busiest first.
const TOLD: usize = 3;

/// The hit ratio of a cache and the load of the databases, before a clear and now.
#[derive(Clone, Debug, Default)]
pub struct Behind {
    cache: Option<TargetId>,
    hit_before: Option<f64>,
    busy_before: Vec<(TargetId, u64)>,
    lines: Vec<String>,
    rush: Option<String>,
}

impl Behind {
    /// What is so before the clear begins.
    #[must_use]
    pub fn before(store: &Store, cache: &TargetId, now: Timestamp) -> Self {
        let ratio = store
            .caches(now)
            .find(|(target, _)| target.info.id == *cache)
            .and_then(|(target, _)| target.cache_window()?.hit_ratio);
        let databases = store.databases(now).map(|(target, it)| (target.info.id.clone(), busy(it)));
        Self {
            cache: Some(cache.clone()),
            hit_before: ratio,
            busy_before: databases.collect(),
            ..Self::default()
        }
    }

    /// Takes in how it is now.
    pub fn look(&mut self, store: &Store, now: Timestamp) {
        let Some(cache) = &self.cache else { return };
        let hit = store
            .caches(now)
            .find(|(target, _)| target.info.id == *cache)
            .and_then(|(target, _)| {
                Some(target.cache_rates()?.hit_ratio.or(target.cache_window()?.hit_ratio))
            })
            .flatten();
        let mut databases: Vec<_> =
            store.databases(now).map(|(target, sample)| self.database(target, sample)).collect();
        for (id, before) in &self.busy_before {
            if !databases.iter().any(|it| it.id == *id) {
                databases.push(Database {
                    id: id.clone(),
                    busy: None,
                    before: Some(*before),
                    says: String::new(),
                });
            }
        }
        databases.sort_by_key(|it| std::cmp::Reverse(it.busy.map_or(u64::MAX, |busy| busy)));
        let ongoing = usize::from(self.rush.is_some());
        let fell = self.fell(hit, ongoing);
        let turned = databases.iter().find(|it| it.rose(ongoing));
        self.rush = turned.filter(|_| fell).map(|it| self.warning(hit, it));
        self.lines = vec![self.lookups(hit)];
        self.lines.extend(databases.iter().take(TOLD).map(Database::line));
        if databases.is_empty() {
            self.lines.push("what answers the misses is not watched: no database is polled".into());
        }
    }

    /// How it is now beside how it was, a line each: lookups first, then the databases.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The misses are more than the databases bear easily, in words.
    #[must_use]
    pub fn rush(&self) -> Option<&str> {
        self.rush.as_deref()
    }

    fn fell(&self, hit: Option<f64>, ongoing: usize) -> bool {
        let by = if ongoing == 0 { FELL.0 } else { FELL.1 };
        match (self.hit_before, hit) {
            (Some(before), Some(hit)) => hit <= before - by,
            (None, Some(hit)) => hit < POOR,
            (_, None) => false,
        }
    }

    fn lookups(&self, hit: Option<f64>) -> String {
        match (hit, self.hit_before) {
            (Some(hit), Some(before)) => {
                format!("lookups hit {} ({} before)", percent(hit), percent(before))
            }
            (Some(hit), None) => format!("lookups hit {}", percent(hit)),
            (None, _) => "too few lookups to tell how many hit".into(),
        }
    }

    fn warning(&self, hit: Option<f64>, it: &Database) -> String {
        let hit = hit.map_or_else(String::new, percent);
        let fell = match self.hit_before {
            Some(before) => format!("lookups that hit fell from {} to {hit}", percent(before)),
            None => format!("only {hit} of lookups hit"),
        };
        let id = &it.id;
        match (it.busy, it.before) {
            (None, _) => format!("stampede: {fell}, and {id} does not answer"),
            (Some(busy), Some(before)) => {
                let busy = many(busy, "session", "sessions");
                format!("stampede: {fell}, and {id} has {busy} busy, {} before", count(before))
            }
            (Some(busy), None) => {
                format!("stampede: {fell}, and {id} has {} busy", many(busy, "session", "sessions"))
            }
        }
    }

    fn database(&self, target: &Target, sample: &DatabaseSample) -> Database {
        let id = target.info.id.clone();
        let before = self.busy_before.iter().find(|(known, _)| *known == id).map(|(_, busy)| *busy);
        let usable = sample.max_connections.saturating_sub(sample.reserved_connections);
        let rate =
            target.database_rates().and_then(|rates| rates.transactions).map_or_else(String::new, pace);
        let says = format!(" of {} usable sessions{rate}", count(u64::from(usable)));
        Database { id, busy: Some(busy(sample)), before, says }
    }
}

/// One database beside a clear.
struct Database {
    id: TargetId,
    /// Sessions at work; `None` when it does not answer.
    busy: Option<u64>,
    before: Option<u64>,
    says: String,
}

impl Database {
    fn rose(&self, ongoing: usize) -> bool {
        let Some(busy) = self.busy else { return true };
        let (times, more) = ROSE[ongoing.min(1)];
        let before = self.before.unwrap_or(0);
        busy >= before + more && busy as f64 >= before as f64 * times
    }

    fn line(&self) -> String {
        let Some(busy) = self.busy else { return format!("{} does not answer", self.id) };
        let before = self.before.map_or_else(String::new, |it| format!(" ({} before)", count(it)));
        format!("{} {} busy{before}{}", self.id, count(busy), self.says)
    }
}

fn pace(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, never below zero")]
    let rate = rate.max(0.0).round() as u64;
    format!(", {} tx/s", count(rate))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
