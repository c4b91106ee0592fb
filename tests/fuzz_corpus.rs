//! Every input that the fuzz targets are known by, held again by each `cargo test`.
#![cfg(test)]

#[path = "../fuzz/targets_shared/answer.rs"]
mod answer;
#[path = "../fuzz/targets_shared/code.rs"]
mod code;
#[path = "../fuzz/targets_shared/cursor.rs"]
mod cursor;
#[path = "../fuzz/targets_shared/engine.rs"]
mod engine;
#[path = "../fuzz/targets_shared/event_reader.rs"]
mod event_reader;
#[path = "../fuzz/targets_shared/expansion.rs"]
mod expansion;
#[path = "../fuzz/targets_shared/host.rs"]
mod host;
#[path = "../fuzz/targets_shared/http.rs"]
mod http;
#[path = "../fuzz/targets_shared/kept.rs"]
mod kept;
#[path = "../fuzz/targets_shared/note.rs"]
mod note;
#[path = "../fuzz/targets_shared/patch.rs"]
mod patch;
#[path = "../fuzz/targets_shared/path.rs"]
mod path;
#[path = "../fuzz/targets_shared/policy_reader.rs"]
mod policy_reader;
#[path = "../fuzz/targets_shared/reply.rs"]
mod reply;
#[path = "../fuzz/targets_shared/sealed.rs"]
mod sealed;
#[path = "../fuzz/targets_shared/shell.rs"]
mod shell;
#[path = "../fuzz/targets_shared/tables.rs"]
mod tables;
#[path = "../fuzz/targets_shared/visible.rs"]
mod visible;

#[path = "../fuzz/targets_shared/chunked.rs"]
mod chunked;
#[path = "../fuzz/targets_shared/dns.rs"]
mod dns;
#[path = "../fuzz/targets_shared/head.rs"]
mod head;
#[path = "../fuzz/targets_shared/hello.rs"]
mod hello;
#[path = "../fuzz/targets_shared/index.rs"]
mod index;
#[path = "../fuzz/targets_shared/one_host.rs"]
mod one_host;
#[path = "../fuzz/targets_shared/request_path.rs"]
mod request_path;
#[path = "../fuzz/targets_shared/scan.rs"]
mod scan;
#[path = "../fuzz/targets_shared/socks5.rs"]
mod socks5;
use std::path::Path;
use std::time::{Duration, Instant};

fn replay(target: &str, hold: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(corpus).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 15, "{target} has only {} inputs", files.len());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        // Which one, should it panic: output is shown only then.
        println!("{}", file.display());
        hold(&bytes);
    }
}

#[test]
fn every_known_program_holds() {
    replay("code", code::hold);
}

#[test]
fn every_known_event_holds() {
    replay("event_reader", event_reader::hold);
}

#[test]
fn every_known_sealed_file_holds() {
    replay("sealed", sealed::hold);
}

#[test]
fn every_known_cursor_holds() {
    replay("cursor", cursor::hold);
}

#[test]
fn every_known_kept_header_holds() {
    replay("kept", kept::hold);
}

#[test]
fn every_known_policy_holds() {
    replay("policy_reader", policy_reader::hold);
}

#[test]
fn every_known_text_is_shown_harmless() {
    replay("visible", visible::hold);
}

#[test]
fn every_known_note_holds() {
    replay("note", note::hold);
}

#[test]
fn every_known_host_holds() {
    replay("host", host::hold);
}

#[test]
fn every_known_reply_holds() {
    replay("reply", reply::hold);
}

#[test]
fn every_known_command_line_holds() {
    replay("tables", tables::hold);
}

#[test]
fn every_known_answer_holds() {
    replay("answer", |bytes| {
        answer::hold(bytes);
    });
}

#[test]
fn every_known_beginning_and_answer_holds() {
    replay("http", http::hold);
}

#[test]
fn every_known_policy_and_call_is_judged_alike() {
    replay("engine", engine::hold);
}

#[test]
fn every_known_path_holds() {
    replay("path", path::hold);
}

