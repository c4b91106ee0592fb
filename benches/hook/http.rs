//! HTTP hooks beside the hook socket, and beside a bare hyper server that answers a constant.

use crate::Failure;
use crate::series::Series;
use crate::sidecar::{Sidecar, TOKEN};
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Requests of one contender in one round.
const REQUESTS: usize = 4_000;
const ROUNDS: usize = 6;
/// What the bare server answers: as long as an allow.
const CONSTANT: &str = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow","permissionDecisionReason":"toolgate: allowed by a rule of this policy"}}"#;
/// The argument by which this program is the bare server.
pub const BARE: &str = "bare-http";

/// One way to be answered, from so many connections at once.
struct Contender<'a> {
    name: &'static str,
    connections: usize,
    ask: &'a Opens<'a>,
    times: Series,
    seconds: f64,
}

/// One connection, or what opens one for each request.
type Asker<'a> = Box<dyn FnMut() -> Result<(), Failure> + 'a>;
type Opens<'a> = dyn Fn() -> Result<Asker<'a>, Failure> + Sync + 'a;

/// Measures and prints.
///
/// # Errors
/// If anything fails, or is not allowed.
pub fn measure(sidecar: &Sidecar) -> Result<(), Failure> {
    let event = sidecar.event("http", "PreToolUse", crate::processes::READ);
    sidecar.check(&event)?;
    let bare = Bare::start()?;
    let (bare_at, hook_at) = (bare.address.clone(), sidecar.http()?);
    let request = request(&event);
    let ask_bare = || kept(&bare_at, &request);
    let ask_http = || kept(&hook_at, &request);
    let ask_socket = || over_socket(sidecar, &event);
    let mut contenders = Vec::new();
    for connections in [1, 16] {
        let ways: [(&'static str, &Opens<'_>); 3] = [
            ("bare hyper, a constant", &ask_bare),
            ("HTTP hook, a judged Read", &ask_http),
            ("hook socket, the same Read", &ask_socket),
        ];
        contenders.extend(ways.map(|(name, ask)| {
            let times = Series::default();
            Contender { name, connections, ask, times, seconds: 0.0 }
        }));
    }
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            contender.round()?;
        }
    }
    print(&contenders);
    Ok(())
}

impl Contender<'_> {
    fn round(&mut self) -> Result<(), Failure> {
        let (each, ask) = (REQUESTS / self.connections, self.ask);
        let one = || -> Result<Vec<Duration>, String> {
            let mut ask = ask().map_err(|error| error.to_string())?;
            let timed = |_| {
                let started = Instant::now();
                ask().map_err(|error| error.to_string())?;
                Ok(started.elapsed())
            };
            (0..each).map(timed).collect()
        };
        let started = Instant::now();
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|one| one.join().map_err(|_| "a panic")).collect::<Vec<_>>()
        });
        self.seconds += started.elapsed().as_secs_f64();
        for times in all {
            self.times.extend(times??);
        }
        Ok(())
    }
}

fn print(contenders: &[Contender<'_>]) {
    println!("\nmilliseconds                  connections  requests/s      p50      p99  / bare");
    for of in contenders.chunks(3) {
        let bare = of.first().map(|bare| bare.times.ms(0.5)).unwrap_or_default();
        for Contender { name, connections, times, seconds, .. } in of {
            let (rate, p50, p99) = (times.len() as f64 / seconds, times.ms(0.5), times.ms(0.99));
            let ratio = p50 / bare;
            println!(
                "{name:<32} {connections:>8} {rate:>11.0} {p50:>8.3} {p99:>8.3} {ratio:>6.2}x"
            );
        }
    }
}

/// HTTP on a connection that is kept.
fn kept<'a>(at: &str, request: &'a [u8]) -> Result<Asker<'a>, Failure> {
    let mut stream = BufReader::new(TcpStream::connect(at)?);
    stream.get_ref().set_nodelay(true)?;
    Ok(Box::new(move || exchange(&mut stream, request)))
}

/// The socket's protocol: a connection for each event.
fn over_socket<'a>(sidecar: &'a Sidecar, event: &'a [u8]) -> Result<Asker<'a>, Failure> {
    Ok(Box::new(|| sidecar.ask(event).map(drop)))
}

fn request(event: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/hook/claude HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        event.len()
    );
    [head.as_bytes(), event].concat()
}

/// One request on a connection that is kept; it must be allowed.
fn exchange(stream: &mut BufReader<TcpStream>, request: &[u8]) -> Result<(), Failure> {
    stream.get_mut().write_all(request)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse()?;
            }
            None if line == "\r\n" => break,
            None if line.is_empty() => return Err("the answer is cut short".into()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let is_allowed = String::from_utf8_lossy(&body).contains(r#""permissionDecision":"allow""#);
    if is_allowed { Ok(()) } else { Err(String::from_utf8_lossy(&body).into()) }
}

/// This program once more, as the bare server.
struct Bare {
    child: Child,
    address: String,
}

impl Bare {
    fn start() -> Result<Bare, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(BARE).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut address)?;
        Ok(Bare { child, address: address.trim_end().to_owned() })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the constant, with as many threads as the sidecar has for its sockets, until it is
/// killed. The body is read, as any server must.
///
/// # Errors
/// If it cannot listen.
pub fn serve_bare() -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(http1::Builder::new().serve_connection(
                TokioIo::new(stream),
                service_fn(|request: Request<hyper::body::Incoming>| async {
                    let _ = axum::body::to_bytes(Body::new(request.into_body()), 1 << 20).await;
                    Ok::<_, Infallible>(Response::new(Body::from(CONSTANT)))
                }),
            ));
        }
    })
}
