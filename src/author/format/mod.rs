//! `policy fmt`: one layout for every policy file; each word and comment stays, only the blanks
//! between them change.
//!
//! The text is cut into `lines` by the TOML reader's own tokens, and `print` writes them again.
//! What cannot be laid out without a choice (a value inside a list that has line breaks of its
//! own) is left as it stands. The result is read back: if it should mean anything else than the
//! text, it is thrown away.

mod lines;
mod print;

/// Columns of a line; a list that would be longer gets a line for each entry.
const COLUMNS: usize = 120;
/// Columns that a key may have before the `=` of the lines around it stay where they are.
const KEY_COLUMNS: usize = 24;

/// Why a text is not laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("this is no TOML, so it has no layout; `toolgate policy check` says what is wrong")]
    NoToml,
    /// A fault of ours, met before anything was written.
    #[error("the new layout would not mean the same, so nothing is changed; please report it")]
    OtherMeaning,
}

/// The text in the one layout.
///
/// # Errors
/// If it is no TOML.
pub fn format(text: &str) -> Result<String, FormatError> {
    let meant = meaning(text)?;
    let lines = lines::read(text).ok_or(FormatError::NoToml)?;
    let laid_out = print::print(lines);
    match meaning(&laid_out) {
        Ok(means) if means == meant => Ok(laid_out),
        _ => Err(FormatError::OtherMeaning),
    }
}

/// What a text says, layout and comments aside, in a form that can be compared.
fn meaning(text: &str) -> Result<String, FormatError> {
    let table: toml::Table = toml::from_str(text).map_err(|_| FormatError::NoToml)?;
    Ok(format!("{table:?}"))
}

#[cfg(test)]
mod tests;
