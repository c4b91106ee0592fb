//! Where nothing fits: whether that is so because a value stands in no record at all, as a slip of
//! the pen does not; and the whole of an id of which only the beginning was given.

use crate::audit::query::{Field, Filter, Grouping, Groups, Source};
use crate::cli::out::complain;
use crate::cli::show::{cut, plain};
use crate::policy::diagnostic::did_you_mean;

/// How many of the ids that begin so are named.
const NAMED: usize = 5;

/// Says of each value that was asked for whether no record has it.
pub(super) fn tell(source: &Source, filter: &Filter) -> Result<(), String> {
    for (field, word) in filter.literal_words() {
        // What can stand there at all was looked at when it was read.
        if matches!(field, Field::Decision | Field::Kind | Field::Basis | Field::Code) {
            continue;
        }
        let alone = only(field, &word)?;
        if source.count(&alone).map_err(|error| error.to_string())?.value > 0 {
            continue;
        }
        let meant = match field {
            // There are too many of them to be compared.
            Field::Path | Field::Call => None,
            _ => meant(&word, &groups(source, &Filter::default(), field)?),
        };
        let meant = meant.map(|meant| format!("; did you mean `{}`?", plain(&meant)));
        let meant = meant.unwrap_or_default();
        complain!("warning: no record of this log has the {field} `{}`{meant}", plain(&word));
    }
    Ok(())
}

/// The same filter with the whole id of the one session that begins as it says; nothing if it
/// names no session, or one that is there.
pub(super) fn whole_session(source: &Source, filter: &Filter) -> Result<Option<Filter>, String> {
    let mut words =
        filter.literal_words().into_iter().filter(|(field, _)| *field == Field::Session);
    let (Some((_, word)), None) = (words.next(), words.next()) else { return Ok(None) };
    // The ids of runtimes are so long: that is no beginning, and is not looked for twice.
    if word.len() >= 36 && !word.ends_with('…') {
        return Ok(None);
    }
    let whole = session(source, &word)?.filter(|whole| *whole != word);
    Ok(whole.map(|whole| filter.clone().with(Field::Session, &whole)))
}

/// The session with this id, or the only one whose id begins so, as a cut one does (`5e55…`).
pub(super) fn session(source: &Source, text: &str) -> Result<Option<String>, String> {
    let begins = text.trim_end_matches('…');
    if begins.is_empty() {
        return Ok(None);
    }
    let exact = Filter::default().with(Field::Session, text);
    if begins == text && source.count(&exact).map_err(|error| error.to_string())?.value > 0 {
        return Ok(Some(text.to_owned()));
    }
    let escaped = exact.without(Field::Session).with(Field::Session, begins);
    let pattern = escaped.asked(Field::Session).unwrap_or_default();
    let groups = groups(source, &only(Field::Session, &format!("{pattern}*"))?, Field::Session)?;
    let ids: Vec<&str> = names(&groups).collect();
    match ids.as_slice() {
        [] => Ok(None),
        [one] => {
            complain!("note: the session is `{}`", plain(one));
            Ok(Some((*one).to_owned()))
        }
        several => {
            let shown: Vec<String> = several.iter().take(NAMED).map(|id| plain(id)).collect();
            let more = match several.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let begins = plain(&cut(begins, 64));
            Err(format!("several sessions begin with `{begins}`: {}{more}", shown.join(", ")))
        }
    }
}

fn only(field: Field, word: &str) -> Result<Filter, String> {
    Filter::from_pairs([(field.as_str(), word)], jiff::Timestamp::now())
        .map_err(|error| error.to_string())
}

fn groups(source: &Source, filter: &Filter, field: Field) -> Result<Groups, String> {
    let mut answer =
        source.group(filter, &[Grouping::by(&[field])]).map_err(|error| error.to_string())?;
    Ok(answer.value.pop().unwrap_or_default())
}

fn names(groups: &Groups) -> impl Iterator<Item = &str> {
    groups.groups.iter().filter_map(|group| group.key.first()).map(String::as_str)
}

/// The value that must have been meant: the same in other letters, or one that is near.
fn meant(word: &str, groups: &Groups) -> Option<String> {
    let same = names(groups).find(|name| name.eq_ignore_ascii_case(word));
    let begins = || names(groups).find(|name| word.len() > 3 && name.starts_with(word));
    same.or_else(begins).or_else(|| did_you_mean(word, names(groups))).map(str::to_owned)
}
