//! nginx, by its `stub_status` page, and by an access log in a format of ours where there is one.
//!
//! Knows nginx's words; must not know limits, verdicts or other targets. The page tells connections and
//! requests and no more: which servers stand behind it, and how they answer, only a log can tell.

mod line;
mod nginx_source;
mod stub_status;
mod tail;
mod upstreams;

pub use nginx_source::{KIND, LOG_FORMAT, NginxSource};
