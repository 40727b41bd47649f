//! Servers on sockets in the file system, behind a HAProxy that does not tell their paths.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use warroom::config::TargetSpec;
use warroom::lab::{self, Folder, free_port};
use warroom::model::{Resource, Severity, TargetId};
use warroom::sources::KINDS;

use super::incidents::Watcher;

#[tokio::test]
async fn the_accept_queue_of_a_socket_is_found_by_the_path_that_the_config_names() {
    let (folder, port) = (Folder::temporary("sockets").unwrap(), free_port().unwrap());
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    // Nobody ever accepts there.
    let listeners = ["one", "two"].map(|name| {
        let path = folder.path().join(format!("{name}.sock"));
        let listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        (listener, path.display().to_string())
    });
    let proxy = lab::haproxy::start(&format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    use_backend told if {{ path /told }}\n    \
         default_backend untold\nbackend told\n    server web {}\nbackend untold\n    server web {}\n",
        listeners[0].1, listeners[1].1
    ))
    .unwrap();
    let config = folder.path().join("w.toml");
    let text = format!(
        "[[target]]\nid = \"bastion\"\nkind = \"host\"\n[[target]]\nid = \"edge\"\nkind = \"haproxy\"\n\
         url = \"{}\"\nsockets = {{ \"told/web\" = \"{}\" }}\n",
        proxy.socket_url(),
        listeners[0].1
    );
    std::fs::write(&config, text).unwrap();
    let mut watcher = Watcher::on(&config);
    let clients: Vec<TcpStream> = ["/told", "/told", "/told", "/"]
        .map(|path| {
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
            client
        })
        .into();
    let row = |name: &str| TargetId::parse("edge").unwrap().row(name);
    watcher
        .until(
            "three that wait at the socket of known path, and one of which nothing can be known",
            |judgement| {
                let of = |name| {
                    judgement
                        .resources
                        .iter()
                        .find(|it| it.resource == Resource::RequestQueue && it.target == row(name))
                };
                of("told")
                    .is_some_and(|it| it.severity == Severity::Critical && it.says.starts_with("3 wait"))
                    && of("untold")
                        .is_some_and(|it| it.severity == Severity::Unknown && it.says.contains("`sockets`"))
            },
        )
        .await;
    drop(clients);

    let spec = TargetSpec::new(TargetId::parse("edge").unwrap(), "haproxy").with_url(&proxy.socket_url());
    let kind = KINDS.iter().find(|kind| kind.name == "haproxy").unwrap();
    let told = (kind.doctor)(&spec).await;
    let line = told.iter().find(|line| line.what.as_str().contains("server sockets"));
    assert!(
        line.and_then(|line| line.mend.clone()).is_some_and(|mend| mend.as_str().contains("told/web")),
        "{told:?}"
    );
}
