//! The rim: the terminal, the loop that owns the state, and what carries its effects out. Knows every
//! folder; nothing but the command line knows it. The only place that reads a clock or ends the process.

pub mod check;
pub mod clock;
pub mod doctor;
mod keys;
mod line;
pub mod notify;
mod pen;
pub mod perform;
mod screen;
mod tty;
mod watchdog;
pub mod world;

pub use keys::chord;
pub use line::Line;
pub use screen::Screen;
pub use tty::{Tty, TtyError, exit};
pub use watchdog::{Ending, watch};
