//! The answer to `backend.list -j`. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::model::Timestamp;

/// One backend of the active program, as its management tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarnishBackend {
    /// The program it belongs to: `boot`; another one after a reload.
    pub vcl: String,
    /// Its name in there.
    pub name: String,
    /// What an operator set: `probe`, `healthy`, `sick`.
    pub admin: String,
    /// Whether requests go to it.
    pub healthy: bool,
    /// Good probes, and how many are looked back on; 0 where it has none.
    pub probes: (u64, u64),
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    admin_health: String,
    probe_message: (u64, u64, String),
}

impl VarnishBackend {
    /// The backends of the active program, directors left out; `None` when it is no such answer.
    #[must_use]
    pub fn list(answer: &str) -> Option<Vec<Self>> {
        let Value::Array(parts) = serde_json::from_str(answer).ok()? else { return None };
        let Some(Value::Object(rows)) = parts.into_iter().next_back() else { return None };
        let read = |(name, row): (String, Value)| {
            let row: Row = serde_json::from_value(row).ok()?;
            let (vcl, name) = name.split_once('.')?;
            (row.kind == "backend").then(|| Self {
                vcl: vcl.to_owned(),
                name: name.to_owned(),
                healthy: row.admin_health != "sick"
                    && (row.admin_health == "healthy" || row.probe_message.2 == "healthy"),
                admin: row.admin_health,
                probes: (row.probe_message.0, row.probe_message.1),
            })
        };
        Some(rows.into_iter().filter_map(read).collect())
    }

    /// When Varnish answered, by its own clock; the epoch where it does not tell.
    #[must_use]
    pub fn told_at(answer: &str) -> Timestamp {
        let at = serde_json::from_str::<Value>(answer).ok().and_then(|parts| parts.get(2)?.as_f64());
        #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 as microseconds")]
        Timestamp::from_micros((at.unwrap_or(0.0) * 1e6) as i64)
    }

    /// Whether an operator set it so; one without a probe is called healthy either way.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.admin == "sick" || self.admin == "healthy" && self.probes.1 > 0
    }

    /// `healthy`, `sick`, and by whom.
    #[must_use]
    pub fn told(&self) -> String {
        let health = if self.healthy { "healthy" } else { "sick" };
        match self.probes.1 {
            _ if self.is_set() => format!("{health} by hand"),
            0 => "no probe".to_owned(),
            _ => health.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn a_list_as_varnish_7_told_it() {
        let text = r#"[ 3, ["backend.list", "-j"], 1795269506.301, {
            "boot.web1": {"type": "backend", "admin_health": "sick", "probe_message": [2, 2, "healthy"], "last_change": 1.0},
            "boot.web2": {"type": "backend", "admin_health": "healthy", "probe_message": [0, 0, "healthy"]},
            "boot.web3": {"type": "backend", "admin_health": "probe", "probe_message": [0, 2, "sick"]},
            "boot.rr": {"type": "round-robin", "admin_health": "probe", "probe_message": [0, 2, "sick"]} } ]"#;
        let told: Vec<_> = VarnishBackend::list(text)
            .expect("it is a list")
            .into_iter()
            .map(|it| (it.name.clone(), it.healthy, it.told()))
            .collect();
        let row = |name: &str, healthy, told: &str| (name.to_owned(), healthy, told.to_owned());
        let wanted =
            [row("web1", false, "sick by hand"), row("web2", true, "no probe"), row("web3", false, "sick")];
        assert_eq!(told, wanted);
        assert_eq!(VarnishBackend::told_at(text).as_seconds(), 1_795_269_506);
        assert!(VarnishBackend::list("[]").is_none() && VarnishBackend::list("x").is_none());
    }

    #[test]
    fn torn_lists_are_read_or_refused() {
        let text = r#"[ 3, ["backend.list", "-j"], 1795269506.301, {"boot.web1":
            {"type": "backend", "admin_health": "sick", "probe_message": [2, 2, "healthy"], "last_change": 1.0}}]"#;
        each_torn_text(text, |torn| {
            let _at = VarnishBackend::told_at(torn);
            VarnishBackend::list(torn).iter().flatten().for_each(|it| drop((it.told(), it.is_set())));
        });
    }
}
