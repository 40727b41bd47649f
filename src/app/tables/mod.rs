//! What each table says: rows from what is known, worst first, filtered and sorted as the operator
//! wants them. What is missing is `Cell::None`, never 0.

mod app_servers;
mod cache;
mod connections;
mod detail;
mod draft;
mod events;
mod findings;
mod fold;
mod host;
mod locks;
mod pools;
mod programs;
mod proxy;
mod queues;
mod session_page;
mod sessions;
mod statements;
mod targets;
mod upkeep;

pub(in crate::app) use cache::{FOUND, as_config};
pub use detail::detail;
pub use draft::{selected_row, table, words_of};
pub use proxy::PROXIES;
pub use statements::statement_of;
