//! What panes are made of: charts, columns, tables. Knows values and roles; nothing of targets.

mod chart;
mod fit;
mod table;

pub use chart::{Chart, Scale, marks_at};
pub use fit::{Slot, fit};
pub(super) use table::text_of;
pub use table::{Tabular, draw_table};
