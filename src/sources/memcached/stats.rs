//! memcached's counters as a sample: what it does not count stays unknown.

use crate::model::{CacheSample, Missing, SafeText};

type Stats = [(String, String)];

fn text<'a>(stats: &'a Stats, name: &str) -> Option<&'a str> {
    stats.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn count(stats: &Stats, name: &str) -> Option<u64> {
    text(stats, name)?.parse().ok()
}

/// The sample that `stats`, `stats settings` and `stats items` make together.
pub(super) fn sample(stats: &Stats, settings: &Stats, items: &Stats, ping_ms: f64) -> CacheSample {
    let known = |name: &str| count(stats, name).unwrap_or(0);
    // Writes that found no room, by size class.
    let refused = items.iter().filter(|(name, _)| name.ends_with(":outofmemory"));
    let refused = refused.filter_map(|(_, count)| count.parse().ok()).fold(0, u64::saturating_add);
    let evicts = text(settings, "evictions").map(|evictions| evictions == "on");
    let mut sample = CacheSample {
        product: SafeText::new(&format!("memcached {}", text(stats, "version").unwrap_or("?"))),
        run_id: SafeText::new(text(stats, "pid").unwrap_or_default()),
        uptime: count(stats, "uptime"),
        used_memory: known("bytes"),
        max_memory: count(stats, "limit_maxbytes").filter(|limit| *limit > 0),
        eviction_policy: SafeText::new(match evicts {
            Some(true) => "lru",
            Some(false) => "noeviction",
            None => "",
        }),
        keys: known("curr_items"),
        evicted: known("evictions"),
        expired: known("expired_unfetched"),
        hits: known("get_hits"),
        misses: known("get_misses"),
        commands: COMMANDS.iter().map(|name| known(name)).fold(0, u64::saturating_add),
        clients: known("curr_connections"),
        max_clients: count(settings, "maxconns").or_else(|| count(stats, "max_connections")),
        rejected: known("rejected_connections"),
        connections: known("total_connections"),
        oom_errors: Some(refused),
        no_slow_log: true,
        ping_ms: Some(ping_ms),
        ..CacheSample::default()
    };
    for name in ["bytes", "get_hits", "evictions", "limit_maxbytes"] {
        if count(stats, name).is_none() {
            sample.missing.push(Missing::new(name, "the server does not count it"));
        }
    }
    sample
}

/// Commands that are counted once: a delete and the like by what came of it, the meta commands and
/// compare-and-set among the lookups and writes that they are.
const COMMANDS: [&str; 10] = [
    "cmd_get",
    "cmd_set",
    "cmd_touch",
    "cmd_flush",
    "delete_hits",
    "delete_misses",
    "incr_hits",
    "incr_misses",
    "decr_hits",
    "decr_misses",
];

#[cfg(test)]
mod tests {
    use super::sample;
    use crate::torn::each_torn_text;

    #[test]
    fn what_is_not_counted_is_said_to_be_missing() {
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        let stats =
            pairs(&[("version", "1.6.18"), ("pid", "17"), ("bytes", "90"), ("limit_maxbytes", "100")]);
        let items =
            pairs(&[("items:1:outofmemory", "2"), ("items:9:outofmemory", "3"), ("items:9:age", "3")]);
        let it = sample(&stats, &pairs(&[("evictions", "off"), ("maxconns", "64")]), &items, 0.2);
        assert_eq!((it.product.as_str(), it.used_memory, it.max_memory), ("memcached 1.6.18", 90, Some(100)));
        assert_eq!(
            (it.oom_errors, it.eviction_policy.as_str(), it.max_clients),
            (Some(5), "noeviction", Some(64))
        );
        let missing: Vec<&str> = it.missing.iter().map(|missing| missing.what.as_str()).collect();
        assert_eq!(missing, ["get_hits", "evictions"]);
    }

    #[test]
    fn torn_counters_are_read() {
        let text = "version 1.6\npid 17\nuptime 9\nbytes 90\nlimit_maxbytes 100\ncmd_get 4\ncmd_set 5\nget_hits 3\n\
                    evictions on\nmaxconns 64\nitems:1:outofmemory 2\nitems:9:outofmemory 3\ncurr_items 3\n";
        each_torn_text(text, |torn| {
            let pairs = torn.lines().filter_map(|line| line.split_once(' '));
            let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            sample(&pairs, &pairs, &pairs, 0.2);
        });
    }
}
