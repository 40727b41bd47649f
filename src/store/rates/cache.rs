//! Rates of a cache.

use crate::model::CacheSample;
use crate::store::counter::{grown, per_second, share};

/// Lookups a hit ratio needs to mean anything.
const LOOKUPS: u64 = 100;

/// What a cache did between two samples.
#[derive(Clone, Debug, Default)]
pub struct CacheRates {
    /// Commands a second.
    pub commands: Option<f64>,
    /// Hits to lookups; `None` under a hundred lookups.
    pub hit_ratio: Option<f64>,
    /// Keys removed for want of space, a second.
    pub evictions: Option<f64>,
    /// Keys removed because their time was up, a second.
    pub expirations: Option<f64>,
    /// Connections refused since the previous sample.
    pub rejected: Option<u64>,
    /// Connections accepted a second.
    pub connections: Option<f64>,
    /// Writes refused for want of memory since the previous sample.
    pub oom_errors: Option<u64>,
    /// Clients dropped because their answers piled up, since the previous sample.
    pub output_drops: Option<u64>,
    /// Writes refused because saving failed since the previous sample.
    pub save_errors: Option<u64>,
    /// Share of one core that the thread that runs commands used.
    pub main_thread: Option<f64>,
    /// Commands by the time they took, most first.
    pub by_command: Vec<CommandRate>,
}

/// One command's part.
#[derive(Clone, Debug, Default)]
pub struct CommandRate {
    /// Its name.
    pub name: String,
    /// Calls a second.
    pub calls: f64,
    /// Share of wall time it kept the server busy, 0 to 1.
    pub busy: f64,
}

impl CacheRates {
    /// Rates from `a` to `b`; `None` when another server, or the same one started again, answered.
    pub(super) fn between(a: &CacheSample, b: &CacheSample, seconds: f64) -> Option<Self> {
        if a.run_id != b.run_id {
            return None;
        }
        let hits = grown(a.hits, b.hits);
        let lookups = hits.zip(grown(a.misses, b.misses)).map(|(hits, misses)| hits + misses);
        let cpu = a.main_thread_cpu.zip(b.main_thread_cpu).map(|(a, b)| b - a);
        Some(Self {
            commands: per_second(a.commands, b.commands, seconds),
            hit_ratio: hits
                .zip(lookups.filter(|n| *n >= LOOKUPS))
                .and_then(|(hits, all)| share(hits as f64, all as f64)),
            evictions: per_second(a.evicted, b.evicted, seconds),
            expirations: per_second(a.expired, b.expired, seconds),
            rejected: grown(a.rejected, b.rejected),
            connections: per_second(a.connections, b.connections, seconds),
            oom_errors: a.oom_errors.zip(b.oom_errors).and_then(|(a, b)| grown(a, b)),
            output_drops: a.output_drops.zip(b.output_drops).and_then(|(a, b)| grown(a, b)),
            save_errors: a.save_errors.zip(b.save_errors).and_then(|(a, b)| grown(a, b)),
            main_thread: cpu.and_then(|cpu| share(cpu, seconds)),
            by_command: commands(a, b, seconds),
        })
    }
}

fn commands(a: &CacheSample, b: &CacheSample, seconds: f64) -> Vec<CommandRate> {
    let mut out: Vec<_> = b
        .command_stats
        .iter()
        .filter_map(|now| {
            let before = a.command_stats.iter().find(|before| before.name == now.name);
            let (calls, micros) = before.map_or((0, 0), |before| (before.calls, before.micros));
            let calls = per_second(calls, now.calls, seconds).filter(|calls| *calls > 0.0)?;
            let busy = share(grown(micros, now.micros)? as f64, seconds * 1e6)?;
            Some(CommandRate { name: now.name.to_string(), calls, busy })
        })
        .collect();
    out.sort_by(|x, y| y.busy.total_cmp(&x.busy).then_with(|| x.name.cmp(&y.name)));
    out
}
