//! Every process that is measured and the origin, each with its files in one scratch directory, on
//! loopback ports of their own. What was started is ended by its own id.

use crate::Failure;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name by which toolgate is asked for the origin; it knows the address by itself.
pub const ORIGIN: &str = "origin.example";
/// Host rules beside the one that is met.
const OTHER_RULES: usize = 1_000;
/// Descriptors of each proxy and of nginx.
const DESCRIPTORS: usize = 20_000;
/// `sysconf(_SC_CLK_TCK)` on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// A process that runs until it is dropped.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub at: SocketAddr,
    /// Where the model is reached, if it is one that has such a listener.
    pub model: Option<SocketAddr>,
    /// What it says.
    pub said: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(command: &mut Command, at: SocketAddr, said: PathBuf) -> Result<Running, Failure> {
        let log = std::fs::File::create(&said)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut running = Running { child, at, model: None, said };
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(at).is_err() {
            if running.child.try_wait()?.is_some() || Instant::now() > until {
                let said = std::fs::read_to_string(&running.said)?;
                return Err(format!("{program} did not start:\n{said}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    /// Processor time so far, of all its threads, in user and kernel mode.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(") ").ok_or("no stat")?;
        let fields = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks = fields.sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Resident memory, in bytes.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn memory(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(number.parse::<u64>()? * 1024)
    }

    /// Descriptors that are open.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn descriptors(&self) -> Result<usize, Failure> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }
}

/// Where everything is started.
pub struct Place {
    /// All files of a run.
    pub scratch: PathBuf,
    /// The program that is measured.
    pub toolgate: PathBuf,
}

/// How a toolgate is to be started.
pub struct Wish<'a> {
    /// Its files, and nobody else's.
    pub name: &'a str,
    /// Connections that it may serve at once.
    pub connections: usize,
    /// Descriptors that it may have.
    pub descriptors: usize,
    /// Where the model is.
    pub model: Option<SocketAddr>,
}

impl<'a> Wish<'a> {
    /// One with room for everything.
    #[must_use]
    pub fn ample(name: &'a str, model: Option<SocketAddr>) -> Wish<'a> {
        Wish { name, connections: 9_000, descriptors: DESCRIPTORS, model }
    }
}

/// A port that nobody has.
fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn limited(descriptors: usize, program: &Path) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={descriptors}:{descriptors}")).arg(program);
    command
}

impl Place {
    fn directory(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.scratch.join(name);
        std::fs::create_dir_all(&path)?;
        // Squid gives up root and still writes its logs here.
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777))?;
        Ok(path)
    }

    /// nginx with one file of 1 KiB and one of `bulk` bytes.
    ///
    /// # Errors
    /// If it does not start.
    pub fn nginx(&self, bulk: u64) -> Result<Running, Failure> {
        let (dir, at) = (self.directory("nginx")?, free()?);
        std::fs::File::create(dir.join("bulk"))?.set_len(bulk)?;
        let path = dir.display();
        // Head and body in one write: whoever leaves Nagle's algorithm on would wait 40 ms.
        let small = "x".repeat(1024);
        let text = format!(
            "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;\n\
             user root; worker_rlimit_nofile {DESCRIPTORS};\n\
             events {{ worker_connections {DESCRIPTORS}; }}\n\
             http {{ access_log off; sendfile on; tcp_nodelay on; open_file_cache max=10;\n\
             keepalive_requests 100000000; keepalive_timeout 3600; client_header_timeout 3600;\n\
             client_body_temp_path {path}/b; proxy_temp_path {path}/p;\n\
             fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\n\
             server {{ listen {at} backlog=4096; root {path};\n\
             location = /small {{ return 200 {small}; }} }} }}\n"
        );
        std::fs::write(dir.join("conf"), text)?;
        let mut command = limited(DESCRIPTORS, Path::new("nginx"));
        command.arg("-c").arg(dir.join("conf")).arg("-e").arg(dir.join("early.log"));
        Running::start(&mut command, at, dir.join("said"))
    }

    /// tinyproxy, which writes a line for each connection if it is to log.
    ///
    /// # Errors
    /// If it does not start.
    pub fn tinyproxy(&self, name: &str, logs: bool) -> Result<Running, Failure> {
        let (dir, at) = (self.directory(name)?, free()?);
        let text = format!(
            "Port {}\nListen {}\nTimeout 3600\nMaxClients 2000\nAllow 127.0.0.1\n\
             LogFile \"{}/log\"\nLogLevel {}\n",
            at.port(),
            at.ip(),
            dir.display(),
            if logs { "Connect" } else { "Critical" }
        );
        std::fs::write(dir.join("conf"), text)?;
        let mut command = limited(DESCRIPTORS, Path::new("tinyproxy"));
        command.arg("-d").arg("-c").arg(dir.join("conf"));
        Running::start(&mut command, at, dir.join("said"))
    }

    /// squid without its cache, in one process, which writes a line for each connection.
    ///
    /// # Errors
    /// If it does not start.
    pub fn squid(&self, name: &str) -> Result<Running, Failure> {
        let (dir, at) = (self.directory(name)?, free()?);
        let path = dir.display();
        let text = format!(
            "http_port {at}\nacl origin dst 127.0.0.1\nhttp_access allow origin\n\
             http_access deny all\ncache deny all\ncache_mem 8 MB\naccess_log stdio:{path}/log\n\
             cache_log {path}/cache.log\ncache_store_log none\npid_filename none\n\
             pinger_enable off\nnetdb_filename none\nmax_filedescriptors {DESCRIPTORS}\n\
             visible_hostname squid.example\nread_timeout 1 hour\nclient_lifetime 1 day\n\
             coredump_dir {path}\n"
        );
        std::fs::write(dir.join("conf"), text)?;
        let mut command = limited(DESCRIPTORS, Path::new("squid"));
        command.arg("-N").arg("-f").arg(dir.join("conf"));
        Running::start(&mut command, at, dir.join("said"))
    }

    /// toolgate: a policy of a thousand hosts besides, every address vetted, every record written.
    ///
    /// # Errors
    /// If it does not start.
    pub fn toolgate(&self, wish: &Wish<'_>) -> Result<Running, Failure> {
        let (dir, at) = (self.directory(wish.name)?, free()?);
        for below in ["run", "home", "work"] {
            std::fs::create_dir_all(dir.join(below))?;
        }
        std::fs::set_permissions(dir.join("run"), PermissionsExt::from_mode(0o700))?;
        let key = dir.join("key");
        std::fs::write(&key, "a-key-that-no-model-knows-0123456789")?;
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600))?;
        std::fs::write(dir.join("policy.toml"), policy())?;
        let path = dir.display();
        let mut text = format!(
            "[hook]\nsocket = \"{path}/run/s\"\nhome = \"{path}/home\"\nworld = \"same\"\n\
             [policy]\nfiles = [\"{path}/policy.toml\"]\nworkspace = \"{path}/work\"\n\
             [audit]\ndir = \"{path}/audit\"\n\
             [egress]\nlisten = [\"{at}\"]\nresolver = \"none\"\nconnections_max = {}\n\
             static = {{ \"{ORIGIN}\" = [\"127.0.0.1\"] }}\n\
             private = [{{ host = \"{ORIGIN}\", cidr = \"127.0.0.0/8\" }}]\n\
             [egress.host.\"{ORIGIN}\"]\ntunnel = \"raw\"\n",
            wish.connections
        );
        let model = free()?;
        if let Some(upstream) = wish.model {
            write!(
                text,
                "[egress.model]\nlisten = \"{model}\"\nprovider = \"anthropic\"\n\
                 upstream = \"http://{upstream}\"\ncredential = \"model\"\n\
                 [[credential]]\nname = \"model\"\nheader = \"x-api-key\"\n\
                 source = {{ file = \"{path}/key\" }}\n"
            )?;
        }
        std::fs::write(dir.join("toolgate.toml"), text)?;
        let mut command = limited(wish.descriptors, &self.toolgate);
        command.arg("serve").arg("--config").arg(dir.join("toolgate.toml"));
        let mut running = Running::start(&mut command, at, dir.join("said"))?;
        running.model = wish.model.map(|_| model);
        Ok(running)
    }
}

fn policy() -> String {
    let mut text = format!(
        "schema = 1\n[policy]\nname = \"bench\"\ndefault = \"deny\"\n[connect]\nallow = [\n\
         \"{ORIGIN}:*\", \"http://{ORIGIN}:*\",\n"
    );
    for number in 0..OTHER_RULES {
        let _ = writeln!(text, "\"*.service{number}.example\",");
    }
    text.push_str("]\n");
    text
}
