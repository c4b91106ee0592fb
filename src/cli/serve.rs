//! `toolgate serve`: the sidecar in the foreground.

use super::out::complain;
use super::show::colour_on;
use super::{Outcome, failed};
use crate::service::config::{Config, WorldName};
use crate::service::supervise::serve;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Arguments stand above the configuration file.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file; may be given more than once [default: the shipped policy]
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Where to listen for hooks [default: /run/toolgate/hook.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where to answer HTTP hooks: a loopback address, or `unix:` and a path [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// The file that holds the token of HTTP hooks
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,
    /// Where the proxy of connections listens: an address and a port, or `unix:` and a path; may be
    /// given more than once [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    egress: Vec<String>,
    /// Where the pages are on which the log is reviewed: an address and a port, 0 for any that is
    /// free [default: 127.0.0.1:0, or nowhere if --config is given]
    #[arg(long, value_name = "ADDR")]
    review: Option<SocketAddr>,
    /// Where the log goes [default: /var/lib/toolgate/audit for root, else toolgate/audit in
    /// $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    audit: Option<PathBuf>,
    /// The directory that $workspace stands for [default: the current one]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Take a policy that names signers, although no signature is checked; the log says so
    #[arg(long)]
    unsigned_ok: bool,
    /// How log messages are written to stderr
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let log = Log::start(&arguments.log_format);
    let config = match configuration(arguments) {
        Ok(config) => config,
        Err(error) => return log.failed(&error),
    };
    match serve(&config, arguments.config.as_deref(), &|socket, review| {
        log.listening(socket, review)
    }) {
        Ok(()) => Outcome::Fine,
        Err(error) => log.failed(&error),
    }
}

fn configuration(arguments: &Arguments) -> Result<Config, crate::service::config::ConfigError> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path)?,
        None => without_file(),
    };
    if !arguments.policy.is_empty() {
        config.policy.files.clone_from(&arguments.policy);
    }
    if let Some(socket) = &arguments.socket {
        config.hook.socket.clone_from(socket);
    }
    if let Some(address) = &arguments.http {
        config.http.listen = Some(address.clone());
    }
    config.egress.listen.extend(arguments.egress.iter().cloned());
    if let Some(token) = &arguments.http_token_file {
        config.http.token_file = Some(token.clone());
    }
    // Without a file nobody could have said where: on a laptop the pages are just there.
    let usual = arguments.config.is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    if let Some(address) = arguments.review.or(usual) {
        config.review.listen = Some(address);
    }
    if let Some(audit) = &arguments.audit {
        config.audit.dir = Some(audit.clone());
    }
    if let Some(workspace) = &arguments.workspace {
        config.policy.workspace = Some(workspace.clone());
    }
    config.policy.unsigned_ok |= arguments.unsigned_ok;
    Ok(config)
}

/// Without a configuration the sidecar runs beside the agent, on the same files and as the same
/// user: that is what a bare `serve` on a laptop means.
pub(super) fn without_file() -> Config {
    let mut config = Config::default();
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    config.hook.world = Some(WorldName::Same);
    config.hook.home = absolute("HOME");
    let settings = absolute("XDG_CONFIG_HOME")
        .or_else(|| config.hook.home.as_ref().map(|home| home.join(".config")));
    config.policy.user = settings.map(|settings| settings.join("toolgate"));
    config
}

/// How messages about the sidecar itself are written. The log of decisions is another thing: the
/// journal. In JSON every line is an object, those of a panic too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Text,
    Json,
}

impl Log {
    fn start(format: &str) -> Log {
        let wanted = std::env::var_os("TOOLGATE_LOG").unwrap_or_default();
        let filter = wanted.to_str().and_then(filter);
        let is_understood = filter.is_some();
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new("info")))
            .with_ansi(colour_on(&std::io::stderr()))
            .with_writer(std::io::stderr);
        let log = match format {
            "json" => {
                builder.json().init();
                std::panic::set_hook(Box::new(|panic| {
                    let at = panic.location().map(ToString::to_string);
                    let why = panic.payload_as_str();
                    tracing::error!(at, why, "an internal error");
                }));
                Log::Json
            }
            _ => {
                builder.init();
                Log::Text
            }
        };
        if !is_understood {
            tracing::warn!(
                TOOLGATE_LOG = ?wanted,
                "this is no filter, `info` is used; say error, warn, info, debug, trace or off, \
                 for all or as toolgate::gate=debug"
            );
        }
        log
    }

    /// The sidecar is there; whoever started it may wait for these words.
    fn listening(self, socket: &Path, review: Option<&str>) {
        let socket = socket.display();
        // The link lets in whoever has it: it is told here, and in no message of the service.
        if let Some(link) = review {
            match self {
                Log::Text => complain!("review the log at {link}"),
                Log::Json => tracing::info!(review = %link, "review the log at {link}"),
            }
        }
        match self {
            Log::Text => complain!("listening on {socket}"),
            Log::Json => tracing::info!(%socket, "listening on {socket}"),
        }
    }

    fn failed(self, why: &dyn std::fmt::Display) -> Outcome {
        match self {
            Log::Text => failed(why),
            Log::Json => {
                tracing::error!(%why, "the sidecar has ended");
                Outcome::Failed
            }
        }
    }
}

/// What `TOOLGATE_LOG` asks for, if it can be understood. A word alone must be a level: the library
/// takes any other for the name of a module, and then nothing else is told.
fn filter(text: &str) -> Option<EnvFilter> {
    let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Some(EnvFilter::new("info"));
    }
    let says_level = |part: &str| part.contains(['=', '[']) || part.parse::<LevelFilter>().is_ok();
    parts.all(says_level).then(|| EnvFilter::try_new(text).ok())?
}

/// The log's directory for the commands that read it.
pub(super) fn audit_directory(
    stated: Option<&Path>,
) -> Result<PathBuf, crate::service::config::ConfigError> {
    let mut config = Config::default();
    config.audit.dir = stated.map(Path::to_owned);
    crate::service::supervise::audit_directory(&config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_tell_nothing_is_not_taken() {
        for good in ["", " ", "info", "WARN", "off", "info,toolgate::gate=debug", "toolgate=trace"]
        {
            assert!(filter(good).is_some(), "{good}");
        }
        for bad in ["bogus", "inf", "info,toolgate::gate", "toolgate=bogus", "info;debug"] {
            assert!(filter(bad).is_none(), "{bad}");
        }
    }
}
