//! Reading conditions, limits, budgets and what else concerns the state of a session.

use super::super::{At, BudgetText, ConditionText, LimitText, Per, ServerText, Tested};
use crate::model::effect::Effect;
use crate::model::time::Moment;
use crate::policy::diagnostic::{Fix, surely_meant};
use crate::policy::keys;
use crate::policy::read::{Reader, Table};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const PERS: [(&str, Per); 4] =
    [("min", Per::Minute), ("hour", Per::Hour), ("day", Per::Day), ("session", Per::Session)];

impl<'a> Reader<'a> {
    /// `when`: each key a condition; `args.a.b` may be written with dots or with tables.
    pub(super) fn when(&mut self, table: Table<'a>) -> Vec<ConditionText> {
        let Some(value) = table.get("when") else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(value.span(), value.get_ref(), "a table of conditions");
            return Vec::new();
        };
        let mut conditions = Vec::new();
        if entries.is_empty() {
            let help = "write a condition into it, or remove it".to_owned();
            let message = "`when` asks for nothing".to_owned();
            self.error_with_help("P002", value.span(), message, help);
        }
        self.conditions("", entries, &mut conditions);
        conditions
    }

    fn conditions(&mut self, above: &str, entries: &'a DeTable<'a>, into: &mut Vec<ConditionText>) {
        for (key, value) in entries {
            let name: &str = key.get_ref().as_ref();
            let full = match above {
                "" => name.to_owned(),
                _ => format!("{above}.{name}"),
            };
            let span = key.span();
            match value.get_ref() {
                DeValue::Table(inner) if self.is_misspelt_test(&full, value, inner) => {}
                DeValue::Table(inner) if is_path(&full) && !is_test(inner) => {
                    self.conditions(&full, inner, into);
                }
                _ if full.starts_with("args.") && !full.ends_with('.')
                    || keys::WHEN.iter().any(|known| known.name == full) =>
                {
                    if let Some(test) = self.tested(value) {
                        let test = At { value: test, span: value.span() };
                        into.push(ConditionText { key: At { value: full, span }, test });
                    }
                }
                value => self.unknown_key(&full, (key, value), entries, keys::WHEN, "`when`"),
            }
        }
    }

    /// `{ regx = "a" }`, which must not become an argument that is never there; one of such a name
    /// is written with dots.
    fn is_misspelt_test(
        &mut self,
        full: &str,
        value: &Spanned<DeValue<'a>>,
        inner: &DeTable<'a>,
    ) -> bool {
        let mut keys = inner.iter();
        let (Some((key, _)), None) = (keys.next(), keys.next()) else { return false };
        let name: &str = key.get_ref().as_ref();
        let is_inline = self.text.get(value.span()).is_some_and(|text| text.starts_with('{'));
        let tests = ["regex", "absent"];
        if !is_inline || !full.starts_with("args.") || tests.contains(&name) {
            return false;
        }
        let Some(meant) = surely_meant(name, tests) else { return false };
        let message = format!("`{name}` is nothing that a condition asks");
        let help = format!(
            "did you mean `{meant}`? an argument of that name is written `{full}.{name} = ...`"
        );
        self.error_with_help("P003", key.span(), message, help);
        let fix = Fix::new(format!("write `{meant}`"), key.span(), meant);
        self.fix(fix);
        true
    }

    /// What a value must be.
    fn tested(&mut self, value: &'a Spanned<DeValue<'a>>) -> Option<Tested> {
        match value.get_ref() {
            DeValue::String(text) => Some(Tested::Text(text.as_ref().to_owned())),
            DeValue::Integer(_) | DeValue::Float(_) => self.number(value).map(Tested::Number),
            DeValue::Boolean(value) => Some(Tested::Bool(*value)),
            DeValue::Array(items) if items.is_empty() => {
                let help = "write at least one value, or remove the condition".to_owned();
                self.error_with_help("P002", value.span(), "the list is empty".to_owned(), help);
                None
            }
            DeValue::Array(items) => {
                Some(Tested::Any(items.iter().filter_map(|item| self.tested(item)).collect()))
            }
            DeValue::Table(entries) => self.tested_table(value, entries),
            other @ DeValue::Datetime(_) => {
                self.wrong_type(value.span(), other, "a text, a number, true or false, or a list");
                None
            }
        }
    }

    fn tested_table(
        &mut self,
        value: &Spanned<DeValue<'a>>,
        entries: &'a DeTable<'a>,
    ) -> Option<Tested> {
        let mut entries = entries.iter();
        let (only, None) = (entries.next(), entries.next()) else {
            let message = "a condition is one of `{ regex = \"...\" }` and `{ absent = true }`";
            self.error("P005", value.span(), message.to_owned());
            return None;
        };
        match only.map(|(key, value)| (key.get_ref().as_ref(), value.get_ref())) {
            Some(("regex", DeValue::String(text))) => Some(Tested::Regex(text.as_ref().to_owned())),
            Some(("absent", DeValue::Boolean(absent))) => Some(Tested::Absent(*absent)),
            _ => {
                let message = "expected `{ regex = \"...\" }` or `{ absent = true }`".to_owned();
                self.error("P005", value.span(), message);
                None
            }
        }
    }

    /// `limit`: `"30/min"`, or a table.
    pub(super) fn limit(&mut self, table: Table<'a>) -> Option<At<LimitText>> {
        let value = table.get("limit")?;
        let limit = match value.get_ref() {
            DeValue::String(text) => self.short_limit(text, value),
            DeValue::Table(_) => {
                let inner = self.sub_table(value, keys::LIMIT, "`limit`")?;
                self.limit_table(inner)
            }
            other => {
                self.wrong_type(value.span(), other, "`\"30/min\"` or a table");
                if let DeValue::Integer(number) = other {
                    let max = number.as_str();
                    let help = format!("write `\"{max}/min\"`, `/hour`, `/day` or `/session`");
                    self.help(help);
                }
                None
            }
        };
        limit.map(|limit| At { value: limit, span: value.span() })
    }

    fn short_limit(&mut self, text: &str, value: &Spanned<DeValue<'a>>) -> Option<LimitText> {
        let read = text.split_once('/').and_then(|(max, per)| {
            let per = PERS.iter().find(|(name, _)| *name == per.trim())?.1;
            let max: u32 = max.trim().parse().ok()?;
            Some((f64::from(max), per))
        });
        let Some((max, per)) = read else {
            let message = format!("`{text}` is no limit");
            let help = "write a number and min, hour, day or session, as `30/min`".to_owned();
            self.error_with_help("P006", value.span(), message, help);
            return None;
        };
        let of_user = per == Per::Day;
        Some(LimitText { max, per, sum: None, over: Effect::Deny, of_user })
    }

    fn limit_table(&mut self, table: Table<'a>) -> Option<LimitText> {
        let per = self.word_at(table, "per", &PERS).unwrap_or(Per::Session);
        let over = self.word_at(table, "over", &[("deny", Effect::Deny), ("ask", Effect::Ask)]);
        let scope = self.word_at(table, "scope", &[("session", false), ("user", true)]);
        if let (Per::Day, Some(false), Some(value)) = (per, scope, table.get("scope")) {
            let message = "a limit of a day counts over all sessions of a user".to_owned();
            let help = "remove `scope`, or write `per = \"session\"`".to_owned();
            self.error_with_help("P015", value.span(), message, help);
        }
        let sum = self.text_at(table, "sum").and_then(|text| {
            let bare = text.value.strip_prefix("args.").filter(|bare| !bare.is_empty());
            if bare.is_none() {
                let message = format!("`{}` names no argument", text.value);
                let help = "write `args.` and the argument's name".to_owned();
                self.error_with_help("P007", text.span.clone(), message, help);
            }
            bare.map(str::to_owned)
        });
        let Some(value) = table.get("max") else {
            let message = "the limit has no `max`".to_owned();
            let help = "write the most there may be, as `max = 30`".to_owned();
            self.error_with_help("P002", table.span(), message, help);
            return None;
        };
        let max = self.amount(value)?;
        let of_user = per == Per::Day || scope == Some(true);
        Some(LimitText { max, per, sum, over: over.unwrap_or(Effect::Deny), of_user })
    }

    /// `until`: a date ends as its day begins, in UTC.
    pub(super) fn until(&mut self, table: Table<'a>) -> Option<At<Moment>> {
        let value = table.get("until")?;
        let moment = match value.get_ref() {
            DeValue::Datetime(when) => moment(when),
            other => {
                self.wrong_type(value.span(), other, "a date, as `2026-12-15`, without quotes");
                if let DeValue::String(text) = other
                    && text.parse::<toml::value::Datetime>().is_ok()
                {
                    self.unquote(value.span(), text);
                }
                return None;
            }
        };
        if moment.is_none() {
            let message = "this is no date that can be reached".to_owned();
            let help = "write a date, or a date with time and offset".to_owned();
            self.error_with_help("P006", value.span(), message, help);
        }
        moment.map(|moment| At { value: moment, span: value.span() })
    }

    pub(super) fn budget(&mut self, top: Table<'a>) -> Option<BudgetText> {
        let table = self.sub_table(top.get("budget")?, keys::BUDGET, "[budget]")?;
        let mut count = |name: &str| {
            table.get(name).and_then(|value| self.integer(value).map(|n| (n, value.span())))
        };
        let counts = ["turns", "calls", "output_bytes"].map(&mut count);
        let [turns, calls, output_bytes] = counts.map(|found| {
            let (number, span) = found?;
            let count = u64::try_from(number).ok();
            if count.is_none() {
                let message = format!("`{number}` is no amount");
                self.error_with_help("P006", span, message, "write 0 or more".to_owned());
            }
            count
        });
        let wall = self.text_at(table, "wall");
        if let Some(DeValue::Integer(number)) = table.get("wall").map(Spanned::get_ref) {
            let number = number.as_str();
            self.help(format!("write a unit and quotes: `\"{number}s\"`, `\"{number}m\"`"));
        }
        let wall = wall.and_then(|text| {
            let duration = duration(&text.value);
            if duration.is_none() {
                let message = format!("`{}` is no time", text.value);
                let help = "write a number and s, m, h or d, as `30m`".to_owned();
                self.error_with_help("P006", text.span, message, help);
            }
            duration
        });
        let models = table.get("models").map(|value| self.texts(value));
        Some(BudgetText {
            turns,
            cost_usd: table.get("cost_usd").and_then(|value| self.amount(value)),
            wall,
            calls,
            output_bytes,
            models: models.map(|texts| texts.into_iter().map(|text| text.value).collect()),
        })
    }

    /// `[mcp.NAME]`; what is pinned is enforced by the plane that sees the server.
    pub(super) fn servers(&mut self, top: Table<'a>) -> Vec<ServerText> {
        let Some(value) = top.get("mcp") else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(value.span(), value.get_ref(), "a table");
            return Vec::new();
        };
        let mut servers = Vec::new();
        for (key, value) in entries {
            let name: &str = key.get_ref().as_ref();
            let Some(table) = self.sub_table(value, keys::MCP, "[mcp]") else { continue };
            let command = table.get("command").map(|value| self.texts(value)).unwrap_or_default();
            let url = self.text_at(table, "url").map(|text| text.value);
            let pin = self.word_at(table, "pin", &[("lock", "lock"), ("none", "none")]);
            let on_change = self.word_at(table, "on_change", &[("deny", "deny"), ("ask", "ask")]);
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(plain) {
                let message = format!("`{name}` is no server's name");
                let help = "write it as the runtime has it, without `mcp:`".to_owned();
                self.error_with_help("P006", key.span(), message, help);
            }
            servers.push(ServerText {
                name: At { value: name.to_owned(), span: key.span() },
                command: command.into_iter().map(|word| word.value).collect(),
                url,
                pin,
                on_change,
            });
        }
        servers
    }

    pub(super) fn external(&mut self, top: Table<'a>) -> Vec<At<String>> {
        let Some(value) = top.get("labels") else { return Vec::new() };
        let Some(table) = self.sub_table(value, keys::LABELS, "[labels]") else {
            return Vec::new();
        };
        table.get("external").map(|value| self.texts(value)).unwrap_or_default()
    }

    /// A finite number of 0 or more.
    fn amount(&mut self, value: &Spanned<DeValue<'a>>) -> Option<f64> {
        let number = self.number(value)?;
        if number < 0.0 {
            let message = format!("`{number}` is no amount");
            self.error_with_help("P006", value.span(), message, "write 0 or more".to_owned());
            return None;
        }
        Some(number)
    }

    /// A finite number.
    fn number(&mut self, value: &Spanned<DeValue<'a>>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().and_then(exactly)
            }
            DeValue::Float(number) => number.as_str().parse::<f64>().ok().filter(|n| n.is_finite()),
            other => {
                self.wrong_type(value.span(), other, "a number");
                self.unquote_number(value);
                return None;
            }
        };
        if number.is_none() {
            let message = "this number cannot be compared with".to_owned();
            let help = "write a finite number below 2^53".to_owned();
            self.error_with_help("P006", value.span(), message, help);
        }
        number
    }

    /// Of a text that is a number but for its quotes, the number.
    fn unquote_number(&mut self, value: &Spanned<DeValue<'a>>) {
        if let DeValue::String(text) = value.get_ref()
            && text.parse::<i64>().is_ok_and(|number| number.to_string() == text.as_ref())
        {
            self.unquote(value.span(), text);
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self, value: &Spanned<DeValue<'a>>) -> Option<i64> {
        match value.get_ref() {
            DeValue::Integer(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
                if read.is_none() {
                    let message = "this number is too large".to_owned();
                    self.error("P006", value.span(), message);
                }
                read
            }
            other => {
                self.wrong_type(value.span(), other, "a whole number");
                self.unquote_number(value);
                None
            }
        }
    }
}

