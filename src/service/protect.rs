//! What belongs to the guard itself on this machine, for the floor that no policy can switch off.
//!
//! It is looked up anew at each load: a link may lead to another file by now. Every name by which
//! a file was reached is held back, and every link on the way, since whoever turns a link chooses
//! what the next reload reads.

use super::config::credential::Credential;
use super::config::egress::At;
use super::config::http::Address;
use super::config::{Config, ConfigError, absolute};
use super::layers::Places;
use crate::audit::KEY_FILE;
use crate::limits::PATH_LINKS_MAX;
use crate::model::path::AbsPath;
use crate::policy::builtin::Protected;
use std::path::{Path, PathBuf};

/// The guard's own files and sockets, by the names that it was started with.
#[derive(Debug, Clone)]
pub struct Own {
    paths: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
    secrets: Vec<PathBuf>,
}

impl Own {
    /// The policy's files, the configuration, the log and its key, this program, the wiring that
    /// is named, the sockets and the token.
    ///
    /// # Errors
    /// If the hook and the admin socket would be one, or the HTTP listener's address is wrong.
    pub fn of(
        config: &Config,
        places: &Places,
        config_file: Option<&Path>,
        audit: &Path,
    ) -> Result<Own, ConfigError> {
        let program = std::env::current_exe().ok();
        let files = places.paths();
        let files = files.iter().map(PathBuf::as_path);
        let wiring = config.hook.wiring.iter().map(PathBuf::as_path);
        let paths = files.chain(config_file).chain([audit]).chain(program.as_deref()).chain(wiring);
        // Whoever has another socket put in its place leads the agents elsewhere; to connect to it
        // is what it is for.
        let mut paths_of_proxy = Vec::new();
        let mut sockets = vec![config.hook.socket.clone(), config.admin_socket()?];
        if let Some(Address::Unix(socket)) = config.http.address()? {
            sockets.push(socket);
        }
        for place in config.egress.places()? {
            if let At::Unix(socket) = place {
                paths_of_proxy.push(socket);
            }
        }
        // Who has the key can sign the log anew.
        let key = config.audit.key.clone().unwrap_or_else(|| audit.join(KEY_FILE));
        // ... and who has the other, can guess at what was redacted.
        let commitment = config.audit.commitment_key(audit);
        let proxy = paths_of_proxy.iter().map(PathBuf::as_path);
        let paths = paths.chain(proxy).chain([key.as_path(), &commitment]).map(Path::to_owned);
        let paths = paths.collect();
        let bound = config.credential.iter().filter_map(Credential::file);
        let secrets = config
            .http
            .token_file
            .iter()
            .chain(&config.egress.token_file)
            .chain([&key, &commitment])
            .chain(bound);
        let secrets = secrets.cloned().collect();
        Ok(Own { paths, sockets, secrets })
    }

    /// Where these lie now.
    #[must_use]
    pub fn protected(&self) -> Protected {
        let mut links = Vec::new();
        let mut names = |paths: &[PathBuf]| {
            let mut found = Vec::new();
            for path in paths {
                follow(path, &mut found, &mut links);
            }
            found.sort();
            found.dedup();
            found
        };
        let (paths, sockets) = (names(&self.paths), names(&self.sockets));
        let secrets = names(&self.secrets);
        links.sort();
        links.dedup();
        Protected { paths, links, sockets, secrets }
    }
}

/// Adds every name that `path` has on the way through its links, and the links themselves.
fn follow(path: &Path, names: &mut Vec<AbsPath>, links: &mut Vec<AbsPath>) {
    let real = path.canonicalize().ok();
    names.extend(real.as_deref().and_then(|real| absolute(real).ok()));
    let Some(mut name) = std::path::absolute(path).ok().and_then(|path| absolute(&path).ok())
    else {
        return;
    };
    for _ in 0..PATH_LINKS_MAX {
        names.push(name.clone());
        let Some((link, next)) = through(&name) else { return };
        links.push(link);
        name = next;
    }
}

/// The first link on the way to `name`, and the name that it makes of it.
fn through(name: &AbsPath) -> Option<(AbsPath, AbsPath)> {
    let mut at = AbsPath::root();
    let mut parts = name.components();
    while let Some(part) = parts.next() {
        let next = at.join(part).ok()?;
        let Ok(target) = std::fs::read_link(next.as_str()) else {
            at = next;
            continue;
        };
        let mut to = at.join(target.to_str()?).ok()?;
        for rest in parts {
            to = to.join(rest).ok()?;
        }
        return Some((next, to));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_name_and_every_link_on_the_way_is_held() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let at = |name: &str| absolute(&root.join(name)).unwrap();
        // As a mounted configuration map lies: a link through a link that is turned.
        std::fs::create_dir(root.join("..v1")).unwrap();
        std::fs::write(root.join("..v1/policy.toml"), "").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/policy.toml", root.join("policy.toml")).unwrap();
        let own = Own {
            paths: vec![root.join("policy.toml")],
            sockets: vec![root.join("s")],
            secrets: vec![root.join("..data/policy.toml")],
        };
        let names = |protected: &Protected, version: &str| {
            let real = at(&format!("{version}/policy.toml"));
            let mut paths = vec![at("..data/policy.toml"), at("policy.toml"), real];
            paths.sort();
            assert_eq!(protected.paths, paths);
            assert_eq!(protected.links, [at("..data"), at("policy.toml")]);
            assert_eq!(protected.sockets, [at("s")]);
            let mut secrets = vec![at("..data/policy.toml"), at(&format!("{version}/policy.toml"))];
            secrets.sort();
            assert_eq!(protected.secrets, secrets);
        };
        names(&own.protected(), "..v1");
        std::fs::rename(root.join("..v1"), root.join("..a2")).unwrap();
        std::fs::remove_file(root.join("..data")).unwrap();
        symlink(root.join("..a2"), root.join("..data")).unwrap();
        names(&own.protected(), "..a2");
        // A circle ends, and what is not there has its name.
        symlink("circle", root.join("circle")).unwrap();
        let paths = vec![root.join("circle"), root.join("none")];
        let own = Own { paths, sockets: vec![], secrets: vec![] };
        assert_eq!(own.protected().paths, [at("circle"), at("none")]);
    }

    #[test]
    fn wiring_that_no_name_tells_is_held_where_it_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let settings = scratch.path().canonicalize().unwrap().join("agent/settings.json");
        let text = format!("[hook]\nwiring = [{settings:?}]\n");
        let config: Config = toml::from_str(&text).unwrap();
        let own = Own::of(&config, &Places::default(), None, Path::new("/a")).unwrap();
        assert!(own.protected().paths.contains(&absolute(&settings).unwrap()));
    }
}
