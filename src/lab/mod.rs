//! Real servers on loopback that are broken on purpose: for trying the console, for drills and for the tests.
//! Knows config and model; must not know sources, actions, store or screen: what the lab breaks, the
//! product has to find out by itself.

mod end;
mod error;
mod faults;
mod folder;
pub mod haproxy;
mod ports;
pub mod postgres;
mod process;
pub mod redis;
pub mod roles;
mod seed;
mod settings;
mod state;
mod up;
mod user;

pub use end::down;
pub use error::LabError;
pub use faults::{FAULTS, Fault, cause, heal};
pub use folder::Folder;
pub use haproxy::Doors;
pub use ports::free_port;
pub use postgres::Place;
pub use process::{Process, ProcessRecord};
pub use state::{FaultRecord, State};
pub use up::{Lab, Options, Part, default_dir};