#[test]
fn every_known_patch_holds() {
    replay("patch", patch::hold);
}

#[test]
fn every_known_text_is_read_whole() {
    replay("shell", shell::hold);
}

#[test]
fn every_known_word_is_expanded_within_bounds() {
    replay("expansion", expansion::hold);
}

proptest::proptest! {
    #[test]
    fn any_text_is_shown_harmless(
        text in "(\\PC|[\u{0}-\u{9f}\u{ad}\u{300}-\u{304}\u{200b}-\u{2069}\u{fe00}\u{e0041}=+@<>&;' -]){0,40}",
    ) {
        visible::hold(text.as_bytes());
    }
}

#[test]
fn every_known_line_is_read_alike_both_ways() {
    replay("scan", scan::hold);
}

#[test]
fn every_known_index_is_refused_or_whole() {
    replay("index", index::hold);
}

#[test]
fn every_known_chunked_body_ends_where_it_ends() {
    replay("chunked", chunked::hold);
}

#[test]
fn every_known_question_is_read_as_others_read_it() {
    replay("dns", dns::hold);
}

#[test]
fn every_known_head_is_read_as_others_read_it() {
    replay("head", head::hold);
}

#[test]
fn every_known_client_hello_is_read_as_others_read_it() {
    replay("hello", hello::hold);
}

#[test]
fn every_known_text_is_one_host_or_none() {
    replay("one_host", one_host::hold);
}

#[test]
fn every_known_request_path_holds() {
    replay("request_path", request_path::hold);
}

#[test]
fn every_known_socks_message_holds() {
    replay("socks5", socks5::hold);
}

/// For a machine without the nightly compiler: inputs like the known ones, for as long as one wants.
#[test]
#[ignore = "by hand: TOOLGATE_FUZZ_SECONDS=120 cargo test --test fuzz_corpus -- --ignored"]
fn what_is_like_the_known_inputs_of_the_log_holds() {
    let seconds = std::env::var("TOOLGATE_FUZZ_SECONDS").map_or(10, |text| text.parse().unwrap());
    type Holds = fn(&[u8]);
    let targets: [(&str, Holds); 7] = [
        ("cursor", cursor::hold),
        ("index", index::hold),
        ("kept", kept::hold),
        ("note", note::hold),
        ("scan", scan::hold),
        ("sealed", sealed::hold),
        ("visible", visible::hold),
    ];
    std::thread::scope(|scope| {
        for (target, hold) in targets {
            scope.spawn(move || {
                let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
                let entries = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
                let known: Vec<_> = entries.map(|path| std::fs::read(path).unwrap()).collect();
                let end = Instant::now() + Duration::from_secs(seconds);
                let (mut random, mut count) = (Random(seconds + 1), 0_u64);
                while Instant::now() < end {
                    let input = random.like(&known);
                    let held = std::panic::catch_unwind(|| hold(&input));
                    assert!(held.is_ok(), "{target}: {}", input.escape_ascii());
                    count += 1;
                }
                println!("{target}: {count} inputs");
            });
        }
    });
}

/// Numbers that are the same in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % end.max(1)
    }

    /// One of the known inputs, changed here and there, or the ends of two.
    fn like(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        let mut input = known[self.below(known.len())].clone();
        for _ in 0..=self.below(4) {
            let (at, other) = (self.below(input.len()), &known[self.below(known.len())]);
            match self.below(7) {
                0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                1 if !input.is_empty() => {
                    input[at] = *b"\0\xff\"{}[]09-\n\\u ".get(self.below(14)).unwrap_or(&0)
                }
                2 if !input.is_empty() => drop(input.remove(at)),
                3 => input.truncate(at),
                4 => input.insert(at, u8::try_from(self.below(256)).unwrap()),
                5 => {
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len())..]);
                }
                _ => {
                    let end = (at + 1 + self.below(16)).min(input.len());
                    let part = input[at.min(end)..end].to_vec();
                    input.splice(at..at, part);
                }
            }
        }
        input
    }
}
