//! Has a statement explained: from a key and from the command line alike.

use std::time::Duration;

use tokio::time::timeout;

use crate::config::Config;
use crate::model::{ExplainAsk, Explanation, Refusal};

/// Longest the whole may take: finding the text, another database, the planning.
const PATIENCE: Duration = Duration::from_secs(8);

/// Explains a statement. Reads only, so it is done under read-only too.
///
/// # Errors
/// Why it cannot or must not be explained, and what would mend that.
pub async fn explain(config: &Config, ask: &ExplainAsk) -> Result<Explanation, Refusal> {
    let id = &ask.target;
    let spec = config.target(id).ok_or_else(|| {
        let known: Vec<_> = config.targets.iter().map(|spec| spec.id.as_str()).collect();
        Refusal::refused(&format!("there is no target {id} in the config; known are {}", known.join(", ")))
    })?;
    if let Some(why) = &spec.broken {
        return Err(Refusal::failed(why));
    }
    if spec.kind != "postgres" {
        return Err(Refusal::refused(&format!("{id} is no PostgreSQL: its kind is {}", spec.kind)));
    }
    timeout(PATIENCE, crate::explain::explain(spec, ask))
        .await
        .unwrap_or_else(|_| Err(Refusal::failed("the server did not answer within 8 s")))
}
