//! The tests of `find`: which names may get past them.
//!
//! What a test says of a name is followed only where the name decides it; every other test may say
//! either. So the names that are left are never too few.

use super::tree::fits;
use crate::catalogue::program;
use crate::model::word::Word;

/// Parentheses deeper than this are not followed.
const DEPTH_MAX: usize = 16;

/// What the words of `find` say after its roots.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search(Test);

/// A path as `find` prints it.
#[derive(Debug)]
pub(super) struct Found<'a> {
    printed: &'a str,
    name: &'a str,
    /// Something lies below it: it is surely a directory.
    holds: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    /// `-name`, and `-iname`.
    Name {
        pattern: String,
        fold: bool,
    },
    /// `-path`, and `-ipath`.
    Path {
        pattern: String,
        fold: bool,
    },
    /// `-type`, with its letters.
    Type(String),
    /// `-prune`, and what else is always true.
    True,
    /// What something else than the name decides.
    Either,
    /// `-print`, `-exec`: with its place among the words.
    Action(usize),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    /// `a , b`: each is tried, the last one counts.
    Each(Vec<Test>),
}

/// What a test may say of a name, and whether a certain action is then reached.
#[derive(Debug, Clone, Copy)]
struct Says {
    yes: bool,
    no: bool,
    reached: bool,
}

impl<'a> Found<'a> {
    pub(super) fn of(printed: &'a str, holds: bool) -> Found<'a> {
        let trimmed = printed.trim_end_matches('/');
        let name = trimmed.rsplit('/').next().filter(|name| !name.is_empty());
        Found { printed, name: name.unwrap_or("/"), holds }
    }
}

impl Search {
    /// Reads the words from `start` on; nothing if they cannot be read.
    pub(super) fn read(words: &[Word], start: usize) -> Option<Search> {
        let mut texts = Vec::new();
        for word in words {
            texts.push(word.as_known()?);
        }
        let mut reader = Reader { texts, at: start, depth: 0 };
        if reader.at == reader.texts.len() {
            return Some(Search(Test::True));
        }
        let test = reader.list()?;
        (reader.at == reader.texts.len()).then_some(Search(test))
    }

    /// Whether `find` may come to one of the actions at these places with this path; with no
    /// places, whether it may print it in the end.
    pub(super) fn may_reach(&self, found: &Found<'_>, at: &[usize]) -> bool {
        let says = self.0.says(found, at);
        if at.is_empty() { says.yes } else { says.reached }
    }
}

impl Test {
    fn says(&self, found: &Found<'_>, at: &[usize]) -> Says {
        const EITHER: Says = Says { yes: true, no: true, reached: false };
        match self {
            Test::Name { pattern, fold } => of_pattern(pattern, found.name, *fold),
            Test::Path { pattern, fold } => of_pattern(pattern, found.printed, *fold),
            Test::Type(letters) if found.holds => {
                let yes = letters.contains('d');
                Says { yes, no: !yes, reached: false }
            }
            Test::Type(_) => EITHER,
            Test::True => Says { no: false, ..EITHER },
            Test::Either => EITHER,
            Test::Action(place) => Says { reached: at.contains(place), ..EITHER },
            Test::Not(test) => {
                let Says { yes, no, reached } = test.says(found, at);
                Says { yes: no, no: yes, reached }
            }
            Test::All(tests) => {
                let mut all = Says { yes: true, no: false, reached: false };
                for test in tests {
                    let says = test.says(found, at);
                    all.reached |= says.reached;
                    all.no |= says.no;
                    all.yes = says.yes;
                    if !says.yes {
                        break;
                    }
                }
                all
            }
            Test::Any(tests) => {
                let mut any = Says { yes: false, no: true, reached: false };
                for test in tests {
                    let says = test.says(found, at);
                    any.reached |= says.reached;
                    any.yes |= says.yes;
                    any.no = says.no;
                    if !says.no {
                        break;
                    }
                }
                any
            }
            Test::Each(tests) => {
                let mut last = EITHER;
                let mut reached = false;
                for test in tests {
                    last = test.says(found, at);
                    reached |= last.reached;
                }
                Says { reached, ..last }
            }
        }
    }
}

/// Sets of characters and escapes are not read in full, and what one character is depends on the
/// locale: what fits them is not sure.
fn of_pattern(pattern: &str, text: &str, fold: bool) -> Says {
    if pattern.contains(['[', '\\']) || !(pattern.is_ascii() && text.is_ascii()) {
        return Says { yes: true, no: true, reached: false };
    }
    let yes = match fold {
        true => fits(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase()),
        false => fits(pattern, text),
    };
    Says { yes, no: !yes, reached: false }
}

struct Reader<'a> {
    texts: Vec<&'a str>,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn next_is(&self, any: &[&str]) -> bool {
        self.texts.get(self.at).is_some_and(|text| any.contains(text))
    }

    fn list(&mut self) -> Option<Test> {
        let mut tests = vec![self.any()?];
        while self.next_is(&[","]) {
            self.at += 1;
            tests.push(self.any()?);
        }
        Some(one_or(tests, Test::Each))
    }

    fn any(&mut self) -> Option<Test> {
        let mut tests = vec![self.all()?];
        while self.next_is(&["-o", "-or"]) {
            self.at += 1;
            tests.push(self.all()?);
        }
        Some(one_or(tests, Test::Any))
    }

    fn all(&mut self) -> Option<Test> {
        let mut tests = vec![self.one()?];
        while self.at < self.texts.len() && !self.next_is(&["-o", "-or", ",", ")"]) {
            if self.next_is(&["-a", "-and"]) {
                self.at += 1;
            }
            tests.push(self.one()?);
        }
        Some(one_or(tests, Test::All))
    }

    fn one(&mut self) -> Option<Test> {
        let place = self.at;
        let text = *self.texts.get(place)?;
        self.at += 1;
        match text {
            "!" | "-not" | "(" => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return None;
                }
                let test = match text {
                    "(" => {
                        let inner = self.list()?;
                        self.next_is(&[")"]).then(|| self.at += 1)?;
                        inner
                    }
                    _ => Test::Not(Box::new(self.one()?)),
                };
                self.depth -= 1;
                Some(test)
            }
            "-prune" | "-true" | "-depth" | "-xdev" | "-mount" => Some(Test::True),
            "-name" | "-iname" | "-path" | "-ipath" | "-wholename" | "-iwholename" => {
                let pattern = (*self.texts.get(self.at)?).to_owned();
                self.at += 1;
                let fold = text.starts_with("-i");
                Some(match text {
                    "-name" | "-iname" => Test::Name { pattern, fold },
                    _ => Test::Path { pattern, fold },
                })
            }
            "-type" => {
                let letters = (*self.texts.get(self.at)?).to_owned();
                self.at += 1;
                Some(Test::Type(letters))
            }
            _ if !text.starts_with('-') => None,
            "-print" | "-print0" | "-exec" | "-execdir" | "-ok" | "-okdir" | "-delete" => {
                Some(Test::Action(place))
            }
            _ => {
                let table = program::find("find")?;
                let spelt = |spelling: &String| spelling == text;
                let spec = table.options.iter().find(|option| option.spellings.iter().any(spelt));
                // What is not known may take any number of words.
                self.at += usize::from(spec?.value.is_some());
                Some(Test::Either)
            }
        }
    }
}

