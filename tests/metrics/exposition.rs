//! A strict reader of the OpenMetrics text, written from its specification and not from what
//! writes it: families in one piece, each announced; samples that fit their family's type; labels
//! whose escapes are known; no sample twice; counters that do not fall; buckets that add up.

use std::collections::{BTreeMap, BTreeSet};

/// One text that was read.
#[derive(Debug)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
    /// By name and labels, these in order and without their quotes.
    samples: BTreeMap<String, f64>,
}

#[derive(Debug, Default)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

/// What samples of a type may add to the family's name.
fn endings(kind: &str) -> Result<&'static [&'static str], String> {
    match kind {
        "counter" => Ok(&["_total"]),
        "gauge" => Ok(&[""]),
        "info" => Ok(&["_info"]),
        "histogram" => Ok(&["_bucket", "_count", "_sum"]),
        other => Err(format!("`{other}` is no type that we use")),
    }
}

fn is_name(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// In the order in which they stand.
type Labels = Vec<(String, String)>;

/// The name, the labels with their escapes undone, and what stands after them.
fn sample(line: &str) -> Result<(&str, Labels, &str), String> {
    let wrong = |what: &str| format!("{what}: `{line}`");
    let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            if !is_name(label) {
                return Err(wrong("a bad label"));
            }
            let (mut value, mut chars) = (String::new(), after.chars());
            loop {
                match chars.next().ok_or_else(|| wrong("an open quote"))? {
                    '"' => break,
                    '\\' => match chars.next() {
                        Some('n') => value.push('\n'),
                        Some(c @ ('"' | '\\')) => value.push(c),
                        other => return Err(wrong(&format!("an unknown escape {other:?}"))),
                    },
                    c => value.push(c),
                }
            }
            labels.push((label.to_owned(), value));
            rest = chars.as_str();
            match rest.strip_prefix(',') {
                Some(more) if !more.starts_with('}') => rest = more,
                Some(_) => return Err(wrong("a comma too many")),
                None if rest.starts_with('}') => {}
                None => return Err(wrong("no comma")),
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_default();
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| wrong("no value"))?;
    Ok((name, labels, value))
}

impl Exposition {
    /// Reads a text whole, or says what is wrong with it.
    pub fn read(text: &str) -> Result<Exposition, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it does not end as it must")?;
        let mut read = Exposition { families: BTreeMap::new(), samples: BTreeMap::new() };
        let mut current = String::new();
        let mut helped = BTreeSet::new();
        for line in body.lines() {
            if let Some(about) = line.strip_prefix("# ") {
                let mut words = about.splitn(3, ' ');
                let mut word = || words.next().ok_or(format!("cut short: `{line}`"));
                let (what, name, value) = (word()?, word()?, word()?);
                if !is_name(name) {
                    return Err(format!("a bad name: `{line}`"));
                }
                match what {
                    "HELP" if helped.insert(name.to_owned()) && value.ends_with('.') => {}
                    "TYPE" if !read.families.contains_key(name) => {
                        endings(value)?;
                        let family = Family { kind: value.to_owned(), ..Family::default() };
                        read.families.insert(name.to_owned(), family);
                        current = name.to_owned();
                    }
                    "UNIT" if current == name && name.ends_with(&format!("_{value}")) => {}
                    _ => return Err(format!("out of place: `{line}`")),
                }
                continue;
            }
            read.sample(&current, line)?;
        }
        for name in read.families.keys() {
            if !helped.contains(name) {
                return Err(format!("nobody says what `{name}` is"));
            }
        }
        read.hold_histograms()?;
        Ok(read)
    }

    fn sample(&mut self, current: &str, line: &str) -> Result<(), String> {
        let (name, mut labels, value) = sample(line)?;
        let family = self.families.get_mut(current).ok_or(format!("of no family: `{line}`"))?;
        let ending = name.strip_prefix(current).ok_or(format!("of another family: `{line}`"))?;
        if !endings(&family.kind)?.contains(&ending) {
            return Err(format!("a {} has no such sample: `{line}`", family.kind));
        }
        let number: f64 = value.parse().map_err(|_| format!("no number: `{line}`"))?;
        if !number.is_finite() || (family.kind != "gauge" && number < 0.0) {
            return Err(format!("no such number can be: `{line}`"));
        }
        labels.sort();
        for (label, _) in labels.iter().filter(|(label, _)| label != "le") {
            family.labels.insert(label.clone());
        }
        let told: Vec<_> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let key = format!("{name}{{{}}}", told.join(","));
        match self.samples.insert(key, number) {
            None => Ok(()),
            Some(_) => Err(format!("it stands there twice: `{line}`")),
        }
    }

    /// Buckets only grow, and the last holds all.
    fn hold_histograms(&self) -> Result<(), String> {
        for (name, _) in self.families.iter().filter(|(_, family)| family.kind == "histogram") {
            let start = format!("{name}_bucket{{le=");
            let bound = |key: &str| match key.strip_prefix(&start)?.strip_suffix('}')? {
                "+Inf" => Some(f64::INFINITY),
                number => number.parse().ok(),
            };
            let buckets = self.samples.iter().filter_map(|(key, n)| Some((bound(key)?, *n)));
            let mut buckets: Vec<(f64, f64)> = buckets.collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let count = self.value(&format!("{name}_count{{}}"));
            let last = buckets.last().copied();
            if !buckets.is_sorted_by(|a, b| a.1 <= b.1)
                || last.map(|(bound, _)| bound) != Some(f64::INFINITY)
                || last.map(|(_, n)| n) != count
                || self.value(&format!("{name}_sum{{}}")).is_none()
            {
                return Err(format!("the buckets of `{name}` do not add up"));
            }
        }
        Ok(())
    }

    /// One sample, by its name and labels: `name{a=1,b=2}`.
    pub fn value(&self, key: &str) -> Option<f64> {
        self.samples.get(key).copied()
    }

    /// All samples of this name together.
    pub fn sum(&self, name: &str) -> f64 {
        let start = format!("{name}{{");
        self.samples.iter().filter(|(key, _)| key.starts_with(&start)).map(|(_, n)| n).sum()
    }

    /// What each rule came to.
    pub fn rules(&self) -> BTreeMap<String, f64> {
        let rule = |key: &str| {
            let labels = key.strip_prefix("toolgate_rule_matches_total{")?.strip_suffix('}')?;
            Some(labels.split_once("rule=")?.1.to_owned())
        };
        self.samples.iter().filter_map(|(key, n)| Some((rule(key)?, *n))).collect()
    }

    /// What is more than it was, but for times: those are never the same.
    pub fn since(&self, before: &Exposition) -> BTreeMap<String, f64> {
        let told = |key: &&String| {
            let name = key.split('{').next().unwrap_or_default();
            let is_time = ["_bucket", "_sum", "_seconds"].iter().any(|end| name.ends_with(end));
            !is_time && !name.starts_with("toolgate_log_waiting") && !name.ends_with("_info")
        };
        let added = |key: &String| {
            let more = self.value(key)? - before.value(key).unwrap_or(0.0);
            (more != 0.0).then(|| (key.clone(), more))
        };
        self.samples.keys().filter(told).filter_map(added).collect()
    }

    /// Each family as a scraper names it, its type, and the labels of its samples.
    pub fn families(&self) -> BTreeSet<(String, String, BTreeSet<String>)> {
        let told = |(name, family): (&String, &Family)| {
            let ending = match family.kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            (format!("{name}{ending}"), family.kind.clone(), family.labels.clone())
        };
        self.families.iter().map(told).collect()
    }
}

#[test]
fn this_reader_refuses_what_is_wrong() {
    let good = "# HELP a A.\n# TYPE a counter\na_total{x=\"1\"} 1\n# EOF\n";
    assert_eq!(Exposition::read(good).unwrap().value("a_total{x=1}"), Some(1.0));
    for (was, is) in [
        ("# EOF\n", ""),
        ("# HELP a A.\n", ""),
        ("# TYPE a counter\n", ""),
        ("counter", "gauge"),
        ("counter", "thing"),
        ("a_total", "a"),
        ("a_total", "b_total"),
        ("} 1", "} x"),
        ("} 1", "} NaN"),
        ("} 1", "} -1"),
        ("} 1", "}"),
        ("\"1\"", "\"1"),
        ("\"1\"", "\"\\x\""),
        ("\"1\"", "\"1\","),
        ("x=", "-="),
        ("# EOF", "a_total{x=\"1\"} 2\n# EOF"),
        ("# EOF", "# TYPE a counter\n# EOF"),
    ] {
        assert!(Exposition::read(&good.replacen(was, is, 1)).is_err(), "{was} {is}");
    }
}
