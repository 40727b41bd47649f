//! Rule `no_answer`: 1 for a target that answers late, 2 for one that does not answer. Trouble of our
//! own (password, rights, version) says nothing of the target and is `unknown`.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::span;
use crate::model::{Resource, Severity};
use crate::store::{Target, TargetState};

/// An answer slower than this, and than half the patience allowed for it, is late.
const LATE: Duration = Duration::from_secs(1);

/// How every target stands that has been asked.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.targets().iter().filter_map(|target| judge(view, target)).collect()
}

fn judge(view: &View<'_>, target: &Target) -> Option<Assessment> {
    let id = &target.info.id;
    let is_row = id.row_name().is_some();
    // What keeps a whole fleet from being heard is told once.
    if is_row && view.store.target(&id.target()).is_none_or(|all| all.state(view.now) != TargetState::Up) {
        return None;
    }
    let it = Assessment::new("no_answer", Resource::TargetAnswer, id.clone());
    Some(match target.state(view.now) {
        TargetState::Waiting => return None,
        TargetState::Stale => it.unknown(match target.age(view.now) {
            None => "nothing heard of it yet".into(),
            Some(age) => format!("nothing heard of it for {}", span(age.as_secs_f64())),
        }),
        TargetState::Down => {
            let error = &target.error.as_ref()?.it;
            let failing = target.failing_since.map_or(0.0, |since| view.now.seconds_since(since));
            if error.kind.is_ours() {
                return Some(it.unknown(error.to_string()).proven(failing));
            }
            it.measured(2.0, view.limits(Resource::TargetAnswer, id))
                .used(None, None, Some(1))
                .says(error.to_string())
                .proven(failing)
        }
        TargetState::Up => {
            let late = LATE.max(target.info.timeout / 2).as_secs_f64() * 1e3;
            // The answer for a whole fleet came in one; how long it took is told of the fleet.
            let took = if is_row { 0.0 } else { target.took.0 };
            let value = if took >= late { 1.0 } else { 0.0 };
            let it = it
                .measured(value, view.limits(Resource::TargetAnswer, id))
                .hold(target.info.every * 2)
                .used(None, None, Some(0));
            if it.kept > Severity::Ok {
                it.says(format!("answers late: {:.1} s", took / 1e3))
            } else {
                it.says(format!("answers in {took:.1} ms"))
            }
        }
    })
}
