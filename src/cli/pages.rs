//! What stands at the end of each command's help and manual page: how it is used, and how it ends.
//!
//! A command without a page, a page without a command, and an example that the command line does
//! not take, each fail a test.

use clap::Command;

/// The end of one command's help.
struct Page {
    /// The command, without `toolgate`.
    command: &'static str,
    /// What for, and what to type.
    examples: &'static [(&'static str, &'static str)],
    /// What 0, 1 and 2 mean here.
    exit: &'static str,
}

/// How commands end that find nothing.
const ASKS: &str = "0 answered, 2 no sidecar answers there, or it refuses";

/// How commands end that read the log.
const READS: &str = "0 the whole log was read, 1 a line of it cannot be read, 2 could not run";

const PAGES: &[Page] = &[
    Page {
        command: "demo",
        examples: &[
            ("look at the product", "toolgate demo"),
            ("and keep the log", "toolgate demo --audit demo-log"),
        ],
        exit: "0 the demo went as it should, 1 it did not, 2 it could not run",
    },
    Page {
        command: "serve",
        examples: &[
            ("beside an agent of your own", "toolgate serve --socket $XDG_RUNTIME_DIR/toolgate/s"),
            ("as a service", "toolgate serve --config /etc/toolgate/toolgate.toml"),
        ],
        exit: "0 stopped by SIGTERM or SIGINT, 2 could not start, or a second signal came before \
               calls in flight had ended",
    },
    Page {
        command: "status",
        examples: &[
            ("how the sidecar stands", "toolgate status"),
            ("for programs", "toolgate status --format json"),
        ],
        exit: ASKS,
    },
    Page {
        command: "init",
        examples: &[
            ("Claude Code on this machine", "toolgate init claude"),
            (
                "an image that has no client yet",
                "toolgate init claude --managed --root img --server-uid 9 --no-client-check",
            ),
            ("the way back", "toolgate init claude --undo"),
        ],
        exit: "0 wired, or nothing to do, 1 nothing was written: --dry-run would change something, \
               or the answer was no, 2 could not run",
    },
    Page {
        command: "metrics",
        examples: &[
            ("what it counts", "toolgate metrics"),
            ("of another sidecar", "toolgate metrics --socket /run/toolgate-admin/admin.sock"),
        ],
        exit: ASKS,
    },
    Page {
        command: "reload",
        examples: &[("after the policy's files have changed", "toolgate reload")],
        exit: "0 loaded, or nothing had changed, 1 refused: the old policy stays, 2 no sidecar \
               answers there",
    },
    Page {
        command: "health",
        examples: &[
            ("does it live?", "toolgate health"),
            ("can it judge and record?", "toolgate health --ready"),
        ],
        exit: "0 it does, 1 it does not (only with --ready), 2 no sidecar answers there",
    },
    Page {
        command: "doctor",
        examples: &[
            ("everything, for real", "toolgate doctor"),
            ("as it runs in a container", "toolgate doctor --config t.toml --agent-uid 10002"),
            ("what there is to check", "toolgate doctor --list"),
        ],
        exit: "0 nothing failed, 1 something did, 2 could not run, or nothing could be checked",
    },
    Page {
        command: "label add",
        examples: &[("a person has approved a ticket", "toolgate label add SESSION approved:T1")],
        exit: ASKS,
    },
    Page {
        command: "label remove",
        examples: &[("and takes it back", "toolgate label remove SESSION approved:T1")],
        exit: ASKS,
    },
    Page {
        command: "hook",
        examples: &[(
            "as the hook of a runtime",
            "toolgate hook claude --socket /run/toolgate/hook.sock --server-uid 990",
        )],
        exit: "0 the runtime goes on, as the answer on stdout says; 2 the call is held back, \
               which is also what every failure comes to",
    },
    Page {
        command: "bridge",
        examples: &[
            ("inside an agent's container without a network", "toolgate bridge"),
            (
                "another port, and only to the sidecar's user",
                "toolgate bridge --listen 127.0.0.1:8080 --server-uid 990",
            ),
        ],
        exit: "0 stopped by SIGTERM or SIGINT, 2 could not start",
    },
    Page {
        command: "egress env",
        examples: &[
            ("for a shell", "toolgate egress env"),
            (
                "for a compose file, with the proxy's own certificates",
                "toolgate egress env --ca-bundle /run/toolgate/ca.pem --format compose",
            ),
        ],
        exit: "0 printed, 2 usage",
    },
    Page {
        command: "policy check",
        examples: &[
            ("every mistake at once", "toolgate policy check policy.toml"),
            ("mend what has one answer", "toolgate policy check --fix policy.toml"),
            ("for code scanning", "toolgate policy check --format sarif policies"),
        ],
        exit: "0 it loads, 1 there are mistakes, 2 could not run",
    },
    Page {
        command: "policy test",
        examples: &[("run its examples and tests", "toolgate policy test policy.toml")],
        exit: "0 all came out as they say, 1 one did not, 2 could not run",
    },
    Page {
        command: "policy eval",
        examples: &[
            ("one decision for each line", "toolgate policy eval --policy p.toml calls.jsonl"),
            ("fail if any is a denial", "toolgate policy eval --exit-code calls.jsonl"),
        ],
        exit: "0 every line was answered, 1 a line was denied (only with --exit-code), 2 could \
               not run",
    },
    Page {
        command: "policy explain",
        examples: &[
            ("why a command is refused", "toolgate policy explain 'cat .env'"),
            ("any call", "toolgate policy explain '{\"read\": \"/etc/shadow\"}'"),
        ],
        exit: "0 told, 1 the call is denied (only with --exit-code), 2 could not run",
    },
    Page {
        command: "policy show",
        examples: &[
            ("the merged grid", "toolgate policy show policy.toml"),
            ("what lists and packs hold", "toolgate policy show --lists"),
        ],
        exit: "0 shown, 2 could not run",
    },
    Page {
        command: "policy fmt",
        examples: &[
            ("lay files out anew", "toolgate policy fmt policy.toml"),
            ("only look, for CI", "toolgate policy fmt --check policy.toml"),
        ],
        exit: "0 done, 1 something would change (only with --check), 2 could not run",
    },
    Page {
        command: "policy import",
        examples: &[
            ("from Claude Code's settings", "toolgate policy import .claude/settings.json"),
            ("from Codex", "toolgate policy import --from codex config.toml"),
        ],
        exit: "0 all of it was taken, 1 something was left out, as is told on stderr, 2 could not \
               run",
    },
    Page {
        command: "policy schema",
        examples: &[("for an editor", "toolgate policy schema")],
        exit: "0 printed, 2 could not run",
    },
    Page {
        command: "audit tail",
        examples: &[
            ("the newest decisions", "toolgate audit tail"),
            ("more of them, for programs", "toolgate audit tail -n 100 --format jsonl"),
        ],
        exit: "0 printed, 1 the log cannot be read whole, 2 could not run",
    },
    Page {
        command: "audit query",
        examples: &[
            ("what was refused or asked", "toolgate audit query --decision deny,ask"),
            ("what one tool did", "toolgate audit query --tool 'mcp:*' --format jsonl"),
            ("where it is refused, by the hour", "toolgate audit query --bucket 1h --by rule"),
        ],
        exit: "0 printed, 1 a line cannot be read, or --exit-code and a denial fits, 2 could not \
               run",
    },
    Page {
        command: "audit show",
        examples: &[
            ("one decision, by its number in the log", "toolgate audit show 7"),
            ("by the runtime's id of the call", "toolgate audit show toolu_01 --format json"),
            ("what would this policy say of it?", "toolgate audit show 7 --policy new.toml"),
        ],
        exit: "0 it is there, 1 no record has that id, or a line of the log cannot be read, 2 \
               could not run",
    },
    Page {
        command: "audit session",
        examples: &[
            ("what else did that session do?", "toolgate audit session SESSION"),
            ("as a page", "toolgate audit session SESSION --html session.html"),
        ],
        exit: "0 it is there, 1 no record is of that session, or a line of the log cannot be read, \
               2 could not run",
    },
    Page {
        command: "audit sessions",
        examples: &[
            ("of the last week", "toolgate audit sessions --since 7d"),
            ("those that met a refusal", "toolgate audit sessions --denied --format csv"),
        ],
        exit: READS,
    },
    Page {
        command: "audit stats",
        examples: &[
            ("all of it", "toolgate audit stats --since 7d"),
            ("what changed with the new policy", "toolgate audit stats --by policy"),
            (
                "what never fires, what is always allowed",
                "toolgate audit stats --by never-fired,approved",
            ),
        ],
        exit: READS,
    },
    Page {
        command: "audit report",
        examples: &[("the last week as one page", "toolgate audit report --since 7d -o week.html")],
        exit: "0 written, 1 written, and the log is broken or a line of it cannot be read, 2 \
               could not run",
    },
    Page {
        command: "audit export",
        examples: &[
            ("for a spreadsheet", "toolgate audit export --format csv -o log.csv"),
            ("for SQL", "toolgate audit export --format sqlite -o log.db --since 7d"),
            ("for a SIEM", "toolgate audit export --format ocsf"),
        ],
        exit: READS,
    },
    Page {
        command: "audit verify",
        examples: &[
            ("is the log what was written?", "toolgate audit verify"),
            ("... by the key that was kept elsewhere", "toolgate audit verify --key log.pub"),
            ("... and nothing was cut off since", "toolgate audit verify --head head.note"),
        ],
        exit: "0 SEALED or UNSEALED, 1 BROKEN, nothing there, a text gone without a word, or a \
               wrong index, 2 could not run",
    },
    Page {
        command: "audit head",
        examples: &[
            ("keep this elsewhere", "toolgate audit head >head.note"),
            ("of a copy of the log", "toolgate audit head --audit copy"),
        ],
        exit: "0 printed, 1 nothing is signed yet, 2 could not run",
    },
    Page {
        command: "audit hash",
        examples: &[
            ("what stands for this key?", "toolgate audit hash - <leaked.key"),
            ("... and which records held it?", "toolgate audit hash - --find <leaked.key"),
        ],
        exit: "0 told, 1 a line of the log cannot be read, 2 could not run",
    },
    Page {
        command: "audit erase",
        examples: &[
            ("what would go?", "toolgate audit erase --older-than 90d --dry-run"),
            ("the long texts of one session", "toolgate audit erase --session 01J9"),
        ],
        exit: "0 erased, or nothing was there, 2 could not run",
    },
    Page {
        command: "audit retention",
        examples: &[
            ("what would go, and when?", "toolgate audit retention --config /etc/toolgate.toml"),
            ("... with other bounds", "toolgate audit retention --days 200 --max-bytes 20GiB"),
        ],
        exit: "0 told, 2 could not run",
    },
    Page {
        command: "audit prove",
        examples: &[
            ("one decision, for somebody else", "toolgate audit prove 7 >proof.json"),
            (
                "the log goes on from a head",
                "toolgate audit prove --from head.note >consistency.json",
            ),
        ],
        exit: "0 printed, 1 there is no proof, 2 could not run",
    },
    Page {
        command: "audit verify-proof",
        examples: &[
            ("what does it prove?", "toolgate audit verify-proof proof.json"),
            (
                "... by the key that was kept",
                "toolgate audit verify-proof proof.json --key log.pub",
            ),
        ],
        exit: "0 it holds, 1 it does not, 2 could not run",
    },
    Page {
        command: "audit key",
        examples: &[
            ("keep this elsewhere", "toolgate audit key >log.pub"),
            ("every key there was", "toolgate audit key --all"),
        ],
        exit: "0 printed, 1 nothing is signed yet, 2 could not run",
    },
    Page {
        command: "completions",
        examples: &[("for this shell", "toolgate completions bash")],
        exit: "0 printed, 2 could not run",
    },
    Page {
        command: "man",
        examples: &[
            ("the first page", "toolgate man"),
            ("all of them", "toolgate man --out /usr/local/share/man/man1"),
        ],
        exit: "0 written, 2 could not run",
    },
];

