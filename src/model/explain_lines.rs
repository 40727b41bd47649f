//! An explanation as lines, for a dialog and for a terminal alike.

use super::Explanation;
use super::words::{bytes, count};

/// One line, not yet broken to a width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainLine {
    /// What it is.
    pub kind: ExplainLineKind,
    /// What stands before the text: figures and blanks. Where the text is broken, blanks as wide stand
    /// before what is left.
    pub lead: String,
    /// Its text.
    pub text: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainLineKind {
    /// Whose statement, and where.
    Head,
    /// The statement.
    Query,
    /// What must be known to read it right.
    Note,
    /// The heads of the columns.
    Columns,
    /// A step.
    Step,
    /// The step with the greatest part of the cost.
    Costliest,
    /// A condition or a key.
    Detail,
    /// What deserves a look.
    Beware,
    /// Nothing.
    Empty,
}

/// Cells before the tree: share, rows and what parts them.
const BEFORE: usize = 16;
/// Levels of the tree that are drawn apart.
const DEPTH: u16 = 16;
/// Steps of a tree that are seen on a small screen.
const SEEN: usize = 3;

impl Explanation {
    /// The lines, best read in a fixed width.
    #[must_use]
    pub fn lines(&self) -> Vec<ExplainLine> {
        use ExplainLineKind as K;
        let mut out = Vec::new();
        let mut add = |kind, lead: String, text: String| out.push(ExplainLine { kind, lead, text });
        let none = String::new;
        let place = format!("planned in {} as {}", self.database, self.role);
        add(K::Head, none(), if self.who.is_empty() { place } else { format!("{}; {place}", self.who) });
        add(K::Query, none(), self.query.to_string());
        // A small screen ends before a deep tree does: what matters most of it stands above it too.
        let deep = self.steps.iter().enumerate().find(|(at, step)| step.costliest && *at > SEEN);
        if let Some((_, step)) = deep {
            let why = step.beware.first().map_or_else(String::new, |why| format!(", {why}"));
            add(K::Costliest, none(), format!("{:.0} % of the cost: {}{why}", step.share * 100.0, step.what));
        }
        add(K::Empty, none(), none());
        add(K::Columns, none(), format!("{:>5}  {:>7}  STEP", "COST", "ROWS"));
        for step in &self.steps {
            let kind = if step.costliest { K::Costliest } else { K::Step };
            let depth = usize::from(step.depth.min(DEPTH)) * 2;
            let share = format!("{:.0} %", step.share * 100.0);
            let lead = format!("{share:>5}  {:>7}  {:depth$}", short(step.rows), "");
            let mark = if step.costliest { "  ◀ costliest" } else { "" };
            add(kind, lead, format!("{}{mark}", step.what));
            let below = " ".repeat(BEFORE + depth + 2);
            for (label, text) in &step.details {
                add(K::Detail, below.clone(), format!("{label}: {text}"));
            }
            for text in &step.beware {
                add(K::Beware, below.clone(), format!("! {text}"));
            }
        }
        if self.left_out > 0 {
            let more = format!("… {} more steps", count(u64::from(self.left_out)));
            add(K::Detail, " ".repeat(BEFORE), more);
        }
        add(K::Empty, none(), none());
        for note in &self.notes {
            add(K::Note, none(), note.to_string());
        }
        out
    }

    /// The lines as one text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for line in self.lines() {
            out.push_str(&line.lead);
            out.push_str(&line.text);
            out.push('\n');
        }
        out
    }
}

/// A number of rows in at most seven cells: `41 200`, `2.0 M`.
fn short(rows: f64) -> String {
    if rows < 99_999.5 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100 000"
        )]
        return count(rows.max(0.0).round() as u64);
    }
    let (value, unit) = [(1e12, "T"), (1e9, "G"), (1e6, "M")]
        .into_iter()
        .find(|(size, _)| rows >= *size)
        .map_or((rows / 1e3, "k"), |(size, unit)| (rows / size, unit));
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// What is said of a table's size: `about 2 000 000 rows, 340 MB`.
#[must_use]
pub fn table_size(rows: f64, size: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
    let rows = count(rows.clamp(0.0, 1e15).round() as u64);
    format!("about {rows} rows, {}", bytes(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExplainStep;

    #[test]
    fn rows_stay_in_their_column() {
        let all = [0.0, 41_200.0, 99_999.0, 123_456.0, 2e6, 3.4e10, 5e15].map(short);
        assert_eq!(all, ["0", "41 200", "99 999", "123 k", "2.0 M", "34 G", "5000 T"]);
    }

    #[test]
    fn the_costliest_step_of_a_deep_tree_stands_above_it_too() {
        let step = |depth, share: f64| ExplainStep {
            depth,
            what: format!("Step {depth}").into(),
            share,
            costliest: share > 0.5,
            beware: vec!["reads all of it".into()],
            ..ExplainStep::default()
        };
        let text = |costliest: u16| {
            let steps = (0..7).map(|depth| step(depth, if depth == costliest { 0.9 } else { 0.0 })).collect();
            Explanation { steps, ..Explanation::default() }.text()
        };
        assert!(text(6).contains("90 % of the cost: Step 6, reads all of it"), "{}", text(6));
        assert!(!text(1).contains("of the cost"), "{}", text(1));
    }
}
