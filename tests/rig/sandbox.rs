//! A text run for real: bash in bubblewrap, on a throwaway root, with no way out of it.
//!
//! `/usr` is the machine's own, read-only; `/usr/bin` has only `PROGRAMS`, and a stub for each of
//! `STUBS`. Names resolve to loopback, where somebody listens if the row claims a connection.
//! Nothing else of the machine is there: no home, no variables, no network, no other process.

use crate::rows::{Effect, Row};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What the texts run as it is.
const PROGRAMS: &[&str] = &[
    "[",
    "awk",
    "base64",
    "basename",
    "bash",
    "busybox",
    "cat",
    "chmod",
    "chroot",
    "comm",
    "cp",
    "csplit",
    "cut",
    "dash",
    "date",
    "dd",
    "diff",
    "dirname",
    "echo",
    "ed",
    "egrep",
    "env",
    "expand",
    "expr",
    "false",
    "find",
    "flock",
    "fmt",
    "fold",
    "getopt",
    "git",
    "grep",
    "gzip",
    "head",
    "id",
    "install",
    "ionice",
    "join",
    "kill",
    "ld",
    "link",
    "ln",
    "ls",
    "make",
    "mawk",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nice",
    "nl",
    "node",
    "nohup",
    "od",
    "paste",
    "patch",
    "perl",
    "pr",
    "printenv",
    "printf",
    "python3",
    "readlink",
    "realpath",
    "rev",
    "rmdir",
    "rsync",
    "script",
    "sed",
    "seq",
    "setsid",
    "sh",
    "sha256sum",
    "shuf",
    "sleep",
    "sort",
    "split",
    "stat",
    "stdbuf",
    "strings",
    "sync",
    "tac",
    "tail",
    "tar",
    "taskset",
    "tee",
    "test",
    "time",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "tsort",
    "uname",
    "unexpand",
    "uniq",
    "unlink",
    "unshare",
    "wc",
    "who",
    "xargs",
    "xxd",
    "yes",
    "zip",
];

/// Not on every machine, and no row is about them.
const OPTIONAL: &[&str] = &["ld", "strings", "time", "xxd", "node"];

/// Logged; `tests/rig/stub` says which of them then run.
const STUBS: &[&str] = &[
    "apt-get",
    "at",
    "aws",
    "crontab",
    "curl",
    "doas",
    "docker",
    "gh",
    "helm",
    "kubectl",
    "mkfs",
    "nc",
    "npm",
    "npx",
    "pip",
    "pkexec",
    "podman",
    "psql",
    "rm",
    "scp",
    "shred",
    "shutdown",
    "ssh",
    "su",
    "sudo",
    "systemctl",
    "terraform",
    "wget",
];
/// Stubs that go on to the machine's own program.
const REAL_STUBS: &[&str] = &["curl", "rm", "shred", "ssh", "wget"];

/// Seconds for one text; they take well under one.
const SECONDS: &str = "20";

/// What a text did.
pub struct Outcome {
    pub printed: String,
    /// The words of each logged program.
    pub ran: Vec<Vec<String>>,
    /// `host:port`, as often as somebody connected.
    pub connected: Vec<String>,
    before: BTreeMap<String, State>,
    after: BTreeMap<String, State>,
}

/// What lies at a path.
#[derive(Debug, PartialEq)]
enum State {
    Directory(u32),
    File(u32, Vec<u8>),
    Link(PathBuf),
}

/// The programs of every sandbox.
pub struct Sandbox {
    bin: TempDir,
}

