//! A policy compiled again from the texts that the log kept.

use super::{PolicyFile, PolicyLoad, text};
use crate::gate::Bound;
use crate::model::path::AbsPath;
use crate::policy::builtin::{self, Protected};
use crate::policy::compile::Compiled;
use crate::policy::pattern::Anchors;
use crate::policy::rule::{LayerKind, Says};
use crate::policy::written::WrittenRule;
use crate::policy::{Source, compile};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The place where texts are kept by their digest.
pub trait Texts {
    /// The text of a digest; nothing if it is not kept, or not what the digest says.
    fn text(&self, sha256: &str) -> Option<String>;
}

/// What is known of policies that were in force.
pub trait Kept {
    /// The policy of a load; in words, why there is none.
    ///
    /// # Errors
    /// If its texts are not kept, or do not make a policy any more.
    fn policy(&self, load: &PolicyLoad) -> Result<Rc<KeptPolicy>, String>;
}

/// One rule of a kept policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptRule {
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// What it says: allow, ask, deny, redact, note.
    pub says: String,
    /// Whether it is told only.
    pub shadow: bool,
}

/// A policy compiled again.
pub struct KeptPolicy {
    /// The files' texts.
    pub sources: Vec<Source>,
    /// The policy with the places of then.
    pub bound: Bound,
    /// What stands in its rules.
    pub written: Vec<WrittenRule>,
    /// Whether its digest is the one that the record names: it is the policy of then, word for
    /// word. Another version of toolgate may read the same texts otherwise.
    pub same_digest: bool,
}

/// No policy is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

/// The policies of a place of texts, each compiled once.
pub struct KeptPolicies<T> {
    texts: T,
    compiled: RefCell<HashMap<String, Result<Rc<KeptPolicy>, String>>>,
}

impl Kept for Nothing {
    fn policy(&self, _: &PolicyLoad) -> Result<Rc<KeptPolicy>, String> {
        Err("no texts of policies are kept".to_owned())
    }
}

impl<T: Texts> KeptPolicies<T> {
    /// Those whose texts are there.
    pub fn of(texts: T) -> KeptPolicies<T> {
        KeptPolicies { texts, compiled: RefCell::default() }
    }

    fn compile(&self, load: &PolicyLoad) -> Result<KeptPolicy, String> {
        let sources: Vec<Source> =
            load.files.iter().map(|file| self.source(file)).collect::<Result<_, _>>()?;
        if sources.is_empty() {
            return Err("its record names no files".to_owned());
        }
        let anchors = anchors(load);
        let Compiled { policy, written, .. } = compile(&sources, &anchors, &Protected::default());
        let policy = policy.ok_or("this version of toolgate does not read its text any more")?;
        let same_digest = policy.id.sha256 == load.sha256;
        Ok(KeptPolicy { sources, bound: Bound { policy, anchors }, written, same_digest })
    }

    fn source(&self, file: &PolicyFile) -> Result<Source, String> {
        let text = self.texts.text(&file.sha256);
        let text = text.ok_or_else(|| format!("the text of `{}` is not kept", file.file))?;
        let layer = match file.layer.as_deref() {
            Some("org") => Some(LayerKind::Org),
            Some("user") => Some(LayerKind::User),
            Some("project") => Some(LayerKind::Project),
            Some(_) | None => None,
        };
        Ok(Source { name: file.file.clone(), text, layer })
    }
}

impl<T: Texts> Kept for KeptPolicies<T> {
    fn policy(&self, load: &PolicyLoad) -> Result<Rc<KeptPolicy>, String> {
        if let Some(known) = self.compiled.borrow().get(&load.sha256) {
            return known.clone();
        }
        let found = self.compile(load).map(Rc::new);
        self.compiled.borrow_mut().insert(load.sha256.clone(), found.clone());
        found
    }
}

/// The places of then; where the record does not have them, those of examples.
fn anchors(load: &PolicyLoad) -> Anchors {
    let path = |text: &Option<String>| text.as_deref().and_then(|text| AbsPath::parse(text).ok());
    let frozen = Anchors::frozen(path(&load.workspace));
    Anchors {
        home: path(&load.home).or(frozen.home),
        tmp: path(&load.tmp).unwrap_or(frozen.tmp),
        ..frozen
    }
}

impl KeptRule {
    /// Whether it is a pattern of the grid, named after itself: `exec.deny:mkfs.* ...`.
    #[must_use]
    pub fn is_of_grid(&self) -> bool {
        let verbs = ["read", "write", "exec", "connect", "call"];
        verbs.iter().any(|verb| {
            let rest = self.id.strip_prefix(verb).and_then(|rest| rest.strip_prefix('.'));
            rest.is_some_and(|rest| rest.starts_with(&format!("{}:", self.says)))
        })
    }
}

impl KeptPolicy {
    /// Its rules, layer by layer.
    #[must_use]
    pub fn rules(&self) -> Vec<KeptRule> {
        let rules = self.bound.policy.layers.iter().flat_map(|layer| layer.rules.iter());
        rules
            .map(|rule| KeptRule {
                id: rule.id.clone(),
                file: rule.origin.file.clone(),
                line: rule.origin.line,
                says: says(rule.says).to_owned(),
                shadow: rule.shadow,
            })
            .collect()
    }

    /// The text of the rule that stands at a line of one of its files, or of a pack.
    #[must_use]
    pub fn rule_text(&self, file: &str, line: usize) -> Option<String> {
        let source = self.sources.iter().find(|source| source.name == file);
        let text = source.map(|source| source.text.as_str());
        let text = text.or_else(|| builtin::pack(file.strip_prefix("pack:").unwrap_or(file)))?;
        text::excerpt(text, line)
    }
}

fn says(says: Says) -> &'static str {
    says.as_str()
}
