//! Opening what sees inside of requests: the model's listener, and what opens tunnels.

use super::config::egress::At;
use super::config::model::Model;
use super::config::{Config, ConfigError};
use super::socket::{self, Rights};
use crate::gate::Gate;
use crate::plane::egress::credential::Bindings;
use crate::plane::egress::gateway::{Gateway, Provider};
use crate::plane::egress::intercept::Inside;
use crate::plane::egress::intercept::authority::{Authority, bundle};
use crate::plane::egress::server::Listener;
use crate::plane::egress::trust::Trust;
use crate::redact::Redactor;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The model's listener, open.
pub(super) struct Listening {
    pub(super) gateway: Arc<Gateway>,
    /// Where, for whoever sets a base URL.
    pub(super) place: String,
    /// Where it is reached over TCP: no connection of ours ever goes there.
    pub(super) at: Option<SocketAddr>,
    socket: Option<PathBuf>,
}

impl Listening {
    /// Takes nothing new any more.
    pub(super) fn close(&self) {
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Opens the model's listener, if the operator asked for one, and serves.
///
/// # Errors
/// If a setting or an address cannot be used.
pub(super) fn listen(
    config: &Config,
    gate: &Arc<Gate>,
    ours: &[SocketAddr],
    bindings: &Arc<Bindings>,
) -> Result<Option<(Listening, JoinHandle<()>)>, ConfigError> {
    let settled = &config.egress;
    let Some(model) = &settled.model else { return Ok(None) };
    let terms = model.terms(&config.credential)?;
    let at = model.at(settled.expose)?;
    let parts = (Arc::clone(gate), Arc::clone(bindings));
    let trust = trust(settled.ca_file.as_deref())?;
    let gateway = Gateway::new(parts, terms, Box::new(settled.names()?), trust);
    ours.iter().for_each(|address| gateway.owns(*address));
    let (listener, listening) = open(config, model, at, Arc::clone(&gateway))?;
    tracing::info!("the model is reached at {}", listening.place);
    let task = tokio::spawn(gateway.serve(listener, listening.place.clone()));
    Ok(Some((listening, task)))
}

fn open(
    config: &Config,
    model: &Model,
    at: At,
    gateway: Arc<Gateway>,
) -> Result<(Listener, Listening), ConfigError> {
    match at {
        At::Tcp(address) => {
            let opened = std::net::TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let at = listener.local_addr()?;
                Ok((TcpListener::from_std(listener)?, at))
            });
            let (listener, at) = opened.map_err(|error| {
                ConfigError::Value(format!(
                    "the model's listener cannot listen at `{address}`: {error}"
                ))
            })?;
            gateway.owns(at);
            // An OpenAI client's base URL holds the version.
            let base = match model.provider {
                Provider::Anthropic => "",
                Provider::Openai => "/v1",
            };
            let place = format!("http://{at}{base}");
            Ok((Listener::Tcp(listener), Listening { gateway, place, at: Some(at), socket: None }))
        }
        At::Unix(path) => {
            let settled = &config.egress;
            let rights =
                Rights { mode: settled.mode()?, owner: settled.owner, group: settled.group };
            let users = match settled.allow_uid.as_slice() {
                [] => vec![nix::unistd::geteuid().as_raw()],
                named => named.to_vec(),
            };
            let listener = socket::listen(&path, rights, "`listen` in `[egress.model]`")?;
            let place = format!("unix:{}", path.display());
            let listening = Listening { gateway, place, at: None, socket: Some(path) };
            Ok((Listener::Unix(listener, users), listening))
        }
    }
}

/// What it takes to see inside of tunnels; the certificate that clients must believe is written
/// where the operator wants it.
///
/// # Errors
/// If the certificates cannot be read, made or written, or a credential asks for tunnels to be
/// opened and nobody opens them.
pub(super) fn inside(
    config: &Config,
    bindings: &Arc<Bindings>,
    redactor: &Redactor,
) -> Result<Inside, ConfigError> {
    let settled = &config.egress;
    let bound = config.credential.iter().find(|one| one.host.is_some());
    if let (Some(one), false) = (bound, settled.intercept) {
        return Err(ConfigError::Value(format!(
            "the credential `{}` is bound to a host, so the tunnels to it must be opened; set \
             `intercept = true` in `[egress]`",
            one.name
        )));
    }
    let wrong = |error: &dyn std::fmt::Display| ConfigError::Value(error.to_string());
    let authority = Authority::new().map_err(|error| wrong(&error))?;
    if let Some(path) = settled.intercept_ca_file.as_deref().filter(|_| settled.intercept) {
        write(path, &bundle(&authority))?;
    }
    Ok(Inside {
        opens: settled.intercept,
        authority,
        trust: trust(settled.ca_file.as_deref())?,
        bindings: Arc::clone(bindings),
        redactor: redactor.clone(),
    })
}

fn trust(more: Option<&Path>) -> Result<Trust, ConfigError> {
    Trust::of(more).map_err(|error| ConfigError::Value(format!("`ca_file` in `[egress]`: {error}")))
}

/// In one step, so that no client reads half of it.
fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    let beside = path.with_extension("new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        ConfigError::Value(format!(
            "`intercept_ca_file` in `[egress]`: `{}` cannot be written: {error}",
            path.display()
        ))
    })
}