impl Sandbox {
    /// Lays out `/usr/bin`, and makes sure that a sandbox can be made here at all.
    pub fn new() -> Sandbox {
        let bin = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut missing: Vec<&str> = Vec::new();
        for name in PROGRAMS.iter().chain(REAL_STUBS) {
            let there = ["/usr/bin", "/usr/sbin", "/usr/local/bin"]
                .map(|directory| Path::new(directory).join(name));
            match there.iter().find(|path| path.symlink_metadata().is_ok()) {
                None if OPTIONAL.contains(name) => {}
                None => missing.push(name),
                Some(_) if STUBS.contains(name) => {}
                Some(path) if path.starts_with("/usr/bin") => {
                    symlink(format!("/rig/real/{name}"), bin.path().join(name)).unwrap();
                }
                Some(path) => symlink(path, bin.path().join(name)).unwrap(),
            }
        }
        if Command::new("bwrap").arg("--version").output().is_err() {
            missing.push("bwrap (bubblewrap)");
        }
        assert!(missing.is_empty(), "the rig needs {missing:?}: run tests/install as root");
        for name in STUBS {
            symlink("/rig/stub", bin.path().join(name)).unwrap();
        }
        let sandbox = Sandbox { bin };
        sandbox.probe();
        sandbox
    }

    fn probe(&self) {
        let row = Row::harmless("echo it runs");
        let outcome = self.run(&row).unwrap_or_else(|error| {
            panic!(
                "bwrap makes no sandbox here: {error}\nIt needs user, pid, mount, network and ipc \
                 namespaces and a fresh /proc: where a container forbids them, run this test outside."
            )
        });
        assert_eq!(outcome.printed, "it runs\n");
    }

    /// Runs a row's text among its files.
    ///
    /// # Errors
    /// If it does not end by itself, or the sandbox could not be made.
    pub fn run(&self, row: &Row) -> Result<Outcome, String> {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = scratch.path().join("root");
        let host = row.server.as_deref().map(|host| host.rsplit_once(':').expect("host:port"));
        furnish(&root, &row.files, host.map(|(name, _)| name));
        let [log, connections] = ["log", "connections"].map(|name| scratch.path().join(name));
        fs::write(&log, "").unwrap();
        fs::write(&connections, "").unwrap();
        let before = states(&root);
        let mut command = Command::new("timeout");
        command.args(["-k", "1", SECONDS, "bwrap"]);
        self.arguments(&mut command, &root, [&log, &connections]);
        command.args(["/rig/init", row.text.as_str()]);
        command.args(host.map(|(name, port)| format!("127.0.0.66:{port}:{name}")));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let printed = text(&output.stdout) + &text(&output.stderr);
        match output.status.code() {
            Some(0..=96) if !printed.starts_with("bwrap: ") => {}
            Some(124 | 137) => return Err("it does not end by itself".to_owned()),
            code => return Err(format!("the sandbox ended with {code:?}: {printed}")),
        }
        let connected = fs::read_to_string(&connections).unwrap();
        Ok(Outcome {
            printed,
            ran: argvs(&text(&fs::read(&log).unwrap())),
            connected: connected.lines().map(str::to_owned).collect(),
            before,
            after: states(&root),
        })
    }