/// The same command with the pages of all that is below it.
pub(super) fn with_pages(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, above: &str) -> Command {
    command.mut_subcommands(|sub| {
        let name = match above {
            "" => sub.get_name().to_owned(),
            above => format!("{above} {}", sub.get_name()),
        };
        let page = PAGES.iter().find(|page| page.command == name);
        let sub = below(sub, &name);
        match page {
            Some(page) => sub.after_help(page.text()),
            None => sub,
        }
    })
}

impl Page {
    fn text(&self) -> String {
        let mut text = "Examples:\n".to_owned();
        for (what_for, line) in self.examples {
            text.push_str(&format!("  # {what_for}\n  {line}\n"));
        }
        format!("{text}\nExit codes: {}", self.exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every command that can be given, by its words.
    fn leaves(command: &Command, above: &str, found: &mut BTreeSet<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let name = format!("{above} {}", sub.get_name()).trim().to_owned();
            match sub.has_subcommands() {
                true => leaves(sub, &name, found),
                false => assert!(found.insert(name)),
            }
        }
    }

    #[test]
    fn every_command_has_its_page_and_every_page_its_command() {
        let mut commands = BTreeSet::new();
        leaves(&crate::cli::command(), "", &mut commands);
        let pages: BTreeSet<_> = PAGES.iter().map(|page| page.command.to_owned()).collect();
        assert_eq!(pages, commands);
        assert_eq!(pages.len(), PAGES.len());
    }

    #[test]
    fn every_example_is_taken_by_the_command_it_stands_at() {
        for page in PAGES {
            assert!((1..=3).contains(&page.examples.len()), "{}", page.command);
            assert!(page.exit.contains("0 ") && page.exit.contains("2 "), "{}", page.command);
            for (_, line) in page.examples {
                assert!(line.starts_with(&format!("toolgate {}", page.command)), "{line}");
                assert!(line.len() <= 80, "{line}");
                // As a shell would: no example has a blank in quotes but the last word's.
                let (plain, quoted) = line.split_once('\'').unwrap_or((line, ""));
                let quoted = quoted.split_once('\'').unwrap_or_default();
                let words = plain.split_whitespace().map(str::to_owned);
                let last = Some(quoted.0.to_owned()).filter(|word| !word.is_empty());
                let rest = quoted.1.split_whitespace().map(str::to_owned);
                // What goes to a file is the shell's.
                let words =
                    words.chain(last).chain(rest).take_while(|word| !word.starts_with(['>', '<']));
                let taken = crate::cli::command().try_get_matches_from(words);
                assert!(taken.is_ok(), "{line}: {}", taken.unwrap_err());
            }
        }
    }
}
