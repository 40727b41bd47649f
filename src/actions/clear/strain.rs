//! The server's own signs that a clear asks too much of it, or that it is no longer the right one.

/// Freed in the background: more than this many keys waiting means it does not keep up.
const FREEING: u64 = 10_000;
/// Bytes a replica may be behind.
const BEHIND: u64 = 64 * 1024 * 1024;
/// Lookups a hit ratio is told from.
const LOOKUPS: u64 = 100;

/// What speaks against going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Strain {
    /// It waits until this is over.
    Wait(&'static str),
    /// It ends.
    End(&'static str),
}

/// What INFO tells, as far as a clear must know it; what is missing speaks against nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Signs {
    replica: bool,
    rejected: u64,
    freeing: u64,
    behind: u64,
    hits: u64,
    misses: u64,
}

impl Signs {
    pub(super) fn read(info: &str) -> Self {
        let field =
            |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
        let number = |name: &str| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let written: u64 = number("master_repl_offset");
        let offsets = info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online"));
        let offsets = offsets.filter_map(|line| line.split(',').find_map(|it| it.strip_prefix("offset=")));
        let least = offsets.filter_map(|it| it.trim().parse::<u64>().ok()).min();
        Self {
            replica: field("role") == Some("slave"),
            rejected: number("rejected_connections"),
            freeing: number("lazyfree_pending_objects"),
            behind: least.map_or(0, |least| written.saturating_sub(least)),
            hits: number("keyspace_hits"),
            misses: number("keyspace_misses"),
        }
    }

    /// What these signs say, beside those when the clear began.
    pub(super) fn against(&self, first: &Self) -> Option<Strain> {
        if self.replica {
            Some(Strain::End("it has become a replica: clear again where the master is now"))
        } else if self.rejected > first.rejected {
            Some(Strain::End("it turns clients away: no connection is free"))
        } else if self.behind > BEHIND {
            Some(Strain::Wait("a replica is more than 64 MB behind"))
        } else if self.freeing > FREEING {
            Some(Strain::Wait("over 10 000 keys wait to be freed"))
        } else {
            None
        }
    }

    /// Hit ratio since `first`, 0 to 1.
    pub(super) fn hit_ratio_since(&self, first: &Self) -> Option<f64> {
        let (hits, misses) = (self.hits.checked_sub(first.hits)?, self.misses.checked_sub(first.misses)?);
        (hits + misses >= LOOKUPS).then(|| hits as f64 / (hits + misses) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_left_behind_holds_a_clear_and_a_failover_ends_it() {
        let begin = Signs::read("role:master\r\nrejected_connections:3\r\nkeyspace_hits:10\r\n");
        assert_eq!(begin.against(&begin), None, "what was so before is not of our doing");
        let late = "role:master\r\nrejected_connections:3\r\nmaster_repl_offset:90000000\r\n\
            slave0:ip=10.0.0.1,port=1,state=online,offset=89999999,lag=0\r\n\
            slave1:ip=10.0.0.2,port=1,state=online,offset=1000,lag=9\r\nkeyspace_hits:110\r\nkeyspace_misses:100\r\n";
        let late = Signs::read(late);
        assert_eq!(late.against(&begin), Some(Strain::Wait("a replica is more than 64 MB behind")));
        assert_eq!(late.hit_ratio_since(&begin), Some(0.5));
        let gone = Signs::read("role:slave\r\n");
        assert!(matches!(gone.against(&begin), Some(Strain::End(_))));
        assert!(matches!(Signs::read("rejected_connections:4").against(&begin), Some(Strain::End(_))));
        assert_eq!(Signs::read("-NOPERM").against(&begin), None);
    }
}
