//! What a clear would touch, estimated from a sample of about fifty milliseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::guard::Guard;
use super::server::{ask, key, number, refused, scanned, text};

/// Time a look may take, once it has seen enough keys to tell anything; and all it may ever take.
const BUDGET: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(1);
/// Keys that tell a tenth from a fifth. Over a long line, or on a busy machine, few batches fit in the budget.
const LEAST: u64 = 3_000;
/// Keys asked for at once: others wait for each such turn of the server.
const BATCH: u32 = 100;
/// Keys looked into at once.
const FEW: usize = 10;
/// Keys whose type, expiry and size are read.
const LOOKED_INTO: usize = 50;

/// What was seen of a namespace.
#[derive(Debug, Default)]
pub(in crate::actions) struct Preview {
    /// Keys looked at.
    pub seen: u64,
    /// Of those, keys that would go.
    pub matched: u64,
    /// Every key was looked at: the count is exact.
    pub whole: bool,
    /// Keys in the database.
    pub total: u64,
    /// Some of the keys, as text.
    pub examples: Vec<String>,
    /// Types of those looked into, most first.
    pub types: Vec<(String, u64)>,
    /// Of those looked into, how many never expire.
    pub lasting: u64,
    /// Shortest and longest time to live among the rest, seconds.
    pub ttl: Option<(f64, f64)>,
    /// Mean size of a key with its value, bytes.
    pub mean_bytes: Option<f64>,
    /// Time since they were last used: least, middle and most, seconds; `None` where the server does not tell.
    pub idle: Option<(f64, f64, f64)>,
    /// Keys the server walked through a second.
    pub pace: f64,
}

impl Preview {
    /// Looks at a sample. The order of SCAN has nothing to do with names, so its beginning is a fair one.
    ///
    /// # Errors
    /// A sentence: the connection broke, or SCAN is refused.
    pub(in crate::actions) async fn look(
        connection: &mut MultiplexedConnection,
        guard: &Guard,
        total: u64,
    ) -> Result<Self, String> {
        let mut preview = Self { total, ..Self::default() };
        let enough = (total / 50).max(10_000);
        let began = Instant::now();
        let (mut cursor, mut found) = (0_u64, Vec::new());
        loop {
            let mut pipeline = redis::pipe();
            pipeline.cmd("SCAN").arg(cursor).arg("COUNT").arg(BATCH);
            let values = ask(connection, &pipeline).await?;
            if let Some(why) = refused(&values) {
                return Err(format!("cannot scan: {why}"));
            }
            let Some((next, keys)) = values.first().and_then(scanned) else {
                return Err("the answer to SCAN is not one".into());
            };
            for name in keys.iter().filter_map(key) {
                preview.seen += 1;
                if guard.allows(name) {
                    preview.matched += 1;
                    if found.len() < LOOKED_INTO {
                        found.push(name.to_vec());
                    }
                }
            }
            cursor = next;
            preview.whole = cursor == 0;
            let budget = if preview.seen < LEAST { PATIENCE } else { BUDGET };
            if preview.whole || preview.seen >= enough || began.elapsed() >= budget {
                break;
            }
        }
        preview.pace = preview.seen as f64 / began.elapsed().as_secs_f64().max(1e-6);
        preview.look_into(connection, &found).await?;
        preview.examples =
            found.iter().take(20).map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        Ok(preview)
    }

    /// Takes in what was seen on another server of the same cluster.
    pub(in crate::actions) fn join(&mut self, other: Self) {
        self.seen += other.seen;
        self.matched += other.matched;
        self.total += other.total;
        self.whole &= other.whole;
        self.pace = self.pace.min(other.pace);
        if self.examples.is_empty() {
            let Self { seen, matched, whole, total, pace, .. } = *self;
            *self = Self { seen, matched, whole, total, pace, ..other };
        }
    }

    async fn look_into(
        &mut self,
        connection: &mut MultiplexedConnection,
        keys: &[Vec<u8>],
    ) -> Result<(), String> {
        let (mut types, mut sizes, mut idle) = (BTreeMap::new(), Vec::new(), Vec::new());
        for few in keys.chunks(FEW) {
            let mut pipeline = redis::pipe();
            for key in few {
                // None of these counts as a use of the key.
                pipeline.cmd("TYPE").arg(key);
                pipeline.cmd("PTTL").arg(key);
                pipeline.cmd("MEMORY").arg("USAGE").arg(key);
                pipeline.cmd("OBJECT").arg("IDLETIME").arg(key);
            }
            let values = ask(connection, &pipeline).await?;
            self.count(&values, &mut types, &mut sizes, &mut idle);
        }
        idle.sort_unstable_by(f64::total_cmp);
        self.idle = idle.first().zip(idle.last()).map(|(a, z)| (*a, idle[idle.len() / 2], *z));
        self.types = types.into_iter().collect();
        self.types.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        self.mean_bytes = (!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64);
        Ok(())
    }

    fn count(
        &mut self,
        values: &[Value],
        types: &mut BTreeMap<String, u64>,
        sizes: &mut Vec<f64>,
        idle: &mut Vec<f64>,
    ) {
        for values in values.chunks(4) {
            let [kind, ttl, size, unused] = values else { continue };
            // Refused or gone in between: then nothing is said of it.
            let kind = text(kind);
            if !kind.is_empty() && kind != "none" {
                *types.entry(kind).or_default() += 1;
            }
            match ttl {
                Value::Int(-1) => self.lasting += 1,
                Value::Int(millis) if *millis >= 0 => {
                    let seconds = *millis as f64 / 1e3;
                    let (least, most) = self.ttl.unwrap_or((seconds, seconds));
                    self.ttl = Some((least.min(seconds), most.max(seconds)));
                }
                _ => {}
            }
            sizes.extend(number(size).map(|it| it as f64));
            idle.extend(number(unused).map(|it| it as f64));
        }
    }

    /// Keys that would go, and how far off that may be (19 times of 20).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    pub(in crate::actions) fn estimate(&self) -> (u64, u64) {
        if self.whole || self.seen == 0 {
            return (self.matched, 0);
        }
        let (seen, total) = (self.seen as f64, self.total as f64);
        let share = self.matched as f64 / seen;
        // None seen among n: fewer than 3/n of them, 19 times of 20.
        let off = if self.matched == 0 { 3.0 / seen } else { 1.96 * (share * (1.0 - share) / seen).sqrt() };
        ((share * total).round() as u64, (off * total).ceil() as u64)
    }

    /// Share of all keys that would go, 0 to 1.
    pub(in crate::actions) fn share(&self) -> f64 {
        if self.seen == 0 { 0.0 } else { self.matched as f64 / self.seen as f64 }
    }
}
