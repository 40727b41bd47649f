//! Rule `network_loss`: share of TCP segments sent again (0 to 1), connections turned away by a full
//! accept queue (always critical: each is a user who waits a second or more), interface errors.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::bytes;
use crate::model::{Culprit, HostSample, Listener, Resource, SafeText, Severity};
use crate::store::{Rates, Target};

/// Segments a second below which a share of them says nothing.
const TOO_FEW: f64 = 20.0;

/// How every host stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.hosts(view.now).map(|(target, sample)| judge(view, target, sample)).collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &HostSample) -> Assessment {
    let id = &target.info.id;
    let mut it = Assessment::new("network_loss", Resource::HostNetwork, id.clone());
    let Some(Rates::Host(rates)) = &target.window else {
        return it.says("measured from the second poll on");
    };
    let mut says = Vec::new();
    let again = rates.retransmits.filter(|_| rates.segments.is_some_and(|n| n >= TOO_FEW));
    if let Some(again) = again {
        let limits = view.limits(Resource::HostNetwork, id);
        it = it.measured(again, limits).hold(Duration::from_secs(2));
        if it.kept > Severity::Ok {
            says.push(format!("{:.1} % of the segments are sent again", again * 100.0));
        }
    }
    let errors = rates.network_errors.unwrap_or(0);
    if errors > 0 {
        it = it.at_least(Severity::Warning);
        says.insert(0, format!("{errors} errors on its interfaces in the last seconds"));
    }
    let overflows = rates.listen_overflows.unwrap_or(0);
    if overflows > 0 {
        it = it.at_least(Severity::Critical).hold(Duration::ZERO);
        // The counter is of the machine; which port it was, only the queues can tell.
        let full =
            sample.listeners.iter().filter(|it| it.limit > 0).max_by(|a, b| fill(a).total_cmp(&fill(b)));
        let mut sentence = format!("{overflows} times a connection found an accept queue full");
        if let Some(full) = full.filter(|it| fill(it) >= 0.9) {
            sentence = format!("{sentence}; port {} holds {} of {}", full.port, full.max_depth, full.limit);
            it = it.culprit(Culprit::Device { name: SafeText::new(&format!("port {}", full.port)) });
        }
        says.insert(0, sentence);
    }
    if says.is_empty() {
        let (received, sent) = (rates.received.unwrap_or(0.0), rates.sent.unwrap_or(0.0));
        says.push(format!("{}/s in, {}/s out", bytes(received), bytes(sent)));
    }
    it.used(None, Some(overflows as f64), Some(errors)).says(says.join("; "))
}

fn fill(it: &Listener) -> f64 {
    f64::from(it.max_depth) / f64::from(it.limit.max(1))
}