fn one_or(mut tests: Vec<Test>, many: impl FnOnce(Vec<Test>) -> Test) -> Test {
    match tests.pop() {
        Some(only) if tests.is_empty() => only,
        last => {
            tests.extend(last);
            many(tests)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words, and which of these names they may print.
    const CASES: &[(&str, &str)] = &[
        ("", "./a.rs ./.env ./t ./t/b.rs"),
        ("-name *.rs", "./a.rs ./t/b.rs"),
        ("-type f -name *.rs -newer x", "./a.rs ./t/b.rs"),
        ("-not -name .env", "./a.rs ./t ./t/b.rs"),
        ("! -name .* -type f", "./a.rs ./t/b.rs"),
        ("-name *.rs -not -path ./t/*", "./a.rs"),
        ("-name *.rs ! -newer y", "./a.rs ./t/b.rs"),
        ("( -name *.rs -o -name *.ts ) -type f", "./a.rs ./t/b.rs"),
        ("-name *.rs -o -name .env", "./a.rs ./.env ./t/b.rs"),
        ("-path ./t -prune -o -name *.rs -print", "./a.rs ./t/b.rs"),
        ("-path ./t/* -prune -o -name *.rs -print", "./a.rs"),
        ("-path ./t/* -prune -o -print", "./a.rs ./.env ./t"),
        ("-name a.rs -print -o -name .env -print", "./a.rs ./.env"),
        ("-iname *.RS", "./a.rs ./t/b.rs"),
        ("-name [a]*", "./a.rs ./.env ./t ./t/b.rs"),
        ("-not -name [.]*", "./a.rs ./.env ./t ./t/b.rs"),
        ("-name x , -print", "./a.rs ./.env ./t ./t/b.rs"),
        ("-unheard of -name *.rs", "./a.rs ./.env ./t ./t/b.rs"),
        ("-type f", "./a.rs ./.env ./t/b.rs"),
        ("-type d -o -name a.rs", "./a.rs ./.env ./t ./t/b.rs"),
        ("-not -type d", "./a.rs ./.env ./t/b.rs"),
        ("( -name *.rs", "./a.rs ./.env ./t ./t/b.rs"),
        ("-size +1k -o -name *.rs", "./a.rs ./.env ./t ./t/b.rs"),
    ];

    #[test]
    fn the_names_that_are_left_are_never_too_few() {
        for (text, wanted) in CASES {
            let words: Vec<Word> = text.split_whitespace().map(Word::known).collect();
            let prints = |text: &str| text.starts_with("-print");
            let places = words.iter().enumerate().filter(|(_, w)| prints(w.as_known().unwrap()));
            let places: Vec<usize> = places.map(|(at, _)| at).collect();
            let search = Search::read(&words, 0);
            let left = ["./a.rs", "./.env", "./t", "./t/b.rs"].into_iter().filter(|name| {
                search
                    .as_ref()
                    .is_none_or(|s| s.may_reach(&Found::of(name, *name == "./t"), &places))
            });
            assert_eq!(left.collect::<Vec<_>>().join(" "), *wanted, "{text}");
        }
    }
}
