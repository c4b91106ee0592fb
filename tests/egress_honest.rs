//! What the proxy lets through goes through whole: every honest shape of a request and a tunnel, on
//! real sockets, and what its records say of it.
#![cfg(test)]

#[path = "harness/proxy.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod proxy;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "other tests ask the hook socket")]
mod sidecar;

use proxy::{Origin, Proxy, code, connect, exactly, head, to_the_end};
use sidecar::until;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const POLICY: &str = r#"
[connect]
allow = ["http://web.example:*", "raw.example:*", "http://six.example:*", "http://[::1]:*", "::1/128",
         "http://both.example:*", "127.0.0.0/8", "http://ws.example:*"]
"#;

const EGRESS: &str = r#"
resolver = "none"
[egress.static]
"web.example" = ["127.0.0.1"]
"ws.example" = ["127.0.0.1"]
"raw.example" = ["127.0.0.1"]
"six.example" = ["::1"]
"both.example" = ["::1", "127.0.0.1"]
[egress.host."raw.example"]
tunnel = "raw"
[egress.host."ws.example"]
websocket = true
"#;

/// An origin that knows a few paths.
fn web() -> Origin {
    Origin::start(serve)
}

fn serve(mut stream: TcpStream) {
    loop {
        let head = head(&mut stream);
        let Some((method, rest)) = head.split_once(' ') else { return };
        let path = rest.split(' ').next().unwrap();
        assert!(!head.to_ascii_lowercase().contains("proxy-"), "{head}");
        let length: usize = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        if field(&head, "expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let body = match field(&head, "transfer-encoding") {
            Some(_) => chunks(&mut stream),
            None => exactly(&mut stream, length),
        };
        let mut writer = stream.try_clone().unwrap();
        let mut say = |text: &str| writer.write_all(text.as_bytes()).unwrap();
        match (method, path) {
            ("HEAD", _) => say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
            (_, "/hello") => say("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"),
            (_, "/echo") => {
                say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()));
                stream.write_all(&body).unwrap();
            }
            (_, "/chunked") => {
                say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                say("4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n");
            }
            (_, "/close") => {
                say("HTTP/1.1 200 OK\r\n\r\nto the end");
                return;
            }
            (_, "/big") => {
                let size = 8 << 20;
                say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n"));
                stream.write_all(&vec![7; size]).unwrap();
            }
            (_, "/sse") => {
                say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n");
                // Long enough that nobody waits for more before he hands on what came.
                std::thread::sleep(Duration::from_millis(500));
                say("data: 2\n\n");
                return;
            }
            (_, "/socket") => {
                say(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                );
                return proxy::echo(stream);
            }
            other => panic!("{other:?}"),
        }
        if method == "GET" && field(&head, "connection").as_deref() == Some("close") {
            return;
        }
    }
}

fn field(head: &str, name: &str) -> Option<String> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut same = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    same.next().map(|(_, value)| value.trim().to_owned())
}

/// What a chunked body says.
fn chunks(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(exactly(stream, 1));
        }
        let size = std::str::from_utf8(&line).unwrap().trim_end();
        let size = usize::from_str_radix(size, 16).unwrap();
        all.extend(exactly(stream, size));
        exactly(stream, 2);
        if size == 0 {
            return all;
        }
    }
}

