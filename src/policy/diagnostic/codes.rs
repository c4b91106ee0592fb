//! The one table of what a policy's author may be told. The reference and SARIF's rules are made
//! from it; `tests/diagnostics.rs` holds it to the code, and each row to a case.
//!
//! A new code is a row here, a case in `tests/cases/diagnostics/`, and one run of that test with
//! `BLESS=1`.

use super::Severity;

/// One code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code; never used again for another thing.
    pub code: &'static str,
    /// Whether a policy with it still loads.
    pub severity: Severity,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What it means and what to do, in sentences: the paragraph of the reference.
    pub what: &'static str,
}

const fn warning(code: &'static str, title: &'static str, what: &'static str) -> Code {
    Code { code, severity: Severity::Warning, title, what }
}

const fn error(code: &'static str, title: &'static str, what: &'static str) -> Code {
    Code { code, severity: Severity::Error, title, what }
}

const fn note(code: &'static str, title: &'static str, what: &'static str) -> Code {
    Code { code, severity: Severity::Note, title, what }
}

/// Every code, in order.
pub const CODES: &[Code] = &[
    error(
        "P001",
        "no TOML",
        "The file is no TOML. What can still be read is read, so one open string may lead to \
         other mistakes below it: mend this one first. A file of more than 8 MiB is not read at \
         all, which ends `check` with 2.",
    ),
    error(
        "P002",
        "something is missing",
        "Something that must be there is not: `schema`, `[policy]` and its `name`, the `id` or \
         `match` of a rule, what an example or a test expects. An empty list of patterns is \
         missing its patterns: remove it, or say what it speaks of.",
    ),
    error(
        "P003",
        "an unknown key",
        "No such key may stand in this table. A key that toolgate does not know is never passed \
         over, since a misspelt `deny` would then deny nothing. Where one key is clearly meant, \
         `--fix` writes it.",
    ),
    error(
        "P004",
        "a key of the operator's",
        "Where the proxy listens and which secrets it sets stands in `toolgate.toml`. A policy \
         says which hosts may be reached, below `[connect]`.",
    ),
    error(
        "P005",
        "a value of another type",
        "The key takes another type of value, as a string where a number stands. A version is a \
         string too: `version = \"1\"`.",
    ),
    error(
        "P006",
        "a word that may not stand there",
        "The key takes one of a few words, and this is none of them; or it is a name or `id` that \
         could not be read in a record, being empty or holding characters that show as nothing.",
    ),
    error(
        "P007",
        "a `[tool]` row that teaches nothing",
        "The row names no argument, or not exactly one tool. Write one row for each tool, with \
         what an argument means: `write = \"args.path\"`.",
    ),
    error(
        "P008",
        "not exactly one",
        "A rule says exactly one of allow, ask, deny, redact and note; a call is exactly one of \
         bash, read, write, exec, connect and call, and only `call` takes `args`. Write two where \
         two are meant.",
    ),
    error(
        "P009",
        "a pattern that cannot be read",
        "The pattern cannot be read, could never match anything, names a list that is not there, \
         or is one more than a policy may have. The help says what to write instead.",
    ),
    error(
        "P010",
        "a built-in name",
        "`[let]` may set `workspace` and names of its own; the other built-in names mean the same \
         in every policy. Give the list another name.",
    ),
    error(
        "P011",
        "a workspace that cannot be",
        "`workspace` is no absolute path, or differs from the one in force, which the launcher or \
         the service's configuration fixed. Start with the same one, or leave it out.",
    ),
    error(
        "P012",
        "an unknown pack",
        "`include` names a pack that toolgate does not ship. The packs are numbered and never \
         change; what is shipped is told in the reference, and the files are in `policies/std/`.",
    ),
    error(
        "P013",
        "two rules of one name",
        "A line of the log names the rule that decided, so each `id` stands once in a file.",
    ),
    error(
        "P014",
        "verbs that do not go together",
        "The patterns of the rule's verbs are of different kinds, or the effect is not said of \
         such a verb: `output` takes redact, deny and note, the other verbs allow, ask, deny and \
         note. Write one rule for each.",
    ),
    error(
        "P015",
        "a limit that cannot stand here",
        "A limit stands on an allow or an ask, has a `max`, and on an ask says \
         `over = \"deny\"`. A deny lets nothing through that could be counted: move the limit to \
         the rule that lets the call through.",
    ),
    error(
        "P016",
        "an `until` that would loosen",
        "Only an allow, or a rule in shadow, ends by itself. An ask or a deny that is enforced \
         would loosen the policy on a day when nobody looks: take it out by hand.",
    ),
    error(
        "P017",
        "a label that both tightens and loosens",
        "A label is a taint (`seen` in an ask or deny, `not_seen` in an allow) or a proof (`seen` \
         in an allow, `not_seen` in an ask or deny), and only a proof can be unmarked. Use two \
         labels. A file of a lower layer that uses a label against those above is refused by \
         itself.",
    ),
    error(
        "P018",
        "a condition that cannot be read",
        "A condition asks for an argument, a label, the agent, the permission mode or the result; \
         only a `note` may ask for the result, since all other rules are judged before there is \
         one. For this or that, write two rules.",
    ),
    error(
        "P019",
        "a text that is no label",
        "A label is a word, `secret`, or a word with one key, `approved:T1` or \
         `approved:${args.ticket}`.",
    ),
    error(
        "P020",
        "a layer that cannot be",
        "The file states another layer than the directory it lies in has, or its `[layers]` speaks \
         of a layer that is not below its own: only a layer above says what a layer may do.",
    ),
    warning(
        "P021",
        "a rule that can never take effect",
        "One rule of the same layer or of one above holds back every call that this one matches, \
         and the strictest wins, wherever it stands. An exception stands in the `unless` of the \
         rule it excepts; `--fix` moves it there if both stand in one file and speak of the same \
         verbs.",
    ),
    warning(
        "P022",
        "an entry that adds nothing",
        "Another entry of the same effect and layer covers all that this one matches. Remove it; \
         or narrow the wider one, if that is the mistake. Rules with a reason, a limit, a mark or \
         examples of their own are not told, nor what a pack covers. A pack that is included \
         twice adds nothing either.",
    ),
    warning(
        "P023",
        "no near miss",
        "The rule has examples, and all of them match: none shows where it ends. Add a call that \
         nearly matches and must not, with `expect = \"skip\"`.",
    ),
    warning(
        "P024",
        "an allow of whatever is run",
        "The allow lets an interpreter, a shell or a package runner run whatever it is given, and \
         what that does is not judged. It is told only where the layer's default is not `defer`, \
         and of no rule that says `why`: there the choice is made knowingly.",
    ),
    warning(
        "P025",
        "a label that nothing sets, or nothing reads",
        "A rule asks for a label, or takes one away, that no rule of any layer marks and no \
         `[labels] external` declares; or an example or a test sets one that no rule asks for, \
         and so tests less than it says.",
    ),
    warning(
        "P026",
        "a list that is never used",
        "No rule, claim or list of the file names the list. An entry of `[let.open]` that adds to \
         a list of a layer above is used there.",
    ),
    warning(
        "P027",
        "a rule that no plane can enforce",
        "No plane ever sees what the rule asks for: the method or path of an ssh connection, or a \
         builtin of the shell (`cd`, `kill`), which is no command of its own. What a builtin \
         redirects is judged by the rules on paths.",
    ),
    warning(
        "P028",
        "a rule that has ended",
        "The date of its `until` is past, so the rule says nothing any more; the policy still \
         loads.",
    ),
    warning(
        "P029",
        "allows, and no tool that may use them",
        "The layer allows what tools do and no tool, so every call is held back by the default. \
         `[call] allow = [\"$transparent\"]` says: the known tools may run, their paths, commands \
         and hosts decide.",
    ),
    error(
        "P030",
        "an example that does not hold",
        "The rule does not say of the example's call what the example expects. The help lists what \
         the call would do; one of the two is wrong. Examples run in a world of their own: the \
         workspace is `/work`, and files are there only if the example names them.",
    ),
    error(
        "P031",
        "a test that does not hold",
        "The merged policy, all files together, does not say of the call what the test expects. \
         The help gives the reason that the policy would give.",
    ),
    warning(
        "P032",
        "an allow that is ignored",
        "The layer above lets this one only tighten, so its allows do not count. Its asks and \
         denies do, and its `default` where that is not `defer`.",
    ),
    warning(
        "P033",
        "what a lower layer may not add",
        "An entry of an open list, the mark of a proof that a layer above reads, or a power that \
         cannot be given: it is ignored. Ask the author of the layer above.",
    ),
    warning(
        "P034",
        "a signature that is not checked",
        "The file names `signers`, and this version cannot check a signature: `serve` takes the \
         file only with `--unsigned-ok`.",
    ),
    note(
        "P035",
        "a claim that is not proved",
        "The test claims something of every target of a verb, and this version cannot prove it. \
         It is not counted as one that holds.",
    ),
    error(
        "P036",
        "a wildcard below a public suffix",
        "The pattern lets through every host below a name where a registry gives names to anybody \
         (`*.com`, `**.co.uk`), by the list of publicsuffix.org. An ask or a deny may speak of \
         them.",
    ),
    warning(
        "P037",
        "a pattern that hardly means what it says",
        "In other tools `git push:*`, `git push*` and `git push *` stand for `git push` with \
         whatever follows. Here the first two are one word, and the third exactly one argument: \
         write `git push ...`. An allow of `$workspace` is of the directory itself: write \
         `$workspace/` for what lies in it. A tool that nobody knows, one letter from one that is \
         known, is told too.",
    ),
    warning(
        "P038",
        "a rule that contradicts itself",
        "The rule's `unless` excepts all that it matches, so it never speaks.",
    ),
    warning(
        "P039",
        "a wildcard below a shared name",
        "A company gives names below this one to anybody who asks (`*.github.io`), by the private \
         part of the list of publicsuffix.org. Name the hosts that are meant.",
    ),
    warning(
        "P040",
        "patterns that no index takes",
        "More than 64 patterns of a verb have no text by which an index could find them, or all \
         the same one, such as `**/*a*`: each target of the verb is compared with all of them, \
         which takes about 5 µs for every 100.",
    ),
    note(
        "P041",
        "an allow broader than its examples",
        "The allow has a wildcard, and its examples try one target of all that it stands for.",
    ),
    note(
        "P042",
        "a label that no rule reads",
        "A rule marks the label and none asks for it. It is told in the log, and decides nothing.",
    ),
    note(
        "P043",
        "which planes see a request",
        "The pattern asks for a method or a path, and only these planes see it. To another it is \
         no allow, and of an ask or a deny a maybe.",
    ),
    note(
        "P044",
        "not all was compared",
        "There are so many rules alike that not each was held against each: P021 and P022 may be \
         missing some.",
    ),
    note(
        "P045",
        "an exception that no example tries",
        "The rule has an `unless`, and no example is skipped because of it.",
    ),
];

/// The row of a code.
#[must_use]
pub fn code(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|row| row.code == code)
}
