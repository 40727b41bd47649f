//! warroom: which resource is under pressure, what caused it, and which key fixes it.

pub mod actions;
pub mod app;
pub mod cli;
pub mod config;
pub mod detect;
pub mod dial;
pub mod explain;
pub mod feed;
pub mod journal;
pub mod lab;
pub mod model;
pub mod shell;
pub mod sources;
pub mod store;
#[cfg(test)]
mod torn;
pub mod view;