fn get(host: &str, path: &str, more: &str) -> String {
    format!("GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let head = head(stream);
    let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
    let body = exactly(stream, length);
    (head, body)
}

#[test]
fn requests_in_every_honest_shape() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    let mut stream = proxy.connect();
    // Kept alive: one connection of the client, one of ours.
    for _ in 0..3 {
        stream
            .write_all(get(&host, "/hello", "Proxy-Connection: keep-alive\r\n").as_bytes())
            .unwrap();
        assert_eq!(answer(&mut stream).1, b"hello");
    }
    assert_eq!(origin.came(), 1);
    let big = vec![b'x'; 3 << 20];
    let post = format!(
        "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\ncontent-length: {}\r\n\r\n",
        big.len()
    );
    stream.write_all(post.as_bytes()).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let body = big.clone();
    let writing = std::thread::spawn(move || writer.write_all(&body).unwrap());
    assert_eq!(answer(&mut stream).1, big);
    writing.join().unwrap();
    // Chunks both ways, in small pieces.
    let post = format!(
        "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for piece in [post.as_str(), "5\r", "\nhel", "lo\r\n", "0\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(answer(&mut stream).1, b"hello");
    stream.write_all(get(&host, "/chunked", "").as_bytes()).unwrap();
    assert!(field(&head(&mut stream), "transfer-encoding").is_some());
    assert_eq!(chunks(&mut stream), b"wikipedia");
    stream
        .write_all(format!("HEAD http://{host}/hello HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
        .unwrap();
    assert_eq!(field(&head(&mut stream), "content-length").as_deref(), Some("5"));
    // A body that waits to be asked for.
    let post = format!(
        "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(post.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 100 "));
    stream.write_all(b"ok").unwrap();
    assert_eq!(answer(&mut stream).1, b"ok");
    stream.write_all(get(&host, "/big", "").as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).1.len(), 8 << 20);
    // One that ends with its connection.
    stream.write_all(get(&host, "/close", "").as_bytes()).unwrap();
    assert_eq!(field(&head(&mut stream), "connection").as_deref(), Some("close"));
    assert_eq!(to_the_end(&mut stream), b"to the end");
    let closed = proxy.wait("net.close", 10);
    assert!(closed.iter().all(|record| record["details"]["cause"] == "answered"), "{closed:?}");
    assert_eq!(closed[0]["details"]["status"], 200);
    assert_eq!(proxy.records("net.open").len(), 10, "each request is judged");
    proxy.sidecar.stop();
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    // The origin speaks HTTP/1.1 whatever it is asked.
    let request = format!("GET http://{host}/chunked HTTP/1.0\r\nHost: {host}\r\n\r\n");
    let answer = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert!(answer.ends_with("\r\n\r\nwikipedia") && !answer.contains("chunked"), "{answer}");
}

#[test]
fn a_second_request_is_judged_by_itself() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    let both = get(&host, "/hello", "") + &get("evil.example", "/", "");
    let text = String::from_utf8(proxy.ask(both.as_bytes())).unwrap();
    let (first, second) = text.split_once("hello").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(code(second), "host_not_allowed", "{text}");
    assert_eq!(origin.came(), 1);
    // A body that says where it ends is not where the next request begins by other rules.
    let smuggled = get("evil.example", "/", "");
    let post = format!(
        "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\ncontent-length: {}\r\n\r\n{smuggled}",
        smuggled.len()
    );
    let text = String::from_utf8(proxy.ask(post.as_bytes())).unwrap();
    assert!(text.ends_with(&smuggled), "{text}");
    // A chunk that is none: what was said so far may be gone on, nothing after it.
    let bad = format!(
        "POST http://{host}/echo HTTP/1.1\r\nHost: {host}\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0x1\r\n"
    );
    let text = String::from_utf8(proxy.ask(bad.as_bytes())).unwrap();
    assert_eq!(code(&text), "bad_framing", "{text}");
    let closed = proxy.wait("net.close", 3);
    assert_eq!(closed[2]["details"]["reason"], "bad_framing");
}

#[test]
fn events_come_as_they_are_sent() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    let mut stream = proxy.connect();
    stream.write_all(get(&host, "/sse", "").as_bytes()).unwrap();
    head(&mut stream);
    assert_eq!(exactly(&mut stream, 9), b"data: 1\n\n");
    assert_eq!(proxy.records("net.close").len(), 0, "it is still open");
    assert_eq!(to_the_end(&mut stream), b"data: 2\n\n");
}

