//! What one rule says of one target, before hold times are counted.

use std::time::Duration;

use crate::config::{Limits, Thresholds};
use crate::model::{Culprit, LoggedTimes, Remedy, Resource, Severity, TargetId, Timestamp};
use crate::store::Store;

/// All that a rule may look at.
pub struct View<'a> {
    /// What is known.
    pub store: &'a Store,
    /// Limits by target, over the general ones, over the built-in ones.
    pub limits: &'a dyn Fn(Resource, &TargetId) -> Limits,
    /// The time to judge for.
    pub now: Timestamp,
}

impl View<'_> {
    /// The limits of a resource on a target or row.
    pub fn limits(&self, resource: Resource, target: &TargetId) -> Limits {
        (self.limits)(resource, target)
    }
}

/// Looks limits up: the target's own, else the general ones, else the built-in ones.
pub(super) fn look_up(general: &Thresholds, own: Option<&Thresholds>, resource: Resource) -> Limits {
    own.and_then(|own| own.get(resource))
        .or_else(|| general.get(resource))
        .unwrap_or_else(|| Thresholds::built_in(resource))
}

/// How one resource of one target stands by one rule, at this moment.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The rule: `root_blocker`.
    pub rule: &'static str,
    /// The resource.
    pub resource: Resource,
    /// Target or row.
    pub target: TargetId,
    /// What was measured, in the unit of the resource's limits; charted. `None` is a gap.
    pub value: Option<f64>,
    /// How bad it is by the limits at which a severity is entered.
    pub entered: Severity,
    /// How bad it still is by the limits at which a severity is left; at least `entered`.
    pub kept: Severity,
    /// How bad that part of it is which every look reads whole (a fill, slots taken), by the limits at which
    /// a severity is entered: who looks but a few times believes it at once, rates and moments apart.
    pub level: Severity,
    /// How long it must be so before it counts.
    pub hold: Duration,
    /// How long the server itself proves that it has been so (a wait's own age): counts towards the
    /// hold, so that one look can be enough, and dates the finding.
    pub proven: Duration,
    /// One sentence in the operator's words; for a healthy resource a phrase: `34 % busy`.
    pub says: String,
    /// What it points at.
    pub culprit: Option<Culprit>,
    /// What would mend it.
    pub remedy: Option<Remedy>,
    /// Busy share, 0 to 1.
    pub utilisation: Option<f64>,
    /// Work that waits, in the resource's own unit.
    pub saturation: Option<f64>,
    /// Failed events since the last poll.
    pub errors: Option<u64>,
    /// What single requests took, where they are told.
    pub logged: Option<LoggedTimes>,
}

impl Assessment {
    /// A healthy assessment with nothing measured yet; the builder methods below fill it in.
    pub fn new(rule: &'static str, resource: Resource, target: TargetId) -> Self {
        Self {
            rule,
            resource,
            target,
            value: None,
            entered: Severity::Ok,
            kept: Severity::Ok,
            level: Severity::Ok,
            hold: Duration::ZERO,
            proven: Duration::ZERO,
            says: String::new(),
            culprit: None,
            remedy: None,
            utilisation: None,
            saturation: None,
            errors: None,
            logged: None,
        }
    }

    /// Judges `value` by `limits`.
    #[must_use]
    pub fn measured(mut self, value: f64, limits: Limits) -> Self {
        self.value = Some(value);
        let by = |scale: f64| {
            if value >= limits.critical * scale {
                Severity::Critical
            } else if value >= limits.warning * scale {
                Severity::Warning
            } else {
                Severity::Ok
            }
        };
        self.entered = by(1.0);
        self.kept = by(limits.leave).max(self.entered);
        self
    }

    /// Raises the severity to at least `severity`, entering and leaving alike.
    #[must_use]
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.entered = self.entered.max(severity);
        self.kept = self.kept.max(severity);
        self
    }

    /// Cannot be judged, and why.
    #[must_use]
    pub fn unknown(mut self, says: impl Into<String>) -> Self {
        self.entered = Severity::Unknown;
        self.kept = Severity::Unknown;
        // What cannot be seen is not seen at any look.
        self.level = Severity::Unknown;
        self.says = says.into();
        self
    }

    /// What it says.
    #[must_use]
    pub fn says(mut self, says: impl Into<String>) -> Self {
        self.says = says.into();
        self
    }

    /// What raised it so far is a level, which every look reads whole: no rate and no count of a moment.
    #[must_use]
    pub const fn level(mut self) -> Self {
        self.level = self.entered;
        self
    }

    /// How long it must be so before it counts.
    #[must_use]
    pub const fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// How long the server proves that it has been so, seconds.
    #[must_use]
    pub fn proven(mut self, seconds: f64) -> Self {
        self.proven = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self
    }

    /// What it points at.
    #[must_use]
    pub fn culprit(mut self, culprit: Culprit) -> Self {
        self.culprit = Some(culprit);
        self
    }

    /// What would mend it.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Utilisation, saturation and errors, where they exist.
    #[must_use]
    pub const fn used(
        mut self,
        utilisation: Option<f64>,
        saturation: Option<f64>,
        errors: Option<u64>,
    ) -> Self {
        self.utilisation = utilisation;
        self.saturation = saturation;
        self.errors = errors;
        self
    }
}
