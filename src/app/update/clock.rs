//! The time as the machine tells it, which can be set back.

use std::time::Duration;

use super::{tell, travel};
use crate::app::{App, History};
use crate::model::Timestamp;
use crate::model::words::span;

/// Further back than the usual corrections of a clock, which cost no more than a moment without news.
const SET_BACK: Duration = Duration::from_secs(2);

/// Takes the time on. Of what was measured in a future that is yet to come nothing can be told by its age: no
/// answer would grow stale and nothing be over until that time has come again. So it begins anew.
pub(super) fn advance(app: &mut App, now: Timestamp) {
    let back = app.now.since(now);
    app.now = now;
    if back <= SET_BACK {
        return;
    }
    app.world.at = now;
    app.world.store = app.world.store.begun_anew();
    app.world.judge = app.world.judge.begun_anew();
    app.history = History::default();
    travel::live(app).ok();
    app.told.announced = None;
    let back = span(back.as_secs_f64());
    tell::warn(
        app,
        format!("this machine's clock was set back by {back}; what was measured before is forgotten"),
    );
}