#[test]
fn http_inside_a_tunnel_is_judged_by_request() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    let mut stream = proxy.tunnel(&host).unwrap();
    for _ in 0..2 {
        stream
            .write_all(format!("GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
            .unwrap();
        assert_eq!(answer(&mut stream).1, b"hello");
    }
    assert_eq!(origin.came(), 1);
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "authority_mismatch"),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), "nested_connect"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "missing_host"),
    ] {
        let mut stream = proxy.tunnel(&host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let text = String::from_utf8(to_the_end(&mut stream)).unwrap();
        assert_eq!(code(&text), expected, "{text}");
    }
    // The same by SOCKS5, whose client spoke first.
    let mut socks = vec![5, 1, 0, 5, 1, 0, 3, 11];
    socks.extend(b"web.example");
    socks.extend(origin.port().to_be_bytes());
    socks.extend(
        format!("GET /hello HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").bytes(),
    );
    let all = proxy.ask(&socks);
    assert_eq!(all[..12], [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert!(all.ends_with(b"hello"), "{}", String::from_utf8_lossy(&all));
}

#[test]
fn a_websocket_where_it_is_opened() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("ws.example:{}", origin.port());
    let mut stream = proxy.connect();
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    stream.write_all(get(&host, "/socket", fields).as_bytes()).unwrap();
    let said = head(&mut stream);
    assert!(said.starts_with("HTTP/1.1 101 ") && field(&said, "upgrade").is_some(), "{said}");
    stream.write_all(b"\x81\x05frame").unwrap();
    assert_eq!(exactly(&mut stream, 7), b"\x81\x05frame");
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(to_the_end(&mut stream), b"");
    assert_eq!(proxy.wait("net.close", 1)[0]["details"]["status"], 101);
}

#[test]
fn tunnels_carry_much_both_ways_and_end_by_halves() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), Origin::echo());
    let mut stream = proxy.tunnel(&format!("raw.example:{}", origin.port())).unwrap();
    let size = 24 << 20;
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        let piece: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        for _ in 0..24 {
            writer.write_all(&piece).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    writing.join().unwrap();
    assert_eq!(all.len(), size);
    assert!(all.iter().zip((0..=255_u8).cycle()).all(|(got, sent)| *got == sent));
    let closed = proxy.wait("net.close", 1);
    assert_eq!(closed[0]["details"]["bytes_up"], size);
    assert_eq!(closed[0]["details"]["bytes_down"], size);
    assert_eq!(closed[0]["details"]["cause"], "client_closed");
    proxy.sidecar.stop();
}

#[test]
fn a_tunnel_carries_so_much_and_no_more() {
    let egress = EGRESS.replacen("resolver", "tunnel_bytes_max = 3000000\nresolver", 1);
    let most = 3_000_000;
    let proxy = Proxy::start(POLICY, &egress);
    let sink = Origin::start(|mut stream| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let source = Origin::start(|mut stream| {
        let _ = stream.write_all(&vec![7; 4_000_000]);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let whole = Origin::start(move |mut stream| {
        let _ = stream.write_all(&vec![7; most]);
    });
    for (at, up, carried, cause) in [
        (&sink, most + 1, (most, 0), "bytes"),
        (&sink, most, (most, 0), "client_closed"),
        (&source, 0, (0, most), "bytes"),
        (&whole, 0, (0, most), "upstream_closed"),
    ] {
        let before = proxy.records("net.close").len();
        let mut stream = proxy.tunnel(&format!("raw.example:{}", at.port())).unwrap();
        // What comes too late finds the tunnel closed.
        let _ = stream.write_all(&vec![7; up]);
        if cause == "client_closed" {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let down = to_the_end(&mut stream).len();
        drop(stream);
        let closed = proxy.wait("net.close", before + 1);
        let details = &closed[before]["details"];
        assert_eq!(details["cause"], cause, "{details}");
        assert_eq!(details["bytes_up"], carried.0, "{details}");
        assert_eq!(details["bytes_down"], carried.1, "{details}");
        assert_eq!(down, carried.1);
    }
}

#[test]
fn an_answer_that_is_none_is_the_fault_of_the_host() {
    let proxy = Proxy::start(POLICY, EGRESS);
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "220 mail.example ESMTP\r\n\r\n",
    ] {
        let origin = Origin::start(move |mut stream| {
            head(&mut stream);
            let _ = stream.write_all(said.as_bytes());
        });
        let host = format!("web.example:{}", origin.port());
        let text = String::from_utf8(proxy.ask(get(&host, "/", "").as_bytes())).unwrap();
        assert!(text.starts_with("HTTP/1.1 502 ") && code(&text).is_empty(), "{said}{text}");
        assert!(text.contains("its answer is no strictly valid HTTP"), "{text}");
        assert!(!text.contains("policy"), "{text}");
    }
    for record in proxy.wait("net.close", 4) {
        assert!(record["details"]["reason"].is_null(), "{record}");
        assert!(record["details"]["cause"].as_str().unwrap().starts_with("error: "), "{record}");
    }
}

#[test]
fn ipv6_and_both_families() {
    let proxy = Proxy::start(POLICY, EGRESS);
    let six = Origin::start_at("[::1]:0", serve);
    let close = "Connection: close\r\n";
    for host in [format!("six.example:{}", six.port()), format!("[::1]:{}", six.port())] {
        let text = String::from_utf8(proxy.ask(get(&host, "/hello", close).as_bytes())).unwrap();
        assert!(text.ends_with("hello"), "{host}: {text}");
    }
    // Nobody listens at the first address: the second is the one.
    let four = web();
    let host = format!("both.example:{}", four.port());
    let text = String::from_utf8(proxy.ask(get(&host, "/hello", close).as_bytes())).unwrap();
    assert!(text.ends_with("hello"), "{text}");
    let address = proxy.wait("net.close", 3)[2]["details"]["address"].clone();
    assert_eq!(address, format!("127.0.0.1:{}", four.port()));
}

#[test]
fn a_slow_client_is_not_hurried_between_its_bytes() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), web());
    let host = format!("web.example:{}", origin.port());
    let mut stream = proxy.connect();
    for byte in get(&host, "/hello", "").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(answer(&mut stream).1, b"hello");
}

