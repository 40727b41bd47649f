//! Connections of the roles: named as a real app names its own, and made anew after a loss.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode};

/// How the role `app` reaches the lab's database under a name of its own.
pub(super) fn options(port: u16, application_name: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("app")
        .database("app")
        .ssl_mode(PgSslMode::Disable)
        .application_name(application_name)
}

/// One connection.
pub(super) async fn connection(options: &PgConnectOptions) -> Result<PgConnection, String> {
    options.connect().await.map_err(|why| format!("postgres: {why}"))
}

/// The pool of one process: two connections at rest, at most `most`. The pool hands its connections out in
/// turn, so that under a load none is ever idle for long; only their age lets it shrink after an incident.
pub(super) fn pool(port: u16, application_name: &str, most: u32) -> PgPool {
    PgPoolOptions::new()
        .min_connections(2)
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(Duration::from_secs(5))
        .max_lifetime(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_lazy_with(options(port, application_name))
}

/// One Redis as a role sees it; after an error the next call connects anew.
#[derive(Debug)]
pub(super) struct Redis {
    client: Client,
    name: String,
    patience: Duration,
    connection: Option<MultiplexedConnection>,
}

impl Redis {
    /// Does not connect yet; `name` is what `CLIENT LIST` shows.
    pub(super) fn new(url: &str, name: &str, patience: Duration) -> Result<Self, String> {
        let client = Client::open(url).map_err(|why| format!("redis: {why}"))?;
        Ok(Self { client, name: name.to_owned(), patience, connection: None })
    }

    /// Runs commands in one round trip.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, pipe: &Pipeline) -> Result<T, RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = pipe.query_async(&mut connection).await?;
        // Only after a whole answer: what a dropped call left half read is not used again.
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(self.patience));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::pipe()
            .cmd("CLIENT")
            .arg("SETNAME")
            .arg(&self.name)
            .ignore()
            .query_async::<()>(&mut connection)
            .await?;
        Ok(connection)
    }
}
