//! Other spellings of a path that name the same file somewhere: for what tightens, and never for
//! what loosens, which compares bytes.
//!
//! File systems of other houses drop trailing dots and blanks, compose letters, skip characters
//! that nobody sees, or take `\` for `/`. A deny that such a spelling could slip by looks at the
//! path once more as those would read it. It is one more way to fire and takes none away.

use super::unseen;
use icu_normalizer::ComposingNormalizerBorrowed;

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();

/// The main stream of a file, or of a directory, as NTFS names it.
const STREAM: &str = "::$";

/// The path as the most forgiving file system would read it; nothing if that is as it stands.
pub(crate) fn loosely(path: &str) -> Option<String> {
    if is_plain(path) {
        return None;
    }
    let seen: String = path.chars().filter(|c| !unseen(*c)).collect();
    let composed = compatible(&seen).replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for component in composed.split('/') {
        let named = component.split_once(STREAM).map_or(component, |(name, _)| name);
        match named.trim_end_matches(['.', ' ']) {
            "" if named == ".." => {
                kept.pop();
            }
            "" if matches!(named, "" | ".") => {}
            // Nothing would be left of it.
            "" => kept.push(named),
            name => kept.push(name),
        }
    }
    let read = format!("/{}", kept.join("/"));
    (read != path).then_some(read)
}

/// The text in compatibility form (NFKC): composed, and without what only looks different.
pub(super) fn compatible(text: &str) -> std::borrow::Cow<'_, str> {
    NFKC.normalize(text)
}

/// Whether nothing of it could be read in another way, as with most paths there are.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    let mut is_ascii = true;
    for byte in path.bytes().chain([b'/']) {
        is_ascii &= byte.is_ascii();
        let odd = byte.is_ascii_control() || byte == b'\\';
        let dropped = byte == b'/' && matches!(before, b'.' | b' ');
        if odd || dropped || (byte == b'$' && before == b':') {
            return false;
        }
        before = byte;
    }
    is_ascii || (NFKC.is_normalized(path) && !path.chars().any(unseen))
}

#[cfg(test)]
mod tests {
    use super::loosely;

    #[test]
    fn what_another_file_system_would_read() {
        for (path, read) in [
            ("/work/.env", None),
            ("/work/a b.txt", None),
            ("/work/$id/x", None),
            ("/", None),
            ("/work/.env.", Some("/work/.env")),
            ("/work/.env . ", Some("/work/.env")),
            ("/work/.git /hooks./x", Some("/work/.git/hooks/x")),
            ("/work/...", None),
            ("/work/.../x", None),
            ("/work/.env::$DATA", Some("/work/.env")),
            ("/work/.git::$INDEX_ALLOCATION/config", Some("/work/.git/config")),
            ("/work/.e\u{200b}nv", Some("/work/.env")),
            ("/work/\u{202e}.env", Some("/work/.env")),
            ("/work/\u{ff0e}env", Some("/work/.env")),
            ("/work/a\u{ff0f}\u{ff0e}\u{ff0e}\u{ff0f}.env", Some("/work/.env")),
            ("/work/cafe\u{301}", Some("/work/caf\u{e9}")),
            ("/work/caf\u{e9}", None),
            ("/work/sub\\..\\.env", Some("/work/.env")),
        ] {
            assert_eq!(loosely(path).as_deref(), read, "{path:?}");
        }
    }
}