#[test]
fn nobody_answers() {
    let proxy = Proxy::start(POLICY, EGRESS);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("web.example:{free}");
    let text = String::from_utf8(proxy.ask(get(&host, "/", "").as_bytes())).unwrap();
    assert!(text.starts_with("HTTP/1.1 502 ") && code(&text).is_empty(), "{text}");
    assert!(text.contains("is allowed, and cannot be reached"), "{text}");
    let closed = proxy.wait("net.close", 1);
    assert!(closed[0]["details"]["cause"].as_str().unwrap().starts_with("error: "), "{closed:?}");
}

/// A nameserver that counts its questions and answers each with the next of these addresses; the last one stays.
fn nameserver(addresses: Vec<[u8; 4]>) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        let mut next = 0;
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            count.fetch_add(1, Ordering::SeqCst);
            let mut end = 12;
            while buffer[end] != 0 {
                end += usize::from(buffer[end]) + 1;
            }
            let is_a = buffer[end + 2] == 1;
            let mut answer = buffer[..end + 5].to_vec();
            answer[2] |= 0x80;
            answer[3] = 0x80;
            answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                // No time to live: each question is asked anew.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(addresses[next.min(addresses.len() - 1)]);
                next += 1;
            }
            assert!(length >= end + 5);
            socket.send_to(&answer, from).unwrap();
        }
    });
    (at, asked)
}

