//! Public suffixes: names below which others than the owner have names of their own.
//!
//! The list is the one of publicsuffix.org, compiled in: whether a policy loads never depends on
//! where. What it does not know, as a company's own `internal`, is no suffix here.

use super::{ConnectPattern, HostPattern, Shape};
use crate::model::host::Name;
use crate::policy::pattern::PatternError;
use psl::Type;

/// Who gives out the names below a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suffix {
    /// A registry, to anybody: `com`, `co.uk`.
    Registry,
    /// A company, to its users: `github.io`.
    Private,
}

/// What `apex` is, if it is a suffix, or every name below it is one.
pub(crate) fn suffix(apex: &Name) -> Option<Suffix> {
    let kind = |name: &str| {
        let found = psl::suffix(name.as_bytes())?;
        let whole = found.as_bytes().len() == name.len();
        match found.typ().filter(|_| whole)? {
            Type::Icann => Some(Suffix::Registry),
            Type::Private => Some(Suffix::Private),
        }
    };
    // The list says `*.ck` of names that nobody can have themselves.
    kind(apex.as_str()).or_else(|| kind(&format!("0.{}", apex.as_str())))
}

/// Refuses what would let through every name that anybody buys.
pub(super) fn check(pattern: &ConnectPattern, text: &str) -> Result<(), PatternError> {
    let Some(apex) = pattern.apex().filter(|apex| suffix(apex) == Some(Suffix::Registry)) else {
        return Ok(());
    };
    let error = PatternError::new(format!(
        "`{text}` lets through every host below `{}`, where anybody can have a name",
        apex.as_str()
    ));
    Err(error.code("P036").help("name the hosts that are meant, or `**` for any host"))
}

impl ConnectPattern {
    /// The name below which a wildcard lets through all.
    pub(crate) fn apex(&self) -> Option<&Name> {
        let Shape::Web(web) = &self.shape else { return None };
        match &web.host {
            HostPattern::Below(apex) | HostPattern::From(apex) => Some(apex),
            HostPattern::Exact(_) | HostPattern::Any => None,
        }
    }

    /// What it asks of a request, besides where it goes.
    pub(crate) fn request(&self) -> Option<Request<'_>> {
        let Shape::Web(web) = &self.shape else { return None };
        let (has_method, has_path) = (web.method.is_some(), web.path.is_some());
        Some(Request { scheme: web.service.scheme.as_deref(), has_method, has_path })
    }
}

/// What a pattern asks of a request.
pub(crate) struct Request<'a> {
    pub(crate) scheme: Option<&'a str>,
    pub(crate) has_method: bool,
    pub(crate) has_path: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        use Suffix::{Private, Registry};
        for (name, expected) in [
            ("com", Some(Registry)),
            ("co.uk", Some(Registry)),
            ("example.com", None),
            // Every name below it is one, and so of no one else's.
            ("kawasaki.jp", Some(Registry)),
            ("city.kawasaki.jp", None),
            ("ck", Some(Registry)),
            ("github.io", Some(Private)),
            ("acme.github.io", None),
            ("s3.amazonaws.com", Some(Private)),
            ("amazonaws.com", None),
            // What the list does not know may be a company's own.
            ("internal", None),
            ("example", None),
            ("localhost", None),
            ("рф", Some(Registry)),
        ] {
            assert_eq!(suffix(&Name::from_unicode(name).unwrap()), expected, "{name}");
        }
    }
}
