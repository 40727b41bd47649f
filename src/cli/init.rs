//! `warroom init`: a starter config of what is found here, with comments that say what else there is.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::args::Global;
use super::end::{End, Fail};
use super::run::env;
use crate::config::{TargetSpec, discover};
use crate::shell::world;

/// Writes the file, readable by its owner only; one that is there stays as it is.
pub(super) fn run(global: &Global) -> Result<End, Fail> {
    let path = place(global)?;
    let found = discover(&world::known().kinds, &env);
    let shown = path.display();
    let failed = |doing: &str, err: &std::io::Error| Fail::new(1, &format!("{doing} {shown}: {err}"));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|err| failed("cannot make the folder of", &err))?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(err) if err.kind() == ErrorKind::AlreadyExists => {
            let says = format!("{shown} is there already and stays as it is; name another by --config FILE");
            return Err(Fail::new(1, &says));
        }
        Err(err) => return Err(failed("cannot make", &err)),
    };
    file.write_all(text(&found.targets).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|err| failed("cannot write", &err))?;
    let ids: Vec<_> = found.targets.iter().map(|target| format!("{} ({})", target.id, target.kind)).collect();
    let out = format!("wrote {shown}: {}\n`warroom doctor` says what each still needs\n", ids.join(", "));
    Ok(End::new(out, 0))
}

fn place(global: &Global) -> Result<PathBuf, Fail> {
    if let Some(path) = &global.config {
        return Ok(path.clone());
    }
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")))
        .map(|folder| folder.join("warroom/warroom.toml"))
        .ok_or_else(|| Fail::new(1, "neither XDG_CONFIG_HOME nor HOME is set; name a file by --config FILE"))
}

/// The file's text.
fn text(targets: &[TargetSpec]) -> String {
    let mut out = String::from(
        "# warroom's settings, from what was found on this machine.\n\
         # `warroom config check` reads this file, `warroom config show` prints what is in effect,\n\
         # `warroom doctor` says what each target still needs.\n\n\
         [environment]\nname = \"local\"\n\
         # confirm = \"name\"      # an act is confirmed by typing the target's id; \"key\": y confirms\n\
         # read_only = true       # no act is possible\n",
    );
    for target in targets {
        writeln!(out, "\n[[target]]\nid = \"{}\"\nkind = \"{}\"", target.id, target.kind).ok();
        if let Some(url) = &target.url {
            writeln!(out, "url = {}", toml::Value::String(url.expose().to_owned())).ok();
        } else if target.kind == "postgres" {
            out.push_str("# found by PGHOST and the like; where those are not set: url = \"postgres://…\"\n");
        }
        out.push_str(match target.kind.as_str() {
            "postgres" => {
                "# every = \"1s\"\n# timeout = \"3s\"\n# slow_after = \"1s\"     # a statement that runs longer is slow\n\
                 # url_env = \"NAME\" or url_file = \"PATH\" keep a password out of this file\n"
            }
            "redis" => {
                "# [[target.namespace]]   # what may be cleared: keys that begin with the prefix\n\
                 # name = \"templates\"\n# prefix = \"cache:templates:\"\n\
                 # [[target.namespace]]\n# name = \"sessions\"\n# prefix = \"sess:\"\n\
                 # protected = true       # never cleared\n"
            }
            _ => "",
        });
    }
    out.push_str(
        "\n# [[target]]\n# id = \"jobs\"\n# kind = \"rq\"            # or celery, sidekiq, bullmq, redis_list …\n\
         # url = \"redis://127.0.0.1:6379/1\"\n# queues = [\"default\"]   # left out: every queue found\n\n\
         # [[target]]\n# id = \"edge\"\n# kind = \"haproxy\"\n\
         # url = \"unix:/run/haproxy/admin.sock\"   # or http://HOST:PORT/;csv, tcp://HOST:PORT\n\n\
         # [thresholds.\"host.cpu\"]\n# warning = 0.70\n# critical = 0.90\n",
    );
    out
}
