//! What one event costs without a process: over the hook socket, over HTTP on a connection that is
//! kept, and over HTTP on a new one each time, in one rotating run.
//!
//! `cargo bench --bench listeners` builds the sidecar for the host; `TOOLGATE_BIN=path` measures
//! another build. Each round sends a block of events each way, from one client and from sixteen at
//! once; so a machine that slows down slows them all. The event is an allowed read, whose record
//! need not be on the disk. Printed: events in a second, median and 99th percentile of one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Events of one block, all its clients together.
const BLOCK: usize = 320;
const CLIENTS: [usize; 2] = [1, 16];
const WAYS: [Way; 3] = [Way::Socket, Way::HttpKept, Way::HttpNew];

/// How an event is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    HttpKept,
    HttpNew,
}

fn main() -> Result<(), Failure> {
    let rounds: usize = match std::env::var("ROUNDS") {
        Ok(text) => text.parse()?,
        Err(_) => 50,
    };
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-listeners");
    let _ = std::fs::remove_dir_all(&scratch);
    std::fs::create_dir_all(scratch.join("work"))?;
    std::fs::write(scratch.join("work/a.rs"), "fn main() {}\n")?;
    std::fs::create_dir(scratch.join("run"))?;
    std::fs::set_permissions(scratch.join("run"), std::fs::Permissions::from_mode(0o700))?;
    std::fs::write(scratch.join("token"), TOKEN)?;
    std::fs::set_permissions(scratch.join("token"), std::fs::Permissions::from_mode(0o600))?;
    let mut bench = Bench::start(&scratch)?;
    let outcome = bench.measure(rounds);
    bench.sidecar.kill()?;
    bench.sidecar.wait()?;
    outcome
}

struct Bench {
    sidecar: Child,
    /// Kept open, so that the sidecar can go on speaking.
    _stderr: BufReader<ChildStderr>,
    wire: Wire,
}

/// Where the sidecar listens, and what is sent there.
struct Wire {
    socket: PathBuf,
    address: String,
    event: String,
}

impl Bench {
    fn start(scratch: &Path) -> Result<Bench, Failure> {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_toolgate"));
        let program = std::env::var_os("TOOLGATE_BIN").map_or(built, PathBuf::from);
        let socket = scratch.join("run/hook.sock");
        // No limit but the machine's.
        let config = scratch.join("toolgate.toml");
        let at = scratch.display();
        std::fs::write(
            &config,
            format!(
                "[hook]\nsocket = \"{}\"\nworld = \"same\"\nevents_per_second = 0\n\
                 [http]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{at}/token\"\n\
                 events_per_second = 0\n[policy]\nworkspace = \"{at}/work\"\n\
                 [audit]\ndir = \"{at}/audit\"\n",
                socket.display()
            ),
        )?;
        let mut sidecar = Command::new(&program)
            .args(["serve", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stderr = BufReader::new(sidecar.stderr.take().ok_or("no stderr")?);
        let mut address = None;
        let mut line = String::new();
        while !line.starts_with("listening on ") {
            line.clear();
            if stderr.read_line(&mut line)? == 0 {
                return Err("the sidecar did not start".into());
            }
            let url = line.strip_prefix("answering HTTP hooks on http://");
            address = url.and_then(|url| url.split('/').next()).map(str::to_owned).or(address);
        }
        let event = format!(
            r#"{{"session_id":"bench","cwd":"{at}/work","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":"Read","tool_input":{{"file_path":"{at}/work/a.rs"}},"tool_use_id":"u"}}"#
        );
        let wire = Wire { socket, address: address.ok_or("no HTTP listener")?, event };
        Ok(Bench { sidecar, _stderr: stderr, wire })
    }

    fn measure(&mut self, rounds: usize) -> Result<(), Failure> {
        let mut all: Vec<Times> =
            CLIENTS.iter().flat_map(|clients| WAYS.map(|way| Times::new(way, *clients))).collect();
        for round in 0..=rounds {
            for times in &mut all {
                let block = self.wire.block(times.way, times.clients)?;
                // The first round is a warm-up.
                if round > 0 {
                    times.add(block);
                }
            }
        }
        println!("way          at once   events/s   median us      p99 us");
        all.iter_mut().for_each(Times::print);
        Ok(())
    }
}

impl Wire {
    /// One block from so many clients at once: how long all of it took, and each event.
    fn block(&self, way: Way, clients: usize) -> Result<(Duration, Vec<Duration>), Failure> {
        let begun = Instant::now();
        let each = std::thread::scope(|scope| {
            let client = || scope.spawn(|| self.client(way, BLOCK / clients));
            let running: Vec<_> = (0..clients).map(|_| client()).collect();
            let ended = running.into_iter().map(|thread| thread.join());
            ended.map(|times| times.map_err(|_| "a client failed")?).collect::<Result<Vec<_>, _>>()
        })?;
        Ok((begun.elapsed(), each.concat()))
    }

    fn client(&self, way: Way, events: usize) -> Result<Vec<Duration>, Failure> {
        let mut kept = match way {
            Way::HttpKept => Some(BufReader::new(self.connect()?)),
            Way::Socket | Way::HttpNew => None,
        };
        let mut times = Vec::with_capacity(events);
        for _ in 0..events {
            let begun = Instant::now();
            let answer = match (way, &mut kept) {
                (Way::Socket, _) => self.over_socket()?,
                (_, Some(stream)) => self.over_http(stream)?,
                (_, None) => self.over_http(&mut BufReader::new(self.connect()?))?,
            };
            times.push(begun.elapsed());
            if !answer.windows(7).any(|part| part == b"\"allow\"") {
                return Err(String::from_utf8_lossy(&answer).into());
            }
        }
        Ok(times)
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn over_socket(&self) -> Result<Vec<u8>, Failure> {
        let mut stream = UnixStream::connect(&self.socket)?;
        let head = format!("toolgate/1 claude {}\n", self.event.len());
        stream.write_all([head.as_bytes(), self.event.as_bytes()].concat().as_slice())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    fn over_http(&self, stream: &mut BufReader<TcpStream>) -> Result<Vec<u8>, Failure> {
        let request = format!(
            "POST /v1/hook/claude HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n{}",
            self.address,
            self.event.len(),
            self.event
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err("the sidecar hung up".into());
            }
            if let Some(stated) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = stated.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// All blocks of one way and number of clients.
struct Times {
    way: Way,
    clients: usize,
    blocks: Duration,
    events: Vec<Duration>,
}

impl Times {
    fn new(way: Way, clients: usize) -> Times {
        Times { way, clients, blocks: Duration::ZERO, events: Vec::new() }
    }

    fn add(&mut self, (block, events): (Duration, Vec<Duration>)) {
        self.blocks += block;
        self.events.extend(events);
    }

    fn print(&mut self) {
        self.events.sort();
        let at = |percent: usize| {
            let time = self.events.get(self.events.len() * percent / 100).copied();
            time.unwrap_or_default().as_micros()
        };
        let name = match self.way {
            Way::Socket => "socket",
            Way::HttpKept => "http, kept",
            Way::HttpNew => "http, new",
        };
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let rate = f64::from(count) / self.blocks.as_secs_f64();
        println!("{name:<12} {:>7} {rate:>10.0} {:>11} {:>11}", self.clients, at(50), at(99));
    }
}
