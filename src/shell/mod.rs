//! The rim: the terminal, the loop that owns the state, and what carries its effects out. Knows every
//! folder; nothing but the command line knows it. The only place that reads a clock or ends the process.

pub mod behind;
pub mod check;
pub mod clock;
pub mod comeback;
mod console;
pub mod doctor;
mod effects;
pub mod explain;
mod follow;
mod input;
mod keys;
mod letters;
mod line;
pub mod notify;
pub mod open_files;
mod pace;
mod panics;
mod pen;
pub mod perform;
pub mod picture;
mod run;
mod screen;
mod signals;
mod tty;
mod watchdog;
pub mod world;

pub use keys::chord;
pub use letters::Letters;
pub use line::Line;
pub use run::{ConsoleError, Setup, open};
pub use screen::Screen;
pub use tty::{Tty, TtyError, exit};
pub use watchdog::Ending;
