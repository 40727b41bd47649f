//! The text of INFO, read by what it holds and not by what version it claims.

use std::collections::HashMap;

use crate::model::{
    CacheReplica, CacheSample, ClusterSample, CommandStat, KeySizes, Persistence, ReplicaLink, SafeText,
    Timestamp,
};

/// INFO as fields; the lines of all sections share one space of names.
pub(super) struct Info<'a> {
    fields: HashMap<&'a str, &'a str>,
    order: Vec<(&'a str, &'a str)>,
    errors_told: bool,
}

impl<'a> Info<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let order: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.trim_end().split_once(':'))
            .collect();
        Self {
            fields: order.iter().copied().collect(),
            order,
            errors_told: text.lines().any(|line| line.trim_end() == "# Errorstats"),
        }
    }

    /// Whether it is INFO at all.
    pub(super) fn is_sound(&self) -> bool {
        self.fields.contains_key("used_memory") || self.fields.contains_key("redis_version")
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).copied().filter(|text| !text.is_empty())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("1")
    }

    /// `redis 7.0.15`: the forks report a Redis version they are compatible with beside their own.
    fn product(&self) -> String {
        let own = [("valkey_version", "valkey"), ("dragonfly_version", "dragonfly")];
        for (field, name) in own {
            if let Some(version) = self.text(field) {
                return format!("{name} {}", version.trim_start_matches("df-").trim_start_matches('v'));
            }
        }
        let name = if self.text("executable").is_some_and(|path| path.contains("keydb")) {
            "keydb"
        } else {
            "redis"
        };
        format!("{} {}", self.text("server_name").unwrap_or(name), self.text("redis_version").unwrap_or("?"))
    }

    /// A member of a cluster: it holds only its own share of the keys.
    pub(super) fn is_cluster(&self) -> bool {
        let mode = self.text("server_mode").or_else(|| self.text("redis_mode"));
        mode == Some("cluster") || self.flag("cluster_enabled")
    }

    /// The server's clock.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        self.number("server_time_usec").map(Timestamp::from_micros)
    }

    /// Keys, and of those the ones with an expiry, of one database or of all.
    pub(super) fn keys(&self, only: Option<i64>) -> (u64, u64) {
        let wanted = only.map(|number| format!("db{number}"));
        let mut sum = (0, 0);
        for (name, value) in &self.order {
            let is_database = name
                .strip_prefix("db")
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
            if !is_database || wanted.as_deref().is_some_and(|wanted| wanted != *name) {
                continue;
            }
            sum.0 += part(value, "keys").unwrap_or(0);
            sum.1 += part(value, "expires").unwrap_or(0);
        }
        sum
    }

    /// How large the keys of a database are, by type, where the server counts them: Redis from 8 on.
    /// `db0_distrib_hashes_items:8=12,64K=1`: a bin is named by the least that is in it.
    pub(super) fn key_sizes(&self, database: i64) -> Vec<KeySizes> {
        const TYPES: [(&str, &str, u64); 5] = [
            ("strings_sizes", "string", 1 << 20),
            ("lists_items", "list", 1 << 14),
            ("sets_items", "set", 1 << 14),
            ("zsets_items", "zset", 1 << 14),
            ("hashes_items", "hash", 1 << 14),
        ];
        let of = |(field, kind, limit): (&str, &str, u64)| {
            let text = self.text(&format!("db{database}_distrib_{field}"))?;
            let bins = text.split(',').filter_map(|bin| {
                let (least, keys) = bin.split_once('=')?;
                // One counter was seen to run below zero.
                let keys = keys.parse().ok().filter(|keys| (1..u64::MAX / 2).contains(keys))?;
                Some((binary(least)?, keys))
            });
            let bins: Vec<(u64, u64)> = bins.collect();
            Some(KeySizes {
                kind: SafeText::new(kind),
                keys: bins.iter().map(|bin| bin.1).fold(0, u64::saturating_add),
                most: bins.iter().map(|bin| bin.0).max()?,
                large: bins.iter().filter(|bin| bin.0 >= limit).fold(0, |sum, bin| sum.saturating_add(bin.1)),
                limit,
            })
        };
        TYPES.into_iter().filter_map(of).collect()
    }

    fn command_stats(&self) -> Vec<CommandStat> {
        let mut stats: Vec<_> = self
            .order
            .iter()
            .filter_map(|(name, value)| {
                Some(CommandStat {
                    name: SafeText::new(name.strip_prefix("cmdstat_")?),
                    calls: part(value, "calls")?,
                    micros: part(value, "usec")?,
                    ..CommandStat::default()
                })
            })
            .collect();
        // The costliest ones first; the rest of a long list changes no verdict.
        stats.sort_by(|a, b| b.micros.cmp(&a.micros).then_with(|| a.name.cmp(&b.name)));
        stats.truncate(64);
        for stat in &mut stats {
            let name = format!("latency_percentiles_usec_{}", stat.name);
            let Some(value) = self.text(&name) else { continue };
            let told = |which| part::<f64>(value, which).map(|micros| micros / 1e3);
            (stat.p50_ms, stat.p99_ms) = (told("p50"), told("p99"));
        }
        stats
    }

    /// The processor seconds of the thread that runs commands, or of the whole process before 6.2.
    fn cpu(&self) -> Option<f64> {
        let sum = |a: &str, b: &str| Some(self.number::<f64>(a)? + self.number::<f64>(b)?);
        sum("used_cpu_user_main_thread", "used_cpu_sys_main_thread")
            .or_else(|| sum("used_cpu_user", "used_cpu_sys"))
    }

    /// Errors of one sort; 0 where the server counts errors and has met none.
    fn errors(&self, name: &str) -> Option<u64> {
        match self.text(name) {
            Some(value) => part(value, "count"),
            None => self.errors_told.then_some(0),
        }
    }

    fn client_memory(&self) -> Option<u64> {
        let replicas: u64 = self.number("mem_clients_slaves").unwrap_or(0);
        Some(self.number::<u64>("mem_clients_normal")?.saturating_add(replicas))
    }

    fn persistence(&self) -> Option<Persistence> {
        Some(Persistence {
            snapshot_failed: self.text("rdb_last_bgsave_status")? == "err",
            append_failed: self.text("aof_last_write_status") == Some("err"),
            unsaved_changes: self.number("rdb_changes_since_last_save").unwrap_or(0),
        })
    }

    fn replica_link(&self) -> Option<ReplicaLink> {
        (self.text("role")? == "slave").then(|| ReplicaLink {
            up: self.text("master_link_status") == Some("up"),
            // It says -1 while there is no link.
            last_io: self.number("master_last_io_seconds_ago"),
            down_for: self.number("master_link_down_since_seconds"),
            syncing: self.flag("master_sync_in_progress"),
        })
    }

    /// `slave0:ip=10.0.0.7,port=6379,state=online,offset=812,lag=1`. Its lag in seconds is only how long ago
    /// it last spoke: how far it is behind is told by the bytes.
    fn replicas(&self) -> Vec<CacheReplica> {
        let written: Option<u64> = self.number("master_repl_offset");
        let told = self.order.iter().filter_map(|(name, value)| {
            let number = name.strip_prefix("slave")?;
            number.parse::<u32>().ok()?;
            let (host, port): (String, u16) = (part(value, "ip")?, part(value, "port")?);
            let state: String = part(value, "state")?;
            let has: Option<u64> = part(value, "offset");
            Some(CacheReplica {
                address: SafeText::new(&format!("{host}:{port}")),
                state: SafeText::new(&state),
                behind: written.zip(has).map(|(written, has)| written.saturating_sub(has)),
            })
        });
        told.take(64).collect()
    }

    /// The sample as far as INFO knows it.
    pub(super) fn sample(&self) -> CacheSample {
        let (keys, expiring_keys) = self.keys(None);
        let counter = |name: &str| self.number::<u64>(name).unwrap_or(0);
        let uncounted: u64 = self.number("mem_not_counted_for_evict").unwrap_or(0);
        CacheSample {
            product: SafeText::new(&self.product()),
            run_id: SafeText::new(self.text("run_id").unwrap_or_default()),
            uptime: self.number("uptime_in_seconds"),
            role: SafeText::new(self.text("role").unwrap_or_default()),
            used_memory: counter("used_memory").saturating_sub(uncounted),
            resident_memory: self.number("used_memory_rss"),
            max_memory: self.number("maxmemory").filter(|limit| *limit > 0),
            system_memory: self.number("total_system_memory"),
            eviction_policy: SafeText::new(self.text("maxmemory_policy").unwrap_or_default()),
            fragmentation_ratio: self.number("mem_fragmentation_ratio"),
            fragmentation_bytes: self.number("mem_fragmentation_bytes"),
            allocator_gaps: self.number("allocator_frag_bytes"),
            allocator_kept: self.number("allocator_rss_bytes"),
            defragments: self.number::<u64>("active_defrag_running").map(|effort| effort > 0),
            client_memory: self.client_memory(),
            keys,
            expiring_keys,
            evicted: counter("evicted_keys"),
            expired: counter("expired_keys"),
            hits: counter("keyspace_hits"),
            misses: counter("keyspace_misses"),
            commands: counter("total_commands_processed"),
            clients: counter("connected_clients"),
            max_clients: self.number("maxclients").or_else(|| self.number("max_clients")),
            blocked_clients: counter("blocked_clients"),
            rejected: counter("rejected_connections"),
            connections: counter("total_connections_received"),
            main_thread_cpu: self.cpu(),
            oom_errors: self.errors("errorstat_OOM"),
            save_errors: self.errors("errorstat_MISCONF"),
            network: self.number("total_net_input_bytes").zip(self.number("total_net_output_bytes")),
            output_buffer: self.number("client_recent_max_output_buffer"),
            output_drops: self.number("client_output_buffer_limit_disconnections"),
            freeing: self.number("lazyfree_pending_objects"),
            stale: self.number::<f64>("expired_stale_perc").map(|percent| percent / 100.0),
            fork_ms: self.number::<f64>("latest_fork_usec").map(|micros| micros / 1e3),
            replicas: self.replicas(),
            backlog: self.number("repl_backlog_size"),
            command_stats: self.command_stats(),
            persistence: self.persistence(),
            replica_link: self.replica_link(),
            cluster: self.is_cluster().then(ClusterSample::default),
            loading: self.flag("loading") || self.flag("async_loading"),
            ..CacheSample::default()
        }
    }
}

