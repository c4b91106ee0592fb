//! Writes a made-up week's log: `cargo run --example week -- --records 100000 --out DIR`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a tool for tests: what it cannot do ends it"
)]

#[path = "mod.rs"]
mod week;

fn main() {
    let mut options = week::Options::records(100_000);
    let (mut out, mut sealed) = (None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--sealed" {
            sealed = true;
            continue;
        }
        let mut value = || arguments.next().expect("a value");
        match argument.as_str() {
            "--records" => options.records = value().parse().expect("a number of records"),
            "--seed" => options.seed = value().parse().expect("a number"),
            "--segment-bytes" => {
                options.segment_bytes = value().parse().expect("a number of bytes")
            }
            "--out" => out = Some(value()),
            other => panic!("`{other}` is no argument of this"),
        }
    }
    let out = std::path::PathBuf::from(out.expect("--out DIR"));
    let made = week::write(&out, options).expect("a log");
    if sealed {
        toolgate::audit::seal_all(&out).expect("a sealed log");
    }
    println!("{} records, {} bytes, {} files", made.records, made.bytes, made.files);
}