#[test]
fn what_is_denied_is_asked_of_nobody_and_what_is_vetted_is_dialled() {
    // The second answer would lead to another machine of the private network.
    let (at, asked) = nameserver(vec![[127, 0, 0, 1], [10, 0, 0, 1], [127, 0, 0, 1]]);
    let origin = web();
    let policy = "[connect]\nallow = [\"http://rebind.example:*\"]\ndeny = [\"no.example:*\"]\n";
    let egress = format!(
        "resolver = [\"{at}\"]\ndns_listen = \"127.0.0.1:0\"\n\
         private = [{{ host = \"rebind.example\", cidr = \"127.0.0.0/8\" }}]\n"
    );
    let proxy = Proxy::start(policy, &egress);
    let stub: std::net::SocketAddr =
        until("the stub says where it listens", || proxy::said(&proxy.sidecar, "stub listens at "));
    for host in ["evil.example", "secret-in-a-label.evil.example", "no.example"] {
        let text = String::from_utf8(proxy.ask(get(host, "/", "").as_bytes())).unwrap();
        assert!(code(&text).starts_with("host_"), "{text}");
        let (code, addresses) = question(stub, host, 1);
        assert_eq!((code, addresses), (3, 0), "{host}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no name went out");
    let host = format!("rebind.example:{}", origin.port());
    let request = get(&host, "/hello", "Connection: close\r\n");
    let text = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert!(text.ends_with("hello"), "{text}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "one lookup: A and AAAA");
    let text = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert_eq!(code(&text), "address_blocked", "{text}");
    assert_eq!(origin.came(), 1);
    // HTTPS and TXT records are nobody's business.
    for kind in [65, 64, 16, 255] {
        assert_eq!(question(stub, "rebind.example", kind), (0, 0));
        assert_eq!(proxy.last_reason("net.open"), "rrtype_blocked");
    }
    assert_eq!(question(stub, "rebind.example", 1), (0, 1));
    // Capitals are the client's to choose, and no name is another one.
    assert_eq!(question(stub, "REBIND.example", 28), (0, 0));
}

#[test]
fn the_stub_asks_for_what_a_connection_would_be_allowed_to() {
    let (at, asked) = nameserver(vec![[127, 0, 0, 1]]);
    let policy = r#"
[connect]
allow = ["https://shut.example", "https://open.example", "*.wide.example:8443"]
deny = ["shut.example:443"]
[[rule]]
id = "proven"
allow = "connect"
match = ["https://cond.example", "GET http://path.example/docs/**"]
when = { seen = "proof" }
[[rule]]
id = "clean"
allow = "connect"
match = ["GET http://clean.example/docs/**"]
when = { not_seen = "secret" }
"#;
    let egress = format!("resolver = [\"{at}\"]\ndns_listen = \"127.0.0.1:0\"\n");
    let proxy = Proxy::start(policy, &egress);
    let stub: std::net::SocketAddr =
        until("the stub says where it listens", || proxy::said(&proxy.sidecar, "stub listens at "));
    for host in ["shut.example", "cond.example", "path.example", "wide.example"] {
        assert_eq!(question(stub, host, 1), (3, 0), "{host}");
        assert!(proxy.last_reason("net.open").starts_with("host_"), "{host}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no name went out");
    for host in ["open.example", "x.wide.example", "clean.example"] {
        // Twice, over UDP and TCP: told once.
        let before = proxy.records("net.open").len();
        assert_eq!(question(stub, host, 1).0, 0, "{host}");
        let told = proxy.wait("net.open", before + 1);
        assert_eq!(told.len(), before + 1, "{host}");
        let details = &told[before]["details"];
        assert_eq!((&details["form"], &details["host"]), (&"dns".into(), &host.into()));
        assert_eq!(details["reason"], "allowed");
    }
    assert!(asked.load(Ordering::SeqCst) > 0);
}

#[test]
fn the_stub_tells_of_a_mixed_answer_what_the_proxy_would_dial() {
    let policy = "[connect]\nallow = [\"https://mixed.example\", \"https://all.example\"]\n";
    for (mixed, count) in [("reject", 0), ("filter", 1)] {
        let egress = format!(
            "resolver = \"none\"\ndns_listen = \"127.0.0.1:0\"\ndns_mixed = \"{mixed}\"\n\
             [egress.static]\n\"mixed.example\" = [\"1.1.1.1\", \"10.0.0.1\"]\n\
             \"all.example\" = [\"1.1.1.1\", \"1.0.0.1\"]\n"
        );
        let proxy = Proxy::start(policy, &egress);
        let stub: std::net::SocketAddr =
            until("the stub says where", || proxy::said(&proxy.sidecar, "stub listens at "));
        assert_eq!(question(stub, "mixed.example", 1), (0, count), "{mixed}");
        assert_eq!(question(stub, "all.example", 1), (0, 2), "{mixed}");
    }
}

/// The code of a DNS answer, and how many records it has.
fn question(at: std::net::SocketAddr, name: &str, kind: u16) -> (u8, u8) {
    let mut bytes = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket.send_to(&bytes, at).unwrap();
    let mut answer = [0; 1500];
    let length = socket.recv(&mut answer).unwrap();
    assert!(length >= 12 && answer[..2] == [1, 2]);
    // The same over TCP.
    let mut stream = connect(at);
    stream.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
    let length = u16::from_be_bytes(exactly(&mut stream, 2).try_into().unwrap());
    let again = exactly(&mut stream, usize::from(length));
    assert_eq!((again[3] & 15, again[7] > 0), (answer[3] & 15, answer[7] > 0));
    (answer[3] & 15, answer[7])
}

#[test]
fn the_record_stands_before_the_dial_and_without_it_there_is_none() {
    let proxy = Proxy::start(POLICY, EGRESS);
    let directory = proxy.sidecar.path("audit");
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let origin = Origin::start(move |stream| {
        // Who is dialled looks into the log: the record of it stands there.
        let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
        let opened = texts.map(|text| text.matches("\"kind\":\"net.open\"").count()).sum::<usize>();
        count.store(opened, Ordering::SeqCst);
        serve(stream);
    });
    let host = format!("web.example:{}", origin.port());
    let request = get(&host, "/hello", "Connection: close\r\n");
    let text = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert!(text.ends_with("hello"), "{text}");
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    // The log's place is taken away: nothing is dialled any more.
    let audit = proxy.sidecar.path("audit");
    std::fs::rename(&audit, proxy.sidecar.path("gone")).unwrap();
    std::fs::write(&audit, "no directory").unwrap();
    until("nothing goes through any more", || {
        let text = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
        text.starts_with("HTTP/1.1 503 ").then_some(())
    });
    let came = origin.came();
    let text = String::from_utf8(proxy.ask(request.as_bytes())).unwrap();
    assert!(text.contains("could not be written to the log"), "{text}");
    assert_eq!(code(&text), "", "the host is allowed: {text}");
    assert!(!text.contains("host_not_allowed"), "{text}");
    assert_eq!(origin.came(), came);
}

#[test]
fn a_stop_ends_tunnels_and_says_so() {
    let (proxy, origin) = (Proxy::start(POLICY, EGRESS), Origin::echo());
    let mut stream = proxy.tunnel(&format!("raw.example:{}", origin.port())).unwrap();
    stream.write_all(b"x").unwrap();
    exactly(&mut stream, 1);
    let log = tempfile::tempdir().unwrap();
    let pid = proxy.sidecar.pid();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(to_the_end(&mut stream), b"");
    let closed = proxy.wait("net.close", 1);
    assert_eq!(closed[0]["details"]["cause"], "drain");
    drop(log);
}

/// One that waits between its requests, to the proxy and inside a tunnel.
fn waiting(proxy: &Proxy, host: &str) -> [TcpStream; 2] {
    let mut to_it = proxy.connect();
    to_it.write_all(get(host, "/hello", "").as_bytes()).unwrap();
    let mut inside = proxy.tunnel(host).unwrap();
    let request = format!("GET /hello HTTP/1.1\r\nHost: {host}\r\n\r\n");
    inside.write_all(request.as_bytes()).unwrap();
    let mut both = [to_it, inside];
    both.iter_mut().for_each(|stream| assert_eq!(answer(stream).1, b"hello"));
    both
}

#[test]
fn every_head_that_begins_has_its_time() {
    let egress = EGRESS.replacen("resolver", "header_seconds = 1\nresolver", 1);
    let (proxy, origin) = (Proxy::start(POLICY, &egress), web());
    let host = format!("web.example:{}", origin.port());
    let mut streams = waiting(&proxy, &host);
    // Between two heads there is more time than one has.
    std::thread::sleep(Duration::from_millis(1500));
    for (stream, target) in streams.iter_mut().zip([format!("http://{host}"), String::new()]) {
        let begins = format!("GET {target}/hello HTTP/1.1\r\nHost: {host}\r\n");
        stream.write_all(format!("{begins}\r\n").as_bytes()).unwrap();
        assert_eq!(answer(stream).1, b"hello");
        stream.write_all(begins.as_bytes()).unwrap();
        let text = String::from_utf8(to_the_end(stream)).unwrap();
        assert_eq!(code(&text), "header_timeout", "{text}");
    }
}

#[test]
fn a_stop_reaches_who_waits_and_who_is_slow() {
    let egress = EGRESS.replacen("resolver", "header_seconds = 3600\nresolver", 1);
    let (proxy, origin) = (Proxy::start(POLICY, &egress), web());
    let host = format!("web.example:{}", origin.port());
    let mut streams = Vec::from(waiting(&proxy, &host));
    for half in [&b"GET http://web"[..], &[5, 1], &[5, 1, 0, 5, 1]] {
        let mut stream = proxy.connect();
        stream.write_all(half).unwrap();
        streams.push(stream);
    }
    // The last of them was heard.
    assert_eq!(exactly(&mut streams[4], 2), [5, 0]);
    let pid = proxy.sidecar.pid();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    for stream in &mut streams {
        assert_eq!(to_the_end(stream), b"");
    }
    let text = || std::fs::read_to_string(proxy.sidecar.path("stderr")).unwrap();
    assert!(!text().contains("still"), "{}", text());
}
