//! `toolgate egress`: for the person who sets up the way out.

use super::out::text;
use super::{Outcome, failed};
use crate::plane::egress::environment::{
    Model, Provider, Way, compose, kubernetes, shell, variables,
};
use std::net::SocketAddr;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// The variables by which an agent's programs find the proxy
    Env(Env),
}

#[derive(clap::Args)]
pub(super) struct Env {
    /// Where the agent finds the proxy, or the bridge to it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3128")]
    proxy: SocketAddr,
    /// The certificates that the agent's programs trust, as a path of theirs: the system's and
    /// the proxy's own, if it opens connections
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<String>,
    /// Where the agent finds the model, as http://127.0.0.1:8787
    #[arg(long, value_name = "URL")]
    model: Option<String>,
    /// Whose API the model is reached by
    #[arg(
        long,
        value_name = "NAME",
        default_value = "anthropic",
        value_parser = ["anthropic", "openai"]
    )]
    provider: String,
    /// Hosts that are reached without the proxy, separated by commas [default: none]
    #[arg(long, value_name = "HOSTS", default_value = "")]
    no_proxy: String,
    /// For whom
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "shell",
        value_parser = ["shell", "compose", "kubernetes", "json"]
    )]
    format: String,
}

pub(super) fn run(command: &Command) -> Outcome {
    let Command::Env(arguments) = command;
    match arguments.way() {
        Ok(way) => env(&way, &arguments.format),
        Err(why) => return failed(&why),
    }
    Outcome::Fine
}

impl Env {
    fn way(&self) -> Result<Way, String> {
        let texts = [&self.ca_bundle, &self.model].into_iter().flatten().chain([&self.no_proxy]);
        for one in texts {
            if one.chars().any(char::is_control) {
                return Err(format!("{one:?} holds a control character"));
            }
        }
        if let Some(url) = &self.model
            && !url.starts_with("http://")
            && !url.starts_with("https://")
        {
            return Err(format!("`--model {url}` must be a URL, as http://127.0.0.1:8787"));
        }
        let provider = match self.provider.as_str() {
            "openai" => Provider::OpenAi,
            _ => Provider::Anthropic,
        };
        Ok(Way {
            proxy: self.proxy.to_string(),
            bundle: self.ca_bundle.clone(),
            model: self.model.clone().map(|url| Model { url, provider }),
            direct: self.no_proxy.clone(),
        })
    }
}

fn env(way: &Way, format: &str) {
    let variables = variables(way);
    match format {
        "compose" => text(&compose(&variables)),
        "kubernetes" => text(&kubernetes(&variables)),
        "json" => {
            let all: serde_json::Map<String, serde_json::Value> = variables
                .iter()
                .map(|(name, value)| ((*name).into(), value.as_str().into()))
                .collect();
            text(&format!("{:#}\n", serde_json::Value::Object(all)));
        }
        _ => text(&shell(&variables)),
    }
}
