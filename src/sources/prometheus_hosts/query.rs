//! The one query. Pure.

use crate::sources::node_metrics::PLAIN;

/// Which scrapes are machines, when the config does not say.
pub(super) const SELECT: &str = r#"job=~"node.*""#;
/// The label that marks what is computed, so that it cannot be taken for a metric of the same labels.
pub(super) const MARK: &str = "warroom";
/// Times by mode over all processors of a machine; how many those are; whether it was reached, and when.
pub(super) const MARKS: [(&str, &str); 4] =
    [("cpu", "node_cpu_seconds_total"), ("cores", "node_cpu_count"), ("up", "up"), ("at", SCRAPED)];
/// When a machine was scraped last, seconds since 1970 by the server's clock.
pub(super) const SCRAPED: &str = "scraped";
/// Metrics with labels of their own, by name.
const LABELLED: &str = "node_uname_info|node_vmstat_workingset_refault.*|node_disk_io_time_seconds_total|\
    node_disk_(read|written)_bytes_total|node_filesystem_(size|free|avail)_bytes|\
    node_filesystem_(readonly|device_error)|node_network_(receive|transmit)_(bytes|errs)_total";
/// Devices and file systems that would only swell the answer.
const DEVICES: &str = "lo|loop.*|ram.*|zram.*|dm-.*|md.*|sr.*|fd.*|veth.*|cali.*|lxc.*";
const FILE_SYSTEMS: &str = "tmpfs|devtmpfs|ramfs|squashfs|overlay|iso9660|erofs";

/// The query for every machine that `select`, label matchers without their braces, picks.
///
/// `group_by` is the label that tells what a machine is for; it must survive the sums.
pub(super) fn promql(select: &str) -> String {
    let plain = PLAIN.join("|");
    // Processors are summed there: a fleet has a hundred times more of them than machines.
    format!(
        r#"{{__name__=~"{plain}|{LABELLED}",device!~"{DEVICES}",fstype!~"{FILE_SYSTEMS}",{select}}} or label_replace(sum by (instance, mode) (node_cpu_seconds_total{{{select}}}), "{MARK}", "cpu", "", "") or label_replace(count by (instance) (node_cpu_seconds_total{{mode="idle",{select}}}), "{MARK}", "cores", "", "") or label_replace(up{{{select}}}, "{MARK}", "up", "", "") or label_replace(timestamp(up{{{select}}}), "{MARK}", "at", "", "")"#
    )
}

/// Checks label matchers: what is asked must stay one selector.
pub(super) fn check_select(select: &str) -> Result<(), String> {
    let mut inside = false;
    let mut escaped = false;
    for c in select.chars() {
        match c {
            _ if c.is_control() => return Err("select holds a control character".into()),
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            '{' | '}' | '(' | ')' | '#' if !inside => {
                return Err(format!("select holds {c:?}: it takes label matchers only, such as {SELECT}"));
            }
            _ => {}
        }
    }
    if inside || select.trim().is_empty() {
        return Err(format!("select takes label matchers, such as {SELECT}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_label_matchers_pass() {
        for good in [SELECT, r#"job="node",env=~"prod|stage""#, r#"job="a\"}b""#] {
            assert_eq!(check_select(good), Ok(()), "{good}");
        }
        for bad in ["", "  ", "job=\"a", "job=\"a\"} or up{", "x) or (y", "a\nb"] {
            assert!(check_select(bad).is_err(), "{bad}");
        }
    }
}
