//! Where servers listen in the file system: HAProxy says `unix` of each of them and no more. Pure.

use crate::model::{Missing, ProxySample, SafeText};

/// All that HAProxy says of such a server's address.
const SOMEWHERE: &str = "unix";

/// Gives each server in the file system the path that the config names for it; of the others the sample
/// says that they lack one.
pub(super) fn place(sample: &mut ProxySample, known: &[(String, String)]) {
    let mut lacking = Vec::new();
    for backend in &mut sample.backends {
        for server in &mut backend.servers {
            if server.address.as_ref().is_none_or(|address| address.as_str() != SOMEWHERE) {
                continue;
            }
            let name = format!("{}/{}", backend.name, server.name);
            match known.iter().find(|(it, _)| *it == name) {
                Some((_, path)) => server.address = Some(SafeText::new(&format!("unix:{path}"))),
                None => lacking.push(name),
            }
        }
    }
    if let Some(first) = lacking.first() {
        let why = format!(
            "HAProxy does not tell the paths of {} (one is {first}): name them at this target, \
             sockets = {{ {first:?} = \"/run/app.sock\" }}, and the accept queues there are seen",
            crate::model::words::many(lacking.len() as u64, "server", "servers")
        );
        sample.missing.push(Missing::new("server sockets", &why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProxyBackend, ProxyServer};

    #[test]
    fn a_server_in_the_file_system_gets_its_path_and_the_rest_is_told() {
        let server = |name: &str, address: &str| ProxyServer {
            name: name.into(),
            address: Some(address.into()),
            ..ProxyServer::default()
        };
        let servers = vec![server("one", "unix"), server("two", "unix"), server("far", "10.0.0.7:80")];
        let mut sample = ProxySample {
            backends: vec![ProxyBackend { name: "app".into(), servers, ..ProxyBackend::default() }],
            ..ProxySample::default()
        };
        place(&mut sample, &[("app/one".into(), "/run/one.sock".into()), ("far".into(), "/x".into())]);
        let addresses: Vec<_> = sample.backends[0]
            .servers
            .iter()
            .filter_map(|it| it.address.as_ref())
            .map(SafeText::as_str)
            .collect();
        assert_eq!(addresses, ["unix:/run/one.sock", "unix", "10.0.0.7:80"]);
        assert!(sample.missing[0].why.as_str().contains("app/two"), "{:?}", sample.missing);
        place(&mut sample, &[("app/two".into(), "/run/two.sock".into())]);
        assert_eq!(sample.missing.len(), 1, "nothing more is lacking");
    }
}
