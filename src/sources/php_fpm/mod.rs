//! php-fpm, by its status page: over `FastCGI` on the pool's own socket, or through a web server.
//! Knows php-fpm's words; must not know limits, verdicts or other targets.

mod ask;
mod fastcgi;
mod status;

use super::{Kind, app_poll};

/// php-fpm.
pub(super) const KIND: Kind = Kind {
    name: "php_fpm",
    says: "php-fpm",
    build: |spec| app_poll::build(spec, ask::make),
    doctor: |spec| app_poll::doctor(spec, ask::make),
};
