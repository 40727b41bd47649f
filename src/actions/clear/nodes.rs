//! The servers that hold a namespace: one, or every master of a cluster.

use redis::ConnectionAddr;
use redis::Value;
use redis::aio::MultiplexedConnection;

use super::server::{Facts, Server, ask, number, refused, text};

/// Slots of a cluster: all must be served, or a part of the namespace could not be reached.
const SLOTS: i64 = 16_384;

/// A server that holds keys, and what was read of it.
pub(in crate::actions) struct Holder {
    /// How to reach it.
    pub server: Server,
    /// A connection to it.
    pub connection: MultiplexedConnection,
    /// What must be known of it.
    pub facts: Facts,
}

impl Holder {
    /// The server of the config, or every master of the cluster it belongs to, by address.
    ///
    /// # Errors
    /// A fragment: a connection broke, the question is refused, or a part of the cluster is down.
    pub(in crate::actions) async fn all(mut self) -> Result<Vec<Self>, String> {
        if !self.facts.cluster {
            return Ok(vec![self]);
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLUSTER").arg("SLOTS");
        let values = ask(&mut self.connection, &pipeline).await?;
        if let Some(why) = refused(&values) {
            return Err(format!("cannot ask for the cluster's masters: {why}"));
        }
        let masters = match values.first() {
            Some(Value::Array(ranges)) => masters(ranges)?,
            _ => return Err("the answer to CLUSTER SLOTS is not one".into()),
        };
        let mut all = Vec::with_capacity(masters.len());
        for (host, port) in masters {
            let server = self.server.at(&host, port)?;
            let mut connection = server.open().await?;
            let facts =
                Facts::read(&mut connection).await.map_err(|why| format!("{}: {why}", server.endpoint))?;
            all.push(Self { server, connection, facts });
        }
        Ok(all)
    }
}

impl Facts {
    /// Of all together; the clock and the user are those of the first.
    pub(in crate::actions) fn of_all(holders: &[Holder]) -> Option<Self> {
        let mut all = holders.first()?.facts.clone();
        for Holder { facts, .. } in holders.iter().skip(1) {
            all.run_id = format!("{} {}", all.run_id, facts.run_id);
            all.keys += facts.keys;
            all.replicas += facts.replicas;
            all.appends |= facts.appends;
            all.forgets_when |= facts.forgets_when;
            all.knows.shortening &= facts.knows.shortening;
            all.knows.types &= facts.knows.types;
            all.masters += 1;
        }
        Some(all)
    }
}

impl Server {
    /// The same user, password and encryption at another address; no host means the same one.
    fn at(&self, host: &str, port: u16) -> Result<Self, String> {
        let info = self.client.get_connection_info().clone();
        let host = |own: &str| if host.is_empty() { own.to_owned() } else { host.to_owned() };
        let addr = match info.addr().clone() {
            ConnectionAddr::Tcp(own, _) => ConnectionAddr::Tcp(host(&own), port),
            ConnectionAddr::TcpTls { host: own, insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host: host(&own), port, insecure, tls_params }
            }
            ConnectionAddr::Unix(_) => ConnectionAddr::Tcp(host("127.0.0.1"), port),
            _ => return Err("the other masters cannot be reached this way".into()),
        };
        let endpoint = addr.to_string();
        let client =
            redis::Client::open(info.set_addr(addr)).map_err(|_| format!("{endpoint} is no address"))?;
        Ok(Self { client, endpoint, timeout: self.timeout })
    }
}

/// Addresses of all masters, each once.
fn masters(ranges: &[Value]) -> Result<Vec<(String, u16)>, String> {
    let (mut all, mut served) = (Vec::new(), 0);
    for range in ranges {
        let Value::Array(parts) = range else { continue };
        let [first, last, Value::Array(master), ..] = parts.as_slice() else { continue };
        let (Some(host), Some(port)) = (master.first(), master.get(1).and_then(number)) else { continue };
        let port = u16::try_from(port).map_err(|_| "the answer to CLUSTER SLOTS is not one")?;
        served += number(last).zip(number(first)).map_or(0, |(last, first)| last - first + 1);
        all.push((text(host), port));
    }
    if served < SLOTS {
        return Err(format!("only {served} of the cluster's {SLOTS} slots are served: a part of it is down"));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_master_once_and_none_when_slots_are_missing() {
        let range = |first: i64, last: i64, port: i64| {
            let node = |port| Value::Array(vec![Value::BulkString(b"10.0.0.1".into()), Value::Int(port)]);
            Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(9)])
        };
        let ranges = [range(0, 99, 2), range(100, 9_999, 1), range(10_000, 16_383, 2)];
        let told: Vec<_> = masters(&ranges).expect("whole").into_iter().map(|(_, port)| port).collect();
        assert_eq!(told, [1, 2]);
        assert!(masters(&ranges[..2]).is_err());
    }
}
