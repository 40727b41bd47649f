//! `preset` and `[target.metrics]`: which metrics of a page answer which question.

use super::TargetSpec;
use super::document::{Document, Section};
use super::error::instead;
use crate::model::{METRIC_KEYS, METRIC_LABELS, METRIC_PRESETS, MetricSelector};

/// Reads both; one of them must say something.
pub(super) fn metrics(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &std::ops::Range<usize>,
    spec: &mut TargetSpec,
) {
    if let Some((preset, preset_span)) = doc.text(at, "preset") {
        if METRIC_PRESETS.contains(&preset.as_str()) {
            spec.preset = Some(preset);
        } else {
            let why = format!("there is no preset {preset:?}; {}", instead(&preset, METRIC_PRESETS));
            doc.fault(at, "preset", &preset_span, why);
        }
    }
    if let Some(table) = doc.table(at, "metrics") {
        let known = [METRIC_LABELS, METRIC_KEYS].concat();
        doc.only(&table, &known);
        for key in known {
            let Some((value, value_span)) = doc.text(&table, key) else { continue };
            let told = if METRIC_LABELS.contains(&key) || value.is_empty() {
                Ok(())
            } else {
                MetricSelector::parse(&value).map(drop)
            };
            match told {
                Ok(()) => spec.metrics.push((key.to_owned(), value)),
                Err(why) => doc.fault(&table, key, &value_span, why),
            }
        }
    }
    if !at.has("preset") && !at.has("metrics") {
        let why = format!(
            "is missing: one of {}, or metrics = {{ requests = \"…\" }} for another exporter",
            METRIC_PRESETS.join(", ")
        );
        doc.fault(at, "preset", span, why);
    }
}
