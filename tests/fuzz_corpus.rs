//! Every input that the fuzz targets are known by, held again by each `cargo test`.
#![cfg(test)]

#[path = "../fuzz/targets_shared/answer.rs"]
mod answer;
#[path = "../fuzz/targets_shared/code.rs"]
mod code;
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
