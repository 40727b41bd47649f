//! The `[thresholds]` tables of a file, general or of one target.

use toml::de::DeValue;

use super::document::{Document, Section};
use super::error::instead;
use super::{Limits, Thresholds};
use crate::model::Resource;

/// Reads the `thresholds` table of this section, if it has one.
pub(super) fn thresholds(doc: &mut Document<'_>, above: &Section<'_, '_>) -> Thresholds {
    let mut limits = Thresholds::default();
    let Some(mut section) = doc.table(above, "thresholds") else { return limits };
    section.called = above.called.as_ref().map(|target| format!("the thresholds of {target}"));
    let ids = Resource::ALL.map(Resource::id);
    for (key, value) in section.table {
        let name: &str = key.get_ref();
        let Ok(resource) = name.parse::<Resource>() else {
            let unquoted = ids.iter().find_map(|id| id.split_once('.').filter(|(head, _)| *head == name));
            let why = match (unquoted, value.get_ref()) {
                (Some((head, tail)), DeValue::Table(inner)) => {
                    let tail = inner.keys().next().map_or(tail, |inner| inner.get_ref());
                    format!("quote the resource: [{}]", section.dotted(&format!("\"{head}.{tail}\"")))
                }
                _ => format!("there is no such resource; {}", instead(name, &ids)),
            };
            doc.fault(&section, name, &key.span(), why);
            continue;
        };
        let Some(mut table) = doc.table(&section, name) else { continue };
        table.called = section.called.as_ref().map(|target| format!("{name} in {target}"));
        let known = ["warning", "critical", "leave", "logins"];
        doc.only(&table, &known[..if resource == Resource::PostgresConnections { 4 } else { 3 }]);
        let mut set = Thresholds::built_in(resource);
        for (key, field) in [("warning", &mut set.warning), ("critical", &mut set.critical)] {
            if let Some((number, span)) = doc.number(&table, key) {
                if number < 0.0 {
                    doc.fault(&table, key, &span, "must not be negative".into());
                }
                *field = number;
            }
        }
        if let Some((leave, span)) = doc.number(&table, "leave") {
            if !(0.0..=1.0).contains(&leave) {
                doc.fault(
                    &table,
                    "leave",
                    &span,
                    "is a share of the limit, from 0 to 1 (0.9: ten per cent below)".into(),
                );
            }
            set.leave = leave;
        }
        if resource == Resource::PostgresConnections
            && let Some((logins, span)) = doc.number(&table, "logins")
        {
            if logins <= 0.0 {
                doc.fault(&table, "logins", &span, "must be over 0 a second; inf: however many".into());
            }
            set.logins = logins;
        }
        if set.warning > set.critical {
            let (low, high) = (set.warning, set.critical);
            doc.fault(
                &table,
                "warning",
                &value.span(),
                format!("is {low}, over critical, which is {high}; it must come first"),
            );
        }
        limits.set(resource, Limits { ..set });
    }
    limits
}
