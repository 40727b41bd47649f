//! A cache as it is polled: one server, or every master of the cluster it belongs to.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{BoxFuture, Source};
use super::cluster::Cluster;
use super::poll::RedisSource;
use super::together::together;
use crate::config::TargetSpec;
use crate::model::{CacheSample, Missing, PollError, Reading, Sample, TargetId};

/// One target.
pub(super) struct CacheSource {
    id: TargetId,
    own: RedisSource,
    cluster: Option<Cluster>,
    /// Longest wait for one master: the others have answered by then, and the poll is not over.
    patience: Duration,
}

impl CacheSource {
    /// A source for this target, not connected yet.
    ///
    /// # Errors
    /// A sentence when the URL is not one of a Redis.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let (id, patience) = (spec.id.clone(), spec.timeout.mul_f64(0.4));
        Ok(Self { id, own: RedisSource::new(spec)?, cluster: None, patience })
    }

    async fn look(&mut self) -> Result<(CacheSample, Option<String>), PollError> {
        let sample = self.own.sample().await?;
        if sample.cluster.is_none() {
            self.cluster = None;
            return Ok((sample, None));
        }
        let cluster = self.cluster.get_or_insert_default();
        let refused = cluster.look(&mut self.own, &self.id, self.patience).await?;
        Ok((sample, refused))
    }

    async fn readings(&mut self) -> Vec<Reading> {
        let began = Instant::now();
        let looked = self.look().await;
        let took = began.elapsed();
        // The masters are asked even while the member that knows of them does not answer.
        let (mut readings, masters) = match &mut self.cluster {
            Some(cluster) => cluster.poll(&self.id).await,
            None => (Vec::new(), Vec::new()),
        };
        if masters.is_empty() {
            // None can be reached where the cluster says they are: that says more of the way than of them.
            readings.clear();
        }
        let sample = looked.map(|(own, refused)| {
            let Some((cluster, left_out)) = self.cluster.as_ref().map(Cluster::sample) else { return own };
            let mut sample = if masters.is_empty() { own } else { together(own, &masters) };
            let mut lacks = |what: &str, why: &str| sample.missing.push(Missing::new(what, why));
            if let Some(why) = refused {
                lacks("cluster", &why);
            }
            if left_out > 0 {
                lacks("masters", &format!("{left_out} more than are polled"));
            }
            if masters.is_empty() && !cluster.shards.is_empty() {
                lacks(
                    "masters",
                    "none can be reached at the address that the cluster tells: only this member is seen",
                );
            } else {
                for shard in cluster.shards.iter().filter(|shard| shard.keys.is_none()) {
                    lacks(&format!("master {}", shard.address), "does not answer; its row says why");
                }
            }
            sample.cluster = Some(cluster);
            sample
        });
        let sample = sample.map(|sample| Sample::Cache(Box::new(sample)));
        readings.insert(0, Reading { target: self.id.clone(), took: took.into(), sample });
        readings
    }
}

impl Source for CacheSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(self.readings())
    }
}
