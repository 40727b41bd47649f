//! Watches, for the command line, whether an application whose session was ended comes back at once. The console
//! needs none of this: it polls the server anyhow.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::check::Asker;
use crate::config::TargetSpec;
use crate::detect::{Back, Ended};
use crate::feed::Clock;
use crate::model::{DatabaseSample, Plan, Sample};

/// From one look to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// Whose sessions are ended, and who asks about them afterwards.
pub struct Comeback<'a> {
    asker: Asker<'a>,
    clock: Clock,
    ended: Ended,
    /// When it was looked last before the end.
    since: Instant,
}

impl<'a> Comeback<'a> {
    /// Looks who is there before the plan is carried out; `None` where it ends no session, or nobody answers:
    /// then nothing could be told later either.
    pub async fn before(spec: &'a TargetSpec, plan: &Plan, clock: Clock) -> Option<Self> {
        let mut asker = Asker::new(spec);
        let sample = look(&mut asker, clock).await?;
        let ended = Ended::by(plan, &sample)?;
        Some(Self { asker, clock, ended, since: Instant::now() })
    }

    /// Looks for so long; who was back, and how many seconds after.
    pub async fn watch(mut self, patience: Duration) -> Option<(Back, f64)> {
        let began = Instant::now();
        while began.elapsed() < patience {
            sleep(AGAIN.min(patience)).await;
            if let Some(sample) = look(&mut self.asker, self.clock).await
                && let Some(back) = self.ended.look(&sample)
            {
                return Some((back, self.since.elapsed().as_secs_f64()));
            }
        }
        None
    }
}

async fn look(asker: &mut Asker<'_>, clock: Clock) -> Option<DatabaseSample> {
    let readings = asker.ask(clock).await;
    readings.into_iter().find_map(|(_, reading)| match reading.sample {
        Ok(Sample::Database(sample)) => Some(*sample),
        _ => None,
    })
}
