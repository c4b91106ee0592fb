//! `toolgate audit show`: one decision whole.

mod screen;
mod texts;

use super::Directory;
use super::pick::{policies, tell};
use crate::audit::query::Source;
use crate::audit::wire::WireRecord;
use crate::author::explain::{Explainer, Written};
use crate::cli::Outcome;
use crate::cli::out::{self, complain, say};
use crate::cli::policy::{Asked, Ready, home};
use crate::cli::show::{lines, plain};
use crate::policy::builtin::Protected;
use crate::policy::compile;
use crate::redact::Redactor;
use crate::review::decision::{Again, Asker, DecisionView, Found, InLog, Sources, Wanted, ask};
use crate::review::policies::{Kept, KeptPolicies, KeptPolicy, Policies};
use crate::world::Same;
use std::cell::Cell;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A call id, a tool use id, a sequence number, or STREAM/SEQ
    id: String,
    #[command(flatten)]
    directory: Directory,
    /// How it is told
    #[arg(long, default_value = "human", value_parser = super::human_or_json())]
    format: String,
    /// Print the line as it stands in the log, and nothing else
    #[arg(long)]
    raw: bool,
    /// Show the texts, too, that are kept beside the log in place of long arguments
    #[arg(long)]
    texts: bool,
    /// The policy that is asked what it would say now. Default: the one that came into force last
    /// in this log, if its text is kept, else the shipped one, which is said
    #[command(flatten)]
    asked: Asked,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let whole = Cell::new(Outcome::Fine);
    let wanted = Wanted::parse(&arguments.id);
    let log = Source::directory(&arguments.directory.path()?);
    let found = Found::of(&wanted, &log, |bad| tell(bad, &whole));
    let Some(found) = found.map_err(|error| error.to_string())? else {
        complain!("error: no record has the id `{}`", plain(&arguments.id));
        super::tell_of_deleted(&arguments.directory.path()?);
        return Ok(Outcome::Findings);
    };
    if arguments.raw {
        say!("{}", found.main.text);
        return Ok(Outcome::Fine);
    }
    let view = view(arguments, found, &whole)?;
    match arguments.format.as_str() {
        "json" => {
            let json = serde_json::to_string_pretty(&view).map_err(|error| error.to_string())?;
            say!("{}", crate::policy::diagnostic::ascii(&json));
        }
        _ => {
            let texts = texts::of(&arguments.directory.path()?, &view, arguments.texts, &whole);
            out::text(&screen::whole(&view, &texts));
        }
    }
    Ok(Outcome::Fine)
}

fn view(
    arguments: &Arguments,
    found: Found,
    whole: &Cell<Outcome>,
) -> Result<DecisionView, String> {
    let directory = arguments.directory.path()?;
    let policies = policies(&arguments.directory, whole)?;
    let kept = super::kept(&directory);
    let asker = Asking::of(arguments, &policies, &kept)?;
    let whose = asker.whose.clone();
    let prover = InLog(&directory);
    let sources = Sources { policies: &policies, kept: &kept, asker: &asker, prover: &prover };
    let mut view = DecisionView::of(found, &sources);
    if view.now.told {
        view.now.whose = whose;
    }
    Ok(view)
}

/// The policies that are asked, in the world of who asks.
struct Asking<'a> {
    world: Same,
    redactor: Redactor,
    now: Now<'a>,
    /// Which policy that is, in words.
    whose: String,
    kept: &'a dyn Kept,
}

/// The current policy.
enum Now<'a> {
    /// One that was named, or the shipped one.
    Named(Box<Ready>),
    /// The one that came into force last.
    Last(&'a crate::review::policies::PolicyLoad),
}

impl<'a> Asking<'a> {
    fn of<T>(
        arguments: &Arguments,
        policies: &'a Policies,
        kept: &'a KeptPolicies<T>,
    ) -> Result<Asking<'a>, String>
    where
        KeptPolicies<T>: Kept,
    {
        let last = policies.loads.last().map(|load| (load, kept.policy(load).map(drop)));
        let read = || Ok::<_, String>(Now::Named(Box::new(arguments.asked.read()?)));
        let (now, whose) = match last {
            _ if arguments.asked.is_named() => (read()?, "the policy that you named".to_owned()),
            Some((load, Ok(()))) => {
                (Now::Last(load), "the policy that came into force last in this log".to_owned())
            }
            Some((load, Err(why))) => {
                let whose = format!(
                    "the shipped policy, since that which came into force last, {}, cannot be \
                     asked: {why}; --policy FILE names one",
                    load.name
                );
                (read()?, whose)
            }
            None => {
                let whose = "the shipped policy, since this log tells of none; --policy FILE names \
                             one";
                (read()?, whose.to_owned())
            }
        };
        let redactor = Redactor::shipped().map_err(|error| error.to_string())?;
        Ok(Asking { world: Same { home: home(), path: None }, redactor, now, whose, kept })
    }
}

impl Asker for Asking<'_> {
    fn then(&self, record: &WireRecord, policy: &KeptPolicy) -> Again {
        let written = Written::of(&policy.written);
        let (world, redactor) = (&self.world, &self.redactor);
        ask(record, &Explainer { bound: &policy.bound, written, world, redactor })
    }

    fn now(&self, record: &WireRecord) -> Again {
        match &self.now {
            Now::Last(load) => match self.kept.policy(load) {
                Ok(policy) => self.then(record, &policy),
                Err(why) => Again::untold(why),
            },
            Now::Named(ready) => {
                let Ready { sources, bound, redactor } = &**ready;
                let compiled = compile(sources, &bound.anchors, &Protected::default());
                let (written, world) = (Written::of(&compiled.written), &self.world);
                ask(record, &Explainer { bound, written, world, redactor })
            }
        }
    }
}

/// A JSON value as it is printed for people: several lines, harmless.
pub(super) fn pretty(value: &crate::model::json::Json) -> String {
    lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}
