"""Every client that the issue of the network plane names, each with an honest request that must
pass and one that must not.

A case is a function of the place and of `check(claim, holds, otherwise)`.
"""

import hashlib
import os
import pathlib
import sys

import origins
from origins import HOSTS, WORKS

HERE = pathlib.Path(__file__).resolve().parent
# Allowed by nothing: its name must never be looked up.
ELSEWHERE = "elsewhere.example"
REFUSED = "host_not_allowed"


def all_cases(programs):
    """Each client's name with its case."""
    yield "curl", curl
    yield "curl-http", curl_http
    yield "curl-socks", curl_socks
    yield "curl-http2", curl_http2
    yield "curl-bodies", curl_bodies
    yield "sse", sse
    yield "websocket", websocket
    yield "git", git
    yield "pip", pip
    yield "npm", npm
    yield "cargo", cargo
    yield "requests", lambda place, check: requests(place, check, programs)
    yield "node-fetch", lambda place, check: node_fetch(place, check, programs)
    yield "go", go
    yield "reqwest", lambda place, check: reqwest(place, check, programs)
    yield "addresses", addresses
    yield "only-way-out", only_way_out


def refused(place, check, argv, **options):
    """A request that must not pass: the client fails, and the log has the reason."""
    before = len(place.reasons(ELSEWHERE))
    code, out, error = place.run(argv, **options)
    reasons = place.reasons(ELSEWHERE)[before:]
    holds = code != 0 and reasons and set(reasons) == {REFUSED}
    check("refused", holds, (code, out, error, reasons))


