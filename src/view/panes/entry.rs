//! One entry of a pane: a target or a row of one, as text that is ready to be placed.

use super::Scene;
use crate::model::{Severity, TargetId};
use crate::store::{Metric, Target, TargetState};
use crate::view::format;
use crate::view::ink::cells;
use crate::view::widgets::Scale;

/// One column of a pane's lines.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct Shape {
    /// Cells, the severity's two included.
    pub(super) width: u16,
    /// 0 is never dropped.
    pub(super) priority: u8,
    /// Room for a severity behind the value.
    pub(super) glyph: bool,
}

impl Shape {
    /// A column that carries a severity.
    pub(super) const fn judged(width: u16, priority: u8) -> Self {
        Self { width: width + 2, priority, glyph: true }
    }

    /// A column that carries none.
    pub(super) const fn plain(width: u16, priority: u8) -> Self {
        Self { width, priority, glyph: false }
    }
}

/// A value or a note, with how bad it is.
#[derive(Clone, Debug)]
pub(in crate::view) struct Field {
    /// With its unit.
    pub(super) text: String,
    /// How bad.
    pub(super) severity: Severity,
}

/// What is charted.
#[derive(Clone, Debug)]
pub(in crate::view) struct Course {
    /// One word, where several stand side by side.
    pub(super) label: &'static str,
    /// Whose.
    pub(super) id: TargetId,
    /// What.
    pub(super) metric: Metric,
    /// What the top stands for.
    pub(super) scale: Scale,
}

/// A target or a row of one.
#[derive(Clone, Debug, Default)]
pub(in crate::view) struct Entry {
    /// What it is called.
    pub(in crate::view) name: String,
    /// The worst of it.
    pub(in crate::view) severity: Severity,
    /// Orders entries of one severity: tenths of a share and no finer, so that rows seldom change places.
    pub(super) weight: u32,
    /// Its values, in the order of the pane's shapes.
    pub(super) fields: Vec<Field>,
    /// Beside its chart, bad ones first.
    pub(super) notes: Vec<Field>,
    /// Its charts.
    pub(super) courses: Vec<Course>,
    /// The chart shown where there is room for one only.
    pub(super) lead: usize,
    /// Why there are no values: in a few words, and in full where there is room.
    pub(super) trouble: Option<[String; 2]>,
    /// The values are old.
    pub(super) stale: bool,
}

impl Entry {
    /// An entry of this name.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The entry of a target's values, greyed with their age when they are old.
    pub(super) fn of(name: &str, target: &Target, scene: &Scene<'_>) -> Self {
        let mut entry = Self::new(name);
        if target.state(scene.now) == TargetState::Up {
            return entry;
        }
        entry.stale = true;
        entry.severity = scene.answer(target);
        let age = target.age(scene.now).map(|age| format!("{} old", format::seconds(age.as_secs_f64())));
        entry.bad_note(age, scene.answer(target))
    }

    /// Adds a value with its severity.
    pub(super) fn field(mut self, text: String, severity: Severity) -> Self {
        self.severity = self.severity.max(severity);
        self.fields.push(Field { text, severity });
        self
    }

    /// Adds a value that is never bad by itself.
    pub(super) fn plain(self, text: String) -> Self {
        self.field(text, Severity::Ok)
    }

    /// Adds a note, if there is one.
    pub(super) fn note(self, text: Option<String>) -> Self {
        self.bad_note(text, Severity::Ok)
    }

    /// Adds a note with its severity; bad ones move to the front.
    pub(super) fn bad_note(mut self, text: Option<String>, severity: Severity) -> Self {
        self.severity = self.severity.max(severity);
        if let Some(text) = text {
            let at = self.notes.partition_point(|note| note.severity >= severity);
            self.notes.insert(at, Field { text, severity });
        }
        self
    }

    /// Why there are no values, in as many words as there is room for; empty where there are values.
    pub(super) fn trouble_in(&self, room: u16) -> &str {
        self.trouble.as_ref().map_or("", |[short, full]| if cells(full) <= room { full } else { short })
    }

    /// Adds a chart.
    pub(super) fn course(mut self, label: &'static str, id: &TargetId, metric: Metric, scale: Scale) -> Self {
        self.courses.push(Course { label, id: id.clone(), metric, scale });
        self
    }

    /// Orders it among its equals by a share of one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 1000")]
    pub(super) fn weigh(mut self, share: Option<f64>) -> Self {
        self.weight = (share.unwrap_or(0.0).clamp(0.0, 100.0) * 10.0) as u32;
        self
    }
}

/// What the pane says of a target that has nothing to show; `None` where there are values, if only old ones.
pub(super) fn trouble(target: &Target, scene: &Scene<'_>) -> Option<Entry> {
    let mut entry = Entry::new(target.info.id.as_str());
    entry.severity = scene.answer(target);
    let last = target.sample.as_ref().map(|sample| format!("last answer {}", scene.clock(sample.at)));
    let mut why = None;
    let says = match target.state(scene.now) {
        TargetState::Up => return None,
        TargetState::Stale if target.sample.is_some() && target.error.is_none() => return None,
        TargetState::Stale => "nothing heard of it".into(),
        TargetState::Waiting => "not asked yet".into(),
        TargetState::Down => {
            let since = target.failing_since.map_or_else(String::new, |since| scene.clock(since));
            match target.error.as_ref().map(|error| error.it.kind) {
                Some(kind) if kind.is_ours() => format!("{kind} since {since}"),
                kind => {
                    why = kind.map(|kind| kind.to_string());
                    format!("no answer since {since}")
                }
            }
        }
    };
    let reason = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    let before = last.as_ref().map_or_else(String::new, |last| format!("; {last}"));
    entry.trouble = Some([says.clone(), format!("{says}{reason}{before}")]);
    let error = target.error.as_ref().map(|error| error.it.says.to_string());
    Some(entry.note(why).note(last).note(error))
}