/// One part of a value like `keys=12,expires=3`.
fn part<T: std::str::FromStr>(value: &str, name: &str) -> Option<T> {
    value.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// `512`, `64K`, `1M`, `2G`.
fn binary(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn forks_are_told_apart_by_what_they_hold() {
        let valkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nserver_mode:cluster\r\n";
        let info = Info::parse(valkey);
        assert_eq!(info.product(), "valkey 9.1.2");
        assert!(info.is_cluster());
        let dragonfly = "dragonfly_version:df-v1.20.1\r\nredis_version:7.2.0\r\nmax_clients:64000\r\n";
        let sample = Info::parse(dragonfly).sample();
        assert_eq!(sample.product.as_str(), "dragonfly 1.20.1");
        assert_eq!(sample.max_clients, Some(64_000));
        assert_eq!(sample.oom_errors, None, "a server without error statistics has no count of zero");
    }

    #[test]
    fn no_limit_is_none_and_an_underflow_is_not_a_number() {
        let info = Info::parse(
            "used_memory:100\r\nmem_not_counted_for_evict:30\r\nmaxmemory:0\r\nevicted_keys:-1\r\nmaster_last_io_seconds_ago:-1\r\nrole:slave\r\n",
        );
        let sample = info.sample();
        assert_eq!((sample.used_memory, sample.max_memory, sample.evicted), (70, None, 0));
        assert_eq!(sample.replica_link, Some(ReplicaLink { up: false, ..ReplicaLink::default() }));
    }

    #[test]
    fn keys_are_summed_over_databases_and_split_by_one() {
        let info = Info::parse("db0:keys=10,expires=4,avg_ttl=0\r\ndb12:keys=5,expires=0\r\ndbsize:9\r\n");
        assert_eq!(info.keys(None), (15, 4));
        assert_eq!(info.keys(Some(12)), (5, 0));
    }

    #[test]
    fn keys_are_counted_by_size_and_a_counter_below_zero_is_none() {
        let info = Info::parse(
            "db0_distrib_strings_sizes:0=18446744073709551615,64=20000,1M=2\r\ndb0_distrib_hashes_items:8=3,64K=1\r\ndb1_distrib_sets_items:2=9\r\n",
        );
        let told: Vec<_> = info
            .key_sizes(0)
            .into_iter()
            .map(|it| (it.kind.to_string(), it.keys, it.most, it.large))
            .collect();
        assert_eq!(told, [("string".into(), 20_002, 1 << 20, 2), ("hash".into(), 4, 1 << 16, 1)]);
    }

    #[test]
    fn torn_answers_are_read() {
        let whole = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/redis/7.0/info.txt"));
        assert_eq!(Info::parse(whole).product(), "redis 7.0.15");
        each_torn_text(whole, |torn| drop(Info::parse(torn).sample()));
    }
}