def curl(place, check):
    code, out, error = place.run(["curl", "-sS", f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    refused(place, check, ["curl", "-sS", f"https://{ELSEWHERE}/"])
    code, out, error = place.run(["curl", "-sSv", f"https://{ELSEWHERE}/"])
    said = "x-toolgate-reason: host_not_allowed" in error.lower()
    check("header", said, error)


def curl_http(place, check):
    code, out, error = place.run(["curl", "-sS", f"http://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    two = [f"http://{HOSTS['web']}/hello.txt", f"http://{HOSTS['web']}/page.html"]
    code, out, error = place.run(["curl", "-sS", *two])
    check("keep-alive", code == 0 and out.startswith(WORKS) and "<p>" in out, (code, out, error))
    code, out, error = place.run(["curl", "-sS", f"http://{ELSEWHERE}/"])
    check("told", REFUSED in out and ELSEWHERE in out, (code, out, error))


def curl_socks(place, check):
    argv = ["curl", "-sS", "-x", "socks5h://127.0.0.1:3128"]
    code, out, error = place.run([*argv, f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    code, out, error = place.run([*argv, f"https://{ELSEWHERE}/"])
    # curl 97: the SOCKS handshake was answered with a refusal.
    check("refused", code == 97 and "(2)" in error, (code, out, error))


def curl_http2(place, check):
    argv = ["curl", "-sS", "--http2", "-w", "%{http_version}", "-o", os.devnull]
    code, out, error = place.run([*argv, f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, "2"), (code, out, error))


def curl_bodies(place, check):
    """Large bodies both ways, with and without a length."""
    body = place.directory / "body.bin"
    body.write_bytes(os.urandom(3 << 20))
    digest = hashlib.sha256(body.read_bytes()).hexdigest()
    url = f"http://{HOSTS['web']}/back/"
    code, out, error = place.run(["curl", "-sS", "--data-binary", f"@{body}", url])
    check("length", (code, out) == (0, digest), (code, out, error))
    chunked = ["-H", "Transfer-Encoding: chunked", "--data-binary", f"@{body}"]
    code, out, error = place.run(["curl", "-sS", *chunked, url])
    check("chunked", (code, out) == (0, digest), (code, out, error))
    large = place.directory / "www" / HOSTS["web"] / "large.bin"
    wanted = hashlib.sha256(large.read_bytes()).hexdigest()
    for scheme in ("http", "https"):
        got = place.directory / f"got-{scheme}"
        code, _, error = place.run(["curl", "-sS", "-o", got, f"{scheme}://{HOSTS['web']}/large.bin"])
        same = code == 0 and hashlib.sha256(got.read_bytes()).hexdigest() == wanted
        check(f"download-{scheme}", same, (code, error))


def sse(place, check):
    """Each event is there when it was sent, not when all were."""
    code, out, error = place.run([sys.executable, HERE / "sse.py", HOSTS["web"]])
    check("unbuffered", code == 0 and out.startswith("unbuffered"), (code, out, error))


def websocket(place, check):
    code, out, error = place.run([sys.executable, HERE / "ws.py", HOSTS["web"], "tunnel"])
    check("in-a-tunnel", (code, out) == (0, "echo: hello\n"), (code, out, error))
    code, out, error = place.run([sys.executable, HERE / "ws.py", HOSTS["web"], "clear"])
    check("not-in-the-clear", "upgrade_not_allowed" in out, (code, out, error))


def git(place, check):
    target = place.directory / "cloned"
    code, _, error = place.run(["git", "clone", "-q", f"https://{HOSTS['git']}/demo.git", target])
    check("allowed", code == 0 and (target / ".git").is_dir(), (code, error))
    refused(place, check, ["git", "ls-remote", f"https://{ELSEWHERE}/x.git"])


def pip(place, check):
    argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-q"]
    argv += ["--disable-pip-version-check", "--retries", "0", "-d", place.directory / "wheels"]
    code, out, error = place.run([*argv, "-i", f"https://{HOSTS['pypi']}/simple/", "demo-wheel"])
    there = list((place.directory / "wheels").glob("demo_wheel-*.whl"))
    check("allowed", code == 0 and there, (code, out, error))
    refused(place, check, [*argv, "-i", f"https://{ELSEWHERE}/simple/", "demo-wheel"])


def npm(place, check):
    work = place.directory / "npm"
    work.mkdir()
    argv = ["npm", "install", "--prefix", work, "--no-audit", "--no-fund", "--ignore-scripts"]
    argv += ["--fetch-retries", "0", "--update-notifier", "false", "--registry"]
    code, out, error = place.run([*argv, f"https://{HOSTS['npm']}/", "demo-pack"])
    there = (work / "node_modules" / "demo-pack" / "package.json").exists()
    check("allowed", code == 0 and there, (code, out, error))
    refused(place, check, [*argv, f"https://{ELSEWHERE}/", "demo-pack"])


def cargo(place, check):
    for number, host in enumerate((HOSTS["crates"], ELSEWHERE)):
        work = place.directory / f"cargo-{number}"
        (work / "src").mkdir(parents=True)
        (work / ".cargo").mkdir()
        (work / "src" / "lib.rs").write_text("")
        (work / "Cargo.toml").write_text(
            '[package]\nname = "t"\nversion = "0.1.0"\nedition = "2021"\n'
            '[dependencies]\ndemo-crate = "1"\n[workspace]\n'
        )
        (work / ".cargo" / "config.toml").write_text(
            '[source.crates-io]\nreplace-with = "mirror"\n'
            f'[source.mirror]\nregistry = "sparse+https://{host}/"\n[net]\nretry = 0\n'
        )
        env = place.environment(CARGO_HOME=str(work / "home"), **toolchain())
        if host == ELSEWHERE:
            refused(place, check, ["cargo", "fetch"], env=env, cwd=work)
        else:
            code, out, error = place.run(["cargo", "fetch"], env=env, cwd=work)
            check("allowed", code == 0, (code, out, error))


def toolchain():
    """Where rustup's own cargo lies, for a home that is another."""
    home = pathlib.Path.home()
    return {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(home / ".rustup"))}


def requests(place, check, programs):
    program = "import requests, sys; print(requests.get(sys.argv[1], timeout=30).text, end='')"
    argv = [programs.requests, "-c", program]
    code, out, error = place.run([*argv, f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    refused(place, check, [*argv, f"https://{ELSEWHERE}/"])


def node_fetch(place, check, programs):
    argv = ["node", HERE / "fetch.cjs", programs.undici]
    code, out, error = place.run([*argv, f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    refused(place, check, [*argv, f"https://{ELSEWHERE}/"])


def go(place, check):
    binary = place.directory / "get"
    env = {**os.environ, "GOCACHE": str(place.directory / "go"), "GO111MODULE": "off"}
    code, out, error = place.build(["go", "build", "-o", binary, HERE / "get.go"], env)
    check("built", code == 0, (code, out, error))
    code, out, error = place.run([binary, f"https://{HOSTS['web']}/hello.txt"])
    check("allowed", (code, out) == (0, WORKS), (code, out, error))
    code, out, error = place.run([binary, f"http://{HOSTS['web']}/hello.txt"])
    check("allowed-http", (code, out) == (0, WORKS), (code, out, error))
    refused(place, check, [binary, f"https://{ELSEWHERE}/"])


def reqwest(place, check, programs):
    for scheme in ("https", "http"):
        url = f"{scheme}://{HOSTS['web']}/hello.txt"
        argv = [programs.reqwest, place.authority.certificate, url]
        code, out, error = place.run(argv)
        check(f"allowed-{scheme}", (code, out) == (0, WORKS), (code, out, error))
    argv = [programs.reqwest, place.authority.certificate, f"https://{ELSEWHERE}/"]
    refused(place, check, argv)


def addresses(place, check):
    """Names that are allowed and lead where nothing may; and what is granted by name and network."""
    for host, reason in ((HOSTS["meta"], "address_blocked"), (HOSTS["private"], "allowed")):
        code, out, error = place.run(["curl", "-sS", f"http://{host}/hello.txt"])
        holds = (out == WORKS) if reason == "allowed" else (reason in out)
        check(reason, holds, (code, out, error))
    for literal, reason in (
        ("169.254.169.254", "ip_literal_not_allowed"),
        ("127.0.0.1", "ip_literal_not_allowed"),
        ("45.9.1.10", "ip_literal_not_allowed"),
        ("0x7f.1", "invalid_host"),
        ("2130706433", "invalid_host"),
    ):
        code, out, error = place.run(["curl", "-sS", "-x", "http://127.0.0.1:3128",
                                      "--request-target", f"http://{literal}/", "-H",
                                      f"Host: {literal}", f"http://{HOSTS['web']}/"])  # fmt: skip
        check(f"{reason}-{literal}", reason in out, (code, out, error))


def only_way_out(place, check):
    """Without the proxy there is nothing: what the environment says is not what holds."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(place.directory)}
    argv = ["curl", "-sS", "--noproxy", "*", "--resolve", f"{HOSTS['web']}:443:{origins.place.ORIGIN}"]
    code, out, error = place.run([*argv, f"https://{HOSTS['web']}/"], env=bare)
    check("no-route", code == 7, (code, out, error))