    fn arguments(&self, command: &mut Command, root: &Path, logs: [&Path; 2]) {
        command.args(["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]);
        // Root of a namespace of its own, which may do nothing but listen at any loopback port.
        command.args(["--unshare-user", "--uid", "0", "--gid", "0"]);
        command.args(["--cap-add", "CAP_NET_BIND_SERVICE"]);
        command.args(["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
        command.args(["--unshare-cgroup-try", "--hostname", "rig"]);
        let mut bind = |how: &str, from: &Path, to: &str| {
            command.arg(how).arg(from).arg(to);
        };
        bind("--bind", root, "/");
        bind("--ro-bind", Path::new("/usr"), "/usr");
        bind("--ro-bind", Path::new("/usr/bin"), "/rig/real");
        bind("--ro-bind", self.bin.path(), "/usr/bin");
        bind("--ro-bind-try", Path::new("/etc/alternatives"), "/etc/alternatives");
        bind("--ro-bind-try", Path::new("/etc/ld.so.cache"), "/etc/ld.so.cache");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rig");
        for name in ["init", "stub", "listen"] {
            bind("--ro-bind", &own.join(name), &format!("/rig/{name}"));
        }
        for (log, to) in logs.into_iter().zip(["/rig/log", "/rig/connections"]) {
            bind("--bind", log, to);
        }
        command.args(["--proc", "/proc", "--dev", "/dev", "--chdir", "/work"]);
    }
}

/// The throwaway root, with the row's files in it.
fn furnish(root: &Path, files: &BTreeMap<String, String>, host: Option<&str>) {
    for directory in ["work", "tmp", "etc", "home/agent", "rig/real", "usr"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    let hosts = host.map(|name| format!("127.0.0.66 {name}\n")).unwrap_or_default();
    let passwd = "root:x:0:0:root:/home/agent:/bin/bash\n";
    for (name, content) in [
        ("etc/hosts", format!("127.0.0.1 localhost\n{hosts}").as_str()),
        ("etc/nsswitch.conf", "hosts: files\n"),
        ("etc/passwd", passwd),
        ("etc/group", "root:x:0:\n"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    for (name, content) in files {
        let path = root.join(name.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        if content.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// Everything below a root that a text could change.
fn states(root: &Path) -> BTreeMap<String, State> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = format!("/{}", path.strip_prefix(root).unwrap().display());
            if ["/usr", "/rig", "/proc", "/dev"].contains(&name.as_str()) {
                continue;
            }
            let Ok(data) = path.symlink_metadata() else { continue };
            let mode = data.permissions().mode();
            let state = if data.is_dir() {
                open.push(path);
                State::Directory(mode)
            } else if data.is_symlink() {
                State::Link(fs::read_link(&path).unwrap())
            } else if data.is_file() {
                State::File(mode, fs::read(&path).unwrap_or_default())
            } else {
                State::File(mode, Vec::new())
            };
            found.insert(name, state);
        }
    }
    found
}

/// The log: for each program the number of its arguments, its name, and they, NUL after each.
fn argvs(log: &str) -> Vec<Vec<String>> {
    let mut words = log.split_terminator('\0').map(str::to_owned);
    let mut all = Vec::new();
    while let Some(count) = words.next() {
        let count: usize = count.parse().unwrap_or_else(|_| panic!("a torn log: {log:?}"));
        all.push(words.by_ref().take(count + 1).collect());
    }
    all
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { printed, ran, connected, .. } = self;
        write!(f, "it printed {printed:?}, ran {ran:?}, connected to {connected:?}")
    }
}

impl Outcome {
    /// Whether the text had this effect.
    pub fn has(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Runs(words) => self.argv(words).is_some(),
            Effect::Reads(path) => self.reads(path),
            Effect::Writes(path) => {
                let after = self.after.get(path);
                after.is_some() && after != self.before.get(path)
            }
            Effect::Deletes(path) => {
                assert!(self.before.contains_key(path), "{path} is not there to be deleted");
                !self.after.contains_key(path)
            }
            Effect::Connects(host) => self.connected.contains(host),
        }
    }

    /// The words of a logged program, if they are just these.
    pub fn argv(&self, words: &str) -> Option<&Vec<String>> {
        self.ran.iter().find(|argv| argv.iter().map(String::as_str).eq(words.split(' ')))
    }

    /// Whether what was in a file was printed, handed to a program, or stands in another file.
    fn reads(&self, path: &str) -> bool {
        let Some(State::File(_, content)) = self.before.get(path) else {
            panic!("{path} is not there to be read")
        };
        let content = String::from_utf8_lossy(content);
        let mark = content.trim();
        let handed = || self.ran.iter().flatten().any(|word| word.contains(mark));
        let stands = || {
            self.after.iter().any(|(name, state)| match state {
                State::File(_, now) if name != path => {
                    self.before.get(name) != Some(state)
                        && String::from_utf8_lossy(now).contains(mark)
                }
                _ => false,
            })
        };
        self.printed.contains(mark) || handed() || stands()
    }
}
