//! A statement being explained, over the screen.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::model::{ExplainAsk, ExplainLine, Explanation, Refusal};

/// A question and what came of it.
#[derive(Clone, Debug)]
pub struct Explaining {
    /// What was asked.
    pub ask: ExplainAsk,
    /// Number of the question, so that the answer to an older one is not taken.
    pub number: u64,
    /// The answer, once it came.
    pub told: Option<Result<Explanation, Refusal>>,
    /// Lines scrolled past.
    pub scroll: usize,
}

impl Explaining {
    /// Cells for text and lines of text, on a screen of so many columns and rows.
    #[must_use]
    pub fn room(columns: u16, rows: u16) -> (u16, u16) {
        (columns.saturating_sub(6).min(116), rows.saturating_sub(5))
    }

    /// The explanation in lines of at most `width` cells; none before it came.
    #[must_use]
    pub fn lines(&self, width: u16) -> Vec<ExplainLine> {
        let Some(Ok(explanation)) = &self.told else { return Vec::new() };
        explanation.lines().into_iter().flat_map(|line| broken(line, usize::from(width))).collect()
    }

    /// The furthest one can scroll on a screen of so many columns and rows.
    #[must_use]
    pub fn furthest(&self, columns: u16, rows: u16) -> usize {
        let (width, page) = Self::room(columns, rows);
        self.lines(width).len().saturating_sub(usize::from(page))
    }
}

/// A line in as many as it needs, its text broken between words.
fn broken(line: ExplainLine, width: usize) -> Vec<ExplainLine> {
    let lead = line.lead.width();
    // Deep in a tree some room for words is kept.
    let room = width.saturating_sub(lead).max(12);
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut used = 0;
    for word in line.text.split(' ') {
        let wide = word.width();
        if used > 0 && used + 1 + wide <= room {
            part.push(' ');
            part.push_str(word);
            used += 1 + wide;
            continue;
        }
        if used > 0 {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        for symbol in word.graphemes(true) {
            if used + symbol.width() > room && used > 0 {
                parts.push(std::mem::take(&mut part));
                used = 0;
            }
            part.push_str(symbol);
            used += symbol.width();
        }
    }
    parts.push(part);
    let blanks = " ".repeat(lead);
    let (kind, mut lead) = (line.kind, line.lead);
    parts
        .into_iter()
        .map(|text| ExplainLine { kind, lead: std::mem::replace(&mut lead, blanks.clone()), text })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExplainLineKind;

    #[test]
    fn long_lines_are_broken_and_hang_below_their_text() {
        let line = ExplainLine {
            kind: ExplainLineKind::Detail,
            lead: " 97 %  ".into(),
            text: "filter: (email = $1) and averyverylongwordwithoutanyblank".into(),
        };
        let lines = broken(line, 30);
        let texts: Vec<_> = lines.iter().map(|line| format!("{}{}", line.lead, line.text)).collect();
        assert_eq!(
            texts,
            [
                " 97 %  filter: (email = $1)",
                "       and",
                "       averyverylongwordwithou",
                "       tanyblank"
            ]
        );
        assert!(texts.iter().all(|text| text.len() <= 30));
    }
}
