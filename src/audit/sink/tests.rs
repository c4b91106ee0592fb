use super::deliver::{Line, Refused};
use super::*;
use crate::audit::{Journal, Options, records};
use crate::model::record::{Kind, Record};
use crate::redact::Redactor;
use std::path::Path;
use std::sync::LazyLock;

/// A sink in memory, that does as it is told.
#[derive(Debug, Clone, Default)]
struct Fake(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    got: Mutex<Vec<String>>,
    refuses: AtomicBool,
    hangs: AtomicBool,
    /// It takes a batch and dies before it says so.
    dies: AtomicBool,
    gone: AtomicBool,
    settles: Mutex<Duration>,
}

impl Deliver for Fake {
    fn send(&mut self, batch: &[Line]) -> Result<(), Refused> {
        while self.0.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err("it refuses".to_owned().into());
        }
        let texts = batch.iter().map(|line| line.text.clone());
        lock(&self.0.got).extend(texts);
        match self.0.dies.swap(false, Ordering::SeqCst) {
            true => Err("it died".to_owned().into()),
            false => Ok(()),
        }
    }

    fn settles(&self) -> Duration {
        *lock(&self.0.settles)
    }

    fn is_there(&mut self) -> Result<(), String> {
        match self.0.gone.swap(false, Ordering::SeqCst) {
            true => Err("it is gone".to_owned()),
            false => Ok(()),
        }
    }
}

impl Fake {
    fn got(&self) -> Vec<String> {
        lock(&self.0.got).clone()
    }

    /// What it got, each once, in the order in which it came first.
    fn distinct(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        self.got().into_iter().filter(|text| seen.insert(text.clone())).collect()
    }
}

fn options(segment_bytes: u64) -> Options {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::shipped().unwrap());
    Options { segment_bytes, ..Options::new(REDACTOR.clone()) }
}

fn sink(required: bool, deadline_ms: u64) -> SinkOptions {
    SinkOptions {
        name: "fake".to_owned(),
        to: Target::Stdout,
        required,
        deadline: Duration::from_millis(deadline_ms),
        from_now: false,
    }
}

fn start(dir: &Path, journal: &Journal, options: &SinkOptions, fake: &Fake) -> Arc<Sinks> {
    let made = |_: &Target| -> Box<dyn Deliver> { Box::new(fake.clone()) };
    let options = std::slice::from_ref(options);
    Sinks::start_with(dir, options, &journal.committed(), made).unwrap()
}

fn write(journal: &Journal, count: usize) {
    for n in 0..count {
        let details = vec![("n", n.into())];
        journal.append_blocking(Record { details, ..Record::new(Kind::RuntimeEvent) }).unwrap();
    }
}

/// The lines of the log, as they stand.
fn lines(dir: &Path) -> Vec<String> {
    records(dir).unwrap().map(|entry| entry.unwrap().text).collect()
}

fn wait_for(condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < until, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_record_comes_in_order_over_files_streams_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    for round in 0..3 {
        let journal = Journal::open(dir.path(), options(2_000)).unwrap();
        let sinks = start(dir.path(), &journal, &sink(true, 30_000), &fake);
        write(&journal, 40);
        wait_for(|| sinks.standing()[0].behind == 0);
        assert!(sinks.check().is_ok());
        sinks.stop(Duration::from_secs(10));
        write(&journal, 5);
        journal.close().unwrap();
        if round == 1 {
            // A broken chain: the next start begins another stream.
            let mut files: Vec<_> = std::fs::read_dir(dir.path())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
                .collect();
            files.sort_by_key(|path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned());
            let newest = files.last().unwrap();
            let text = std::fs::read_to_string(newest).unwrap();
            std::fs::write(newest, text.replacen("\"n\":", "\"m\":", 1)).unwrap();
        }
    }
    let journal = Journal::open(dir.path(), options(2_000)).unwrap();
    let sinks = start(dir.path(), &journal, &sink(false, 30_000), &fake);
    let all = lines(dir.path());
    wait_for(|| fake.distinct().len() >= all.len());
    // One line was changed on the disk; all others are what the log has, each once.
    let got = fake.got();
    let differ = all.iter().zip(&got).filter(|(one, other)| one != other).count();
    assert_eq!((got.len(), differ <= 1), (all.len(), true));
    assert_eq!(sinks.standing()[0].skipped, 0);
    sinks.stop(Duration::from_secs(10));
}

