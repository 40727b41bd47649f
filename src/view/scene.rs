//! What every part of the screen looks at: the world on the screen, its time, and how to say times.

use jiff::tz::TimeZone;

use super::format;
use crate::app::{App, World};
use crate::model::{Resource, Severity, TargetId, Timestamp};
use crate::store::{Target, TargetState};

/// The state, with what is looked up again and again.
pub(super) struct Scene<'a> {
    /// The whole state.
    pub(super) app: &'a App,
    /// The world shown: now, or the moment stepped back to.
    pub(super) world: &'a World,
    /// The time shown.
    pub(super) now: Timestamp,
}

impl<'a> Scene<'a> {
    /// The scene of a state.
    pub(super) fn of(app: &'a App) -> Self {
        let world = app.shown();
        let now = if app.past.is_some() { world.at } else { app.now.max(world.at) };
        Self { app, world, now }
    }

    /// The zone of clock times.
    pub(super) fn zone(&self) -> &'a TimeZone {
        &self.app.settings.zone
    }

    /// `14:03:27`, with the day where it is another one.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        format::when(at, self.now, self.zone())
    }

    /// How a resource of a target or row stands.
    pub(super) fn severity(&self, resource: Resource, id: &TargetId) -> Severity {
        self.world.judgement.resource(resource, id).map_or(Severity::Ok, |state| state.severity)
    }

    /// How a target answers.
    pub(super) fn answer(&self, target: &Target) -> Severity {
        let judged = self.severity(Resource::TargetAnswer, &target.info.id);
        match target.state(self.now) {
            TargetState::Up => judged,
            TargetState::Waiting | TargetState::Stale | TargetState::Down => judged.max(Severity::Unknown),
        }
    }
}
