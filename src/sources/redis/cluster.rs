//! The masters of a cluster: found by asking a member, and each polled on a connection of its own.

use std::time::Duration;

use futures_util::future;
use redis::Value;
use tokio::time::Instant;

use super::super::resp;
use super::poll::RedisSource;
use crate::model::{CacheSample, ClusterSample, PollError, Reading, SafeText, Sample, ShardSample, TargetId};

/// How often it is asked who holds which slots.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Masters polled at most; a cluster of more is told as far as that.
const MASTERS: usize = 128;

/// What is known of the cluster.
#[derive(Default)]
pub(super) struct Cluster {
    looked: Option<Instant>,
    seen: ClusterSample,
    masters: Vec<Master>,
    left_out: usize,
    /// Why it may not be asked for, and on which connection that was so: it is not asked again on that one.
    refused: Option<(u64, String)>,
}

/// A master and the way to it.
struct Master {
    shard: ShardSample,
    source: RedisSource,
    /// The last failure: it is not waited for again at every poll.
    failed: Option<(Instant, PollError)>,
}

impl Cluster {
    /// Asks a member how the cluster stands, and now and then who its masters are. What is refused is left
    /// as it was known, and told.
    ///
    /// # Errors
    /// The member does not answer.
    pub(super) async fn look(
        &mut self,
        own: &mut RedisSource,
        id: &TargetId,
        patience: Duration,
    ) -> Result<Option<String>, PollError> {
        let opened = own.connection().opened();
        if let Some((_, why)) = self.refused.as_ref().filter(|(on, _)| *on == opened) {
            return Ok(Some(why.clone()));
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLUSTER").arg("INFO");
        let looks = self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if looks {
            pipeline.cmd("CLUSTER").arg("SLOTS");
        }
        let answers = own.connection().ask(&pipeline).await?.values;
        self.refused = None;
        let opened = own.connection().opened();
        for (value, what) in answers.iter().zip(["info", "slots"]) {
            if let Some((code, words)) = resp::refusal(value) {
                let why = format!("refused ({code} {words}); mend: ACL SETUSER <user> +cluster|{what}");
                self.refused = Some((opened, why));
            } else if what == "info" {
                self.seen = state(&resp::text(value).unwrap_or_default());
            } else {
                self.looked = Some(Instant::now());
                self.keep(shards(resp::list(value)), own, id, patience);
            }
        }
        Ok(self.refused.as_ref().map(|(_, why)| why.clone()))
    }

    /// Keeps the connections to masters that stay where they are.
    fn keep(
        &mut self,
        mut found: Vec<(ShardSample, String, u16)>,
        own: &RedisSource,
        id: &TargetId,
        patience: Duration,
    ) {
        self.left_out = found.len().saturating_sub(MASTERS);
        found.truncate(MASTERS);
        let mut before = std::mem::take(&mut self.masters);
        for (shard, host, port) in found {
            let known = before
                .iter()
                .position(|it| (&it.shard.row, &it.shard.address) == (&shard.row, &shard.address));
            if let Some(place) = known {
                let master = before.swap_remove(place);
                self.masters.push(Master { shard, ..master });
            } else if let Ok(source) = own.at(id.row(shard.row.as_str()), &host, port, patience) {
                self.masters.push(Master { shard, source, failed: None });
            }
        }
    }

    /// Polls all masters side by side: a reading for each, and the samples there are.
    pub(super) async fn poll(&mut self, id: &TargetId) -> (Vec<Reading>, Vec<CacheSample>) {
        let asked = self.masters.iter_mut().map(|master| async {
            let began = Instant::now();
            let sample = master.sample().await;
            (began.elapsed(), sample)
        });
        let answers = future::join_all(asked).await;
        let (mut readings, mut samples) = (Vec::new(), Vec::new());
        for (master, (took, sample)) in self.masters.iter_mut().zip(answers) {
            let told = sample.as_ref().ok();
            master.shard.used_memory = told.map(|it| it.used_memory);
            master.shard.keys = told.map(|it| it.keys);
            samples.extend(told.cloned());
            readings.push(Reading {
                target: id.row(master.shard.row.as_str()),
                took: took.into(),
                sample: sample.map(|sample| Sample::Cache(Box::new(sample))),
            });
        }
        (readings, samples)
    }

    /// How it stands, with the masters as they answered last, and how many were left out.
    pub(super) fn sample(&self) -> (ClusterSample, usize) {
        let shards = self.masters.iter().map(|master| master.shard.clone()).collect();
        (ClusterSample { shards, ..self.seen.clone() }, self.left_out)
    }
}

impl Master {
    async fn sample(&mut self) -> Result<CacheSample, PollError> {
        if let Some((_, error)) = self.failed.as_ref().filter(|(at, _)| at.elapsed() < LOOK_EVERY) {
            return Err(error.clone());
        }
        let asked = self.source.sample().await;
        self.failed = asked.as_ref().err().map(|error| (Instant::now(), error.clone()));
        let mut sample = asked?;
        sample.address = Some(self.shard.address.clone());
        // What is true of all is told of the whole.
        sample.cluster = None;
        Ok(sample)
    }
}

/// The answer to CLUSTER INFO.
fn state(text: &str) -> ClusterSample {
    let field =
        |name: &str| text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let number = |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    ClusterSample {
        state: SafeText::new(field("cluster_state").unwrap_or_default()),
        assigned: number("cluster_slots_assigned"),
        served: number("cluster_slots_ok"),
        doubtful: number("cluster_slots_pfail"),
        failed: number("cluster_slots_fail"),
        shards: Vec::new(),
    }
}

/// The answer to CLUSTER SLOTS, by master: one with several ranges is named by its first.
fn shards(ranges: &[Value]) -> Vec<(ShardSample, String, u16)> {
    let mut all: Vec<(ShardSample, String, u16)> = Vec::new();
    let mut ranges: Vec<_> = ranges.iter().filter_map(range).collect();
    ranges.sort_unstable_by_key(|range| range.first);
    for Range { first, last, host, port, replicas } in ranges {
        let slots = last.saturating_sub(first) + 1;
        if let Some((shard, ..)) = all.iter_mut().find(|(_, of, at)| (of, *at) == (&host, port)) {
            shard.slots += slots;
            if !shard.row.as_str().ends_with('+') {
                shard.row = SafeText::new(&format!("{}+", shard.row));
            }
            continue;
        }
        let shard = ShardSample {
            row: SafeText::new(&format!("{first}-{last}")),
            address: SafeText::new(&format!("{host}:{port}")),
            slots,
            replicas,
            used_memory: None,
            keys: None,
        };
        all.push((shard, host, port));
    }
    all
}

struct Range {
    first: u32,
    last: u32,
    host: String,
    port: u16,
    replicas: u32,
}

fn range(value: &Value) -> Option<Range> {
    let [first, last, master, replicas @ ..] = resp::list(value) else { return None };
    let slot =
        |value| resp::count(value).and_then(|slot| u32::try_from(slot).ok()).filter(|slot| *slot < 16_384);
    let [host, port, ..] = resp::list(master) else { return None };
    Some(Range {
        first: slot(first)?,
        last: slot(last)?,
        // One that does not know its own address tells none.
        host: resp::text(host).unwrap_or_default(),
        port: resp::count(port).and_then(|port| u16::try_from(port).ok())?,
        replicas: u32::try_from(replicas.len()).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::{each_torn_answer, each_torn_text};

    #[test]
    fn a_master_is_named_by_its_slots_and_counted_once() {
        let node = |port| Value::Array(vec![Value::BulkString(b"10.0.0.1".into()), Value::Int(port)]);
        let range = |first: i64, last: i64, port: i64| {
            Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(9)])
        };
        let told = shards(&[
            range(10_923, 16_383, 3),
            range(0, 99, 1),
            range(200, 299, 1),
            range(100, 199, 2),
            Value::Nil,
        ]);
        let told: Vec<_> = told.iter().map(|(it, ..)| (it.row.as_str(), it.slots, it.replicas)).collect();
        assert_eq!(told, [("0-99+", 200, 1), ("100-199", 100, 1), ("10923-16383", 5_461, 1)]);
        let seen = state(
            "cluster_state:fail\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:10923\r\ncluster_slots_fail:5461\r\n",
        );
        assert_eq!(
            (seen.state.as_str(), seen.assigned, seen.served, seen.failed),
            ("fail", 16_384, 10_923, 5_461)
        );
    }

    #[test]
    fn torn_answers_are_read_or_passed_over() {
        let node = || Value::Array(vec![Value::BulkString(b"10.0.0.1".into()), Value::Int(6379)]);
        let range = |first, last| Value::Array(vec![Value::Int(first), Value::Int(last), node(), node()]);
        each_torn_answer(&[range(0, 99), range(100, 199), range(200, 16_383)], |torn| drop(shards(torn)));
        each_torn_text("cluster_state:fail\r\ncluster_slots_assigned:16384\r\n", |torn| drop(state(torn)));
    }
}
