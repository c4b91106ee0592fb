//! The policy in force as a grid, with how often each rule spoke, and what was in force when.

use super::explore::only;
use super::frame::Frame;
use super::table::{Moment, address, written};
use super::{Asked, rendered};
use crate::audit::Entry;
use crate::audit::query::{Field, Filter, Grouping};
use crate::review::web::select::names;
use crate::review::web::sidecar::{Grid, GridRow};
use crate::review::web::view::{Link, Mark, Shown, count};
use askama::Template;
use axum::http::StatusCode;
use std::collections::HashMap;

#[derive(Template)]
#[template(path = "policy.html", config = "src/review/web/askama.toml")]
struct Policy {
    frame: Frame,
    wrong: Option<Shown>,
    name: Shown,
    sha256: Shown,
    notices: Vec<Shown>,
    layers: Vec<Layer>,
    rows: Vec<RuleRow>,
    silent: usize,
    only_silent: bool,
    strangers: Vec<(Link, String)>,
    activations: Vec<Activation>,
}

struct Layer {
    name: Shown,
    told: Shown,
    files: Shown,
}

/// One row of the grid.
struct RuleRow {
    verb: Shown,
    mark: Mark,
    pattern: Shown,
    layer: Shown,
    rule: Shown,
    place: Shown,
    besides: Shown,
    ignored: Option<Shown>,
    hits: String,
    /// Of a thousand.
    width: u64,
    href: String,
    is_silent: bool,
}

/// When a policy came into force, or was refused.
struct Activation {
    at: Moment,
    href: String,
    name: Shown,
    digest: Shown,
    cause: Shown,
    is_refused: bool,
    why: Shown,
    decisions: String,
}

pub(super) fn make(asked: &Asked<'_>) -> (StatusCode, String) {
    let (grid, wrong) = match asked.web.sidecar.grid() {
        Ok(grid) => (grid, None),
        Err(why) => (Grid::default(), Some(Shown::cut(&why, 600))),
    };
    let groupings = [Grouping::by(&[Field::Rule]), Grouping::by(&[Field::Policy])];
    let groups = asked.log.groups(&Filter::default(), &groupings);
    let hits: HashMap<&str, u64> = names(groups.first()).into_iter().collect();
    let digests: HashMap<&str, u64> = names(groups.get(1)).into_iter().collect();
    let most = grid.rows.iter().filter_map(|row| hits.get(row.rule.as_str())).max();
    let most = most.copied().unwrap_or(1);
    let only_silent = asked.parameter("silent").is_some();
    let mut rows: Vec<RuleRow> = grid.rows.iter().map(|row| rule_row(row, &hits, most)).collect();
    let silent = rows.iter().filter(|row| row.is_silent).count();
    rows.retain(|row| !only_silent || row.is_silent);
    let mut strangers: Vec<(&str, u64)> = hits
        .iter()
        .map(|(rule, hits)| (*rule, *hits))
        .filter(|(rule, _)| !grid.rows.iter().any(|row| row.rule == *rule))
        .collect();
    strangers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let page = Policy {
        frame: Frame::of(asked, "/policy"),
        wrong,
        name: Shown::of(&asked.standing.policy),
        sha256: Shown::of(&asked.standing.policy_sha256),
        notices: grid.notices.iter().map(|notice| Shown::cut(notice, 300)).collect(),
        layers: layers(&grid),
        rows,
        silent,
        only_silent,
        strangers: strangers
            .into_iter()
            .take(30)
            .map(|(rule, hits)| {
                (Link { href: only(Field::Rule, rule), text: Shown::cut(rule, 60) }, count(hits))
            })
            .collect(),
        activations: activations(asked, &digests),
    };
    rendered(StatusCode::OK, &page)
}

fn layers(grid: &Grid) -> Vec<Layer> {
    let layer = |layer: &crate::review::web::sidecar::GridLayer| Layer {
        name: Shown::of(&layer.name),
        told: Shown::of(&format!("{}, default {}", layer.power, layer.default)),
        files: Shown::cut(&layer.files.join(", "), 200),
    };
    grid.layers.iter().map(layer).collect()
}

fn rule_row(row: &GridRow, hits: &HashMap<&str, u64>, most: u64) -> RuleRow {
    let hit = hits.get(row.rule.as_str()).copied().unwrap_or_default();
    RuleRow {
        verb: Shown::of(&row.verb),
        mark: Mark::of(match row.effect.as_str() {
            effect @ ("allow" | "ask" | "deny") => effect,
            _ => "",
        }),
        pattern: Shown::cut(&row.pattern, 160),
        layer: Shown::of(&row.layer),
        rule: Shown::cut(if row.of_grid { "" } else { &row.rule }, 60),
        place: Shown::cut(&format!("{}:{}", row.file, row.line), 80),
        besides: Shown::cut(&row.besides.join("; "), 200),
        ignored: row.ignored.as_deref().map(Shown::of),
        hits: if hit == 0 { "never".to_owned() } else { count(hit) },
        width: hit * 1_000 / most.max(1),
        href: only(Field::Rule, &row.rule),
        is_silent: hit == 0,
    }
}

/// What came into force and what was refused, the newest first.
fn activations(asked: &Asked<'_>, digests: &HashMap<&str, u64>) -> Vec<Activation> {
    const MOST: usize = 40;
    let filter = Filter::default()
        .toggled(Field::Kind, "policy.load")
        .toggled(Field::Kind, "policy.refused");
    let activation = |entry: Entry| {
        let record = entry.record;
        let text = |name: &str| {
            let detail = record.details.get(name);
            detail.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let is_refused = record.kind == "policy.refused";
        let digest = text("sha256");
        Activation {
            at: Moment::of(written(&record)),
            href: address(&record),
            name: Shown::cut(&text(if is_refused { "in_force" } else { "policy" }), 60),
            digest: Shown::cut(&digest, 12),
            cause: Shown::cut(&text("cause"), 20),
            is_refused,
            why: Shown::cut(text("why").lines().next().unwrap_or_default(), 200),
            decisions: digests.get(digest.as_str()).copied().map(count).unwrap_or_default(),
        }
    };
    asked.log.newest(&filter, MOST).into_iter().map(activation).collect()
}