/// Whether a table there leads on to arguments.
fn is_path(key: &str) -> bool {
    key == "args" || key == "result" || key.starts_with("args.")
}

/// Whether a table is a test of one value, and leads no further.
fn is_test(table: &DeTable<'_>) -> bool {
    table.keys().any(|key| matches!(key.get_ref().as_ref(), "regex" | "absent"))
}

/// A number that a JSON number can be held against without rounding.
fn exactly(number: i64) -> Option<f64> {
    let most = 1_i64 << 53;
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 every whole number is exact")]
    (-most..=most).contains(&number).then_some(number as f64)
}

/// `1h30m`: one or more numbers, each with its unit.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = match after.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = after.get(1..)?;
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// A TOML date or date-time as a moment; without an offset it is UTC.
fn moment(when: &toml::value::Datetime) -> Option<Moment> {
    let date = when.date?;
    let (year, month, day) = (i16::try_from(date.year).ok()?, date.month, date.day);
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let (hour, minute) = match when.time {
        Some(time) => (i8::try_from(time.hour).ok()?, i8::try_from(time.minute).ok()?),
        None => (0, 0),
    };
    let civil = jiff::civil::date(year, 1, 1)
        .with()
        .month(month)
        .day(day)
        .build()
        .ok()?
        .at(hour, minute, 0, 0);
    let utc = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?.as_microsecond();
    let offset = match when.offset {
        Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes),
        Some(toml::value::Offset::Z) | None => 0,
    };
    Some(Moment(utc - offset * 60 * Moment::SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds) in [
            ("30m", Some(1_800)),
            ("1h30m", Some(5_400)),
            ("2d", Some(172_800)),
            ("45s", Some(45)),
            ("", None),
            ("0s", None),
            ("30", None),
            ("m", None),
            ("30 m", None),
            ("99999999999999999999h", None),
            ("5213949875098237d", None),
        ] {
            assert_eq!(duration(text).map(|time| time.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-02", Some(86_400)),
            ("1970-01-01T01:00:00Z", Some(3_600)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T01:30:00", Some(5_400)),
            ("01:00:00", None),
        ] {
            let when: toml::value::Datetime = text.parse().unwrap();
            let seconds = moment(&when).map(|moment| moment.0 / Moment::SECOND);
            assert_eq!(seconds, expected, "{text}");
        }
    }
}
