//! What an application's name tells of the kind of process behind it.

/// The kind of process that a name tells by the usual forms: `web.3`, `worker-12`,
/// `puma: cluster worker 1: 4211 [app]`, `sidekiq 7.2.4 app [3 of 10 busy]`.
pub(super) fn family(name: &str) -> &str {
    let title = name.split_once(": ").map_or(name, |(head, _)| head);
    let is_version =
        |at: &usize| title.get(at + 1..).is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()));
    let version = title.match_indices(' ').map(|(at, _)| at).find(is_version);
    let title = version.or_else(|| title.find(" [")).and_then(|end| title.get(..end)).unwrap_or(title);
    let stem = title.trim_end_matches(|c: char| c.is_ascii_digit());
    let cut = stem.trim_end_matches(['.', '-', '_', ':', '#']);
    let cut = if stem.len() < title.len() && cut.len() < stem.len() { cut } else { title };
    if cut.is_empty() { name } else { cut }
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn instances_of_one_application_are_counted_together() {
        for (name, kind) in [
            ("web.3", "web"),
            ("worker-12", "worker"),
            ("psql", "psql"),
            ("h2", "h2"),
            ("7", "7"),
            (".7", ".7"),
            ("a:b#1", "a:b"),
            ("puma: cluster worker 1: 4211 [app]", "puma"),
            ("puma 6.4.0 (tcp://0.0.0.0:3000) [app]", "puma"),
            ("sidekiq 7.2.4 app [3 of 10 busy]", "sidekiq"),
            ("DBeaver 23.1.2 - SQLEditor", "DBeaver"),
            ("pgAdmin 4 - DB:app", "pgAdmin"),
            ("PostgreSQL JDBC Driver", "PostgreSQL JDBC Driver"),
            ("gunicorn [app]", "gunicorn"),
        ] {
            assert_eq!(family(name), kind);
        }
    }
}
