//! Rule `sentinels`: whether those that would replace a failed master are there to do it.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::{Resource, SentinelSample, Severity};

/// How the Sentinels of every cache stand that is found by them.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .filter_map(|(target, sample)| {
            let it = Assessment::new("sentinels", Resource::TargetAnswer, target.info.id.clone());
            // They are asked every few seconds, and by then one may have come back.
            Some(judge(it, sample.sentinel.as_ref()?).hold(Duration::from_secs(6)))
        })
        .collect()
}

fn judge(it: Assessment, seen: &SentinelSample) -> Assessment {
    let SentinelSample { master, asked, answered, agree, known, quorum, .. } = seen;
    let silent: Vec<_> = seen.silent.iter().map(|one| format!("{} {}", one.what, one.why)).collect();
    let silent = silent.join("; ");
    if u64::from(*answered) < *quorum || answered * 2 < *asked {
        let says = format!(
            "{answered} of {asked} Sentinels answer and {quorum} must agree: {master} may not be replaced \
             should it fail ({silent})"
        );
        return it.at_least(Severity::Warning).says(says);
    }
    if agree < answered {
        let says = format!("{agree} of {answered} Sentinels name {} as the master of {master}", seen.address);
        return it.at_least(Severity::Warning).says(says);
    }
    if seen.down {
        return it.at_least(Severity::Warning).says(format!("its Sentinels take {master} for failing"));
    }
    it.says(format!("{answered} of {asked} Sentinels answer, {known} watch {master}"))
}
