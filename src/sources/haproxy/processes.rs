//! The processes of one HAProxy, as its master tells them: after a reload the old ones serve whom they have.
//! Pure.

/// Old processes that still serve, and how long the oldest has run, in its master's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) count: u64,
    pub(super) oldest: String,
}

/// Reads the answer to `show proc`; `None` when it is none.
pub(super) fn old(text: &str) -> Option<Old> {
    if !text.contains("# workers") {
        return None;
    }
    let mut out = Old::default();
    let rows = text.lines().skip_while(|line| line.trim() != "# old workers").skip(1);
    for row in rows.take_while(|row| !row.starts_with('#')) {
        let mut fields = row.split_whitespace();
        let is_process = fields.next().is_some_and(|pid| pid.parse::<u32>().is_ok());
        if !is_process {
            continue;
        }
        out.count += 1;
        let ran = fields.find(|field| field.contains('d') && field.ends_with('s')).unwrap_or_default();
        // Days have as many digits as they need.
        if (ran.len(), ran) > (out.oldest.len(), out.oldest.as_str()) {
            ran.clone_into(&mut out.oldest);
        }
    }
    Some(out)
}

impl Old {
    /// `2 old processes still serve, the oldest started 0d01h10m02s ago: …`; `None` when there are none.
    pub(super) fn told(&self) -> Option<String> {
        let who = match self.count {
            0 => return None,
            1 => "1 old process still serves, started".to_owned(),
            some => format!("{some} old processes still serve, the oldest started"),
        };
        Some(format!("{who} {} ago: what it does is not counted here", self.oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn old_workers_are_counted_and_nothing_else() {
        let text = "#<PID>          <type>          <reloads>       <uptime>        <version>\n\
                    29937           master          1 [failed: 0]   0d00h00m04s     2.6.12-1\n# workers\n\
                    30043           worker          0               0d00h00m02s     2.6.12-1\n# old workers\n\
                    29945           worker          1               0d00h00m04s     2.6.12-1\n\
                    29940           worker          2               0d01h00m04s     2.6.12-1\n# programs\n\
                    1               prog            0               9d00h00m04s     -\n";
        assert_eq!(old(text), Some(Old { count: 2, oldest: "0d01h00m04s".into() }));
        let days = text
            .replace("1               0d00h00m04s", "1               10d00h00m04s")
            .replace("0d01h", "9d01h");
        assert_eq!(old(&days).map(|it| it.oldest), Some("10d00h00m04s".into()));
        let fresh = text.split("# old").next().unwrap_or_default();
        assert_eq!((old(fresh), old("Unknown command")), (Some(Old::default()), None));
        assert_eq!(Old::default().told(), None);
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        let text = "# workers\n30043 worker 0 0d00h00m02s 2.6.12-1\n# old workers\n29945 worker 1 0d00h00m04s 2.6.12-1\n";
        each_torn_text(text, |torn| drop(old(torn).and_then(|it| it.told())));
    }
}