#[test]
fn what_a_sink_loses_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    *lock(&fake.0.settles) = Duration::from_secs(3_600);
    let journal = Journal::open(dir.path(), options(1 << 20)).unwrap();
    let sinks = start(dir.path(), &journal, &sink(false, 250), &fake);
    write(&journal, 10);
    wait_for(|| fake.distinct().len() == 11);
    // It went away before it had time to settle: all of it comes again.
    fake.0.gone.store(true, Ordering::SeqCst);
    write(&journal, 1);
    wait_for(|| fake.got().len() >= 22);
    fake.0.dies.store(true, Ordering::SeqCst);
    write(&journal, 1);
    wait_for(|| fake.distinct().len() == 13);
    assert_eq!(fake.distinct(), lines(dir.path()));
    sinks.stop(Duration::from_millis(10));
    // And after a restart too, since nothing ever settled.
    let sinks = start(dir.path(), &journal, &sink(false, 250), &fake);
    let before = fake.got().len();
    wait_for(|| fake.got().len() >= before + 13);
    sinks.stop(Duration::from_millis(10));
}

#[test]
fn a_required_sink_that_does_not_take_records_is_told_and_forgiven() {
    for what in ["hangs", "refuses", "dies"] {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::default();
        let journal = Journal::open(dir.path(), options(1 << 20)).unwrap();
        let sinks = start(dir.path(), &journal, &sink(true, 40), &fake);
        wait_for(|| sinks.standing()[0].behind == 0);
        assert!(sinks.check().is_ok());
        match what {
            "hangs" => fake.0.hangs.store(true, Ordering::SeqCst),
            "refuses" => fake.0.refuses.store(true, Ordering::SeqCst),
            _ => fake.0.dies.store(true, Ordering::SeqCst),
        }
        write(&journal, 3);
        if what != "dies" {
            wait_for(|| sinks.check().is_err());
            // Asking takes no time however long the sink hangs.
            let why = sinks.check().unwrap_err().to_string();
            assert!(why.contains("`fake`") && why.contains("40 ms"), "{why}");
            assert!(sinks.standing()[0].late);
        }
        fake.0.hangs.store(false, Ordering::SeqCst);
        fake.0.refuses.store(false, Ordering::SeqCst);
        wait_for(|| sinks.check().is_ok() && sinks.standing()[0].behind == 0);
        assert_eq!(fake.distinct(), lines(dir.path()));
        sinks.stop(Duration::from_secs(1));
    }
}

#[test]
fn a_best_effort_sink_is_only_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::default();
    fake.0.refuses.store(true, Ordering::SeqCst);
    let journal = Journal::open(dir.path(), options(1 << 20)).unwrap();
    let sinks = start(dir.path(), &journal, &sink(false, 10), &fake);
    write(&journal, 3);
    wait_for(|| sinks.standing()[0].late && sinks.standing()[0].failure.is_some());
    let standing = sinks.standing().remove(0);
    assert_eq!((standing.behind, standing.failure.as_deref()), (4, Some("it refuses")));
    assert!(sinks.check().is_ok());
    sinks.stop(Duration::ZERO);
}

#[test]
fn a_sink_new_to_a_log_begins_where_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), options(1 << 20)).unwrap();
    write(&journal, 5);
    let fake = Fake::default();
    let options = SinkOptions { from_now: true, ..sink(false, 250) };
    let sinks = start(dir.path(), &journal, &options, &fake);
    write(&journal, 2);
    wait_for(|| fake.got().len() == 2);
    assert_eq!(fake.got(), lines(dir.path())[6..]);
    sinks.stop(Duration::from_secs(1));
}

#[test]
fn retention_keeps_what_a_required_sink_has_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), options(1_000)).unwrap();
    assert_eq!(least(dir.path()).unwrap(), None);
    write(&journal, 30);
    let fake = Fake::default();
    fake.0.refuses.store(true, Ordering::SeqCst);
    let sinks = start(dir.path(), &journal, &sink(true, 10_000), &fake);
    // It has taken nothing: all is needed.
    assert_eq!(least(dir.path()).unwrap(), Some(0));
    fake.0.refuses.store(false, Ordering::SeqCst);
    wait_for(|| sinks.standing()[0].behind == 0);
    sinks.stop(Duration::from_secs(10));
    let newest = crate::audit::segment::list(dir.path()).unwrap().pop().unwrap();
    assert_eq!(least(dir.path()).unwrap(), Some(newest.number));
    // A sink that is not required any more holds nothing back.
    let sinks = start(dir.path(), &journal, &sink(false, 10_000), &fake);
    assert_eq!(least(dir.path()).unwrap(), None);
    sinks.stop(Duration::from_secs(10));
}

mod over_http {
    use super::*;
    use crate::audit::{SignedHead, StreamId};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// What was posted: head and body.
    type Posted = Vec<(String, Vec<u8>)>;

    /// A receiver on loopback: answers each request with the next status, then with 200.
    pub(super) struct Receiver {
        pub(super) url: String,
        pub(super) bodies: Arc<Mutex<Posted>>,
    }

    fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        let mut body = vec![0; length.trim().parse().ok()?];
        stream.read_exact(&mut body).ok()?;
        Some((head, body))
    }

    impl Receiver {
        pub(super) fn start(statuses: &'static [&'static str]) -> Receiver {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/v1/logs", listener.local_addr().unwrap());
            let bodies = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&bodies);
            std::thread::spawn(move || {
                let mut statuses = statuses.iter();
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    while let Some(got) = request(&mut stream) {
                        let status = statuses.next().copied().unwrap_or("200 OK");
                        if status == "hang up" {
                            break;
                        }
                        if status.starts_with("200") {
                            lock(&into).push(got);
                        }
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        if stream.write_all(answer.as_bytes()).is_err() {
                            break;
                        }
                    }
                }
            });
            Receiver { url, bodies }
        }
    }

    fn head(size: u64) -> SignedHead {
        let note = format!("origin\n{size}\nroot\n\n\u{2014} origin signature\n");
        let root = crate::audit::Hash::of(note.as_bytes());
        SignedHead { stream: StreamId::generate(), size, root, note }
    }

    #[test]
    fn heads_reach_a_file_and_a_url() {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(&["503 Service Unavailable", "hang up", "429 Slow down"]);
        let (newest, all) = (dir.path().join("newest"), dir.path().join("all"));
        let targets = [
            HeadTarget::File { path: newest.clone(), append: false },
            HeadTarget::File { path: all.clone(), append: true },
            HeadTarget::Http(HttpTarget { url: receiver.url.clone(), headers_file: None }),
            HeadTarget::File { path: dir.path().join("no/such/place"), append: false },
        ];
        let (sender, heads) = tokio::sync::mpsc::channel(8);
        let publisher = Publisher::start(&targets, heads).unwrap();
        for size in 1..=3 {
            let head = head(size);
            sender.blocking_send(head.clone()).unwrap();
            wait_for(|| std::fs::read_to_string(&newest).is_ok_and(|text| text == head.note));
            wait_for(|| publisher.standing()[1].count == size);
        }
        let notes: String = (1..=3).map(|size| head(size).note + "\n").collect();
        assert_eq!(std::fs::read_to_string(&all).unwrap(), notes);
        // Three failures, and still the newest arrives; older ones may have been passed over.
        wait_for(|| publisher.standing()[2].sent.as_ref().is_some_and(|(_, size)| *size == 3));
        let bodies = lock(&receiver.bodies).clone();
        let (headers, body) = bodies.last().unwrap();
        assert_eq!(body, head(3).note.as_bytes());
        assert!(headers.contains("content-type: text/plain; charset=utf-8"), "{headers}");
        wait_for(|| publisher.standing()[3].failure.is_some());
        assert_eq!(publisher.standing()[2].failure, None);
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn a_collector_gets_every_record_once_it_takes_them() {
        use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
        use opentelemetry_proto::tonic::common::v1::any_value::Value;
        use prost::Message;

        let dir = tempfile::tempdir().unwrap();
        let headers = dir.path().join("headers");
        std::fs::write(&headers, "Authorization: Bearer abc\n").unwrap();
        let receiver =
            Receiver::start(&["429 Slow down", "503 Service Unavailable", "hang up", "400 No"]);
        let log = dir.path().join("log");
        let journal = Journal::open(&log, options(1 << 20)).unwrap();
        let target = HttpTarget { url: receiver.url.clone(), headers_file: Some(headers) };
        let options = SinkOptions { to: Target::Otlp(target), ..sink(true, 60_000) };
        let options = std::slice::from_ref(&options);
        let sinks = Sinks::start(&log, options, &journal.committed()).unwrap();
        let mut record = Record::new(Kind::ToolPre);
        record.tool = Some(crate::model::call::ToolName::parse("Bash"));
        record.tool_use_id = Some("toolu_1".to_owned());
        journal.append_blocking(record).unwrap();
        write(&journal, 600);
        wait_for(|| sinks.standing()[0].behind == 0);
        let mut texts = Vec::new();
        let mut call = None;
        for (head, body) in lock(&receiver.bodies).iter() {
            assert!(head.contains("authorization: bearer abc"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf"), "{head}");
            let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
            let logs = &request.resource_logs[0].scope_logs[0];
            assert_eq!(logs.schema_url, otlp::SCHEMA_URL);
            for record in &logs.log_records {
                let Some(Value::StringValue(text)) = record.body.clone().unwrap().value else {
                    panic!("the body is no text");
                };
                if text.contains("toolu_1") {
                    call = Some(record.clone());
                }
                texts.push(text);
            }
        }
        assert_eq!(texts, lines(&log));
        let call = call.unwrap();
        let attribute = |key: &str| {
            let found = call.attributes.iter().find(|attribute| attribute.key == key)?;
            match found.value.clone()?.value? {
                Value::StringValue(text) => Some(text),
                _ => None,
            }
        };
        assert_eq!(attribute("gen_ai.tool.name").as_deref(), Some("Bash"));
        assert_eq!(attribute("gen_ai.tool.call.id").as_deref(), Some("toolu_1"));
        assert_eq!(attribute("gen_ai.operation.name").as_deref(), Some("execute_tool"));
        assert!(call.time_unix_nano > 0);
        sinks.stop(Duration::from_secs(1));
    }
}
