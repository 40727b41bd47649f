//! The state of the console and how it changes: `update` takes what happened and returns what is to
//! be done about it, as data. Pure: no clock, no socket, no screen. Knows detect, store, config, model.

mod chord;
mod command;
mod explaining;
mod history;
mod keymap;
mod msg;
mod overlay;
mod place;
mod state;
mod table;
mod tables;
mod update;

pub use chord::{Chord, ChordError, Key};
pub use command::{COMMANDS, Command, CommandInfo};
pub use explaining::Explaining;
pub use history::{Frame, History};
pub use keymap::{Keymap, KeymapError, about, named, nearest};
pub use msg::{Effect, LabAsk, Msg};
pub use overlay::{Acting, Confirming, Input, Menu, MenuItem, Overlay, Pick, Prompt};
pub use place::{Pane, Place, RowKey, Sort, Tab, Viewpoint};
pub use state::{App, CameBack, Event, EventKind, Looked, Notice, Numbers, Settings, Told, World};
pub use table::{Cell, Column, Row, Table};
pub use tables::{PROXIES, detail, selected_row, statement_of, table, words_of};
pub use update::{Hint, Suggestion, hints, settle, suggest, update, why_not};
