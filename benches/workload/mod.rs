//! The rules and the requests that every engine is measured with, made from a fixed seed.
//!
//! A quarter of the rules each names an exact MCP tool, paths (of ten, eight directories that are
//! allowed, one extension and one kind of file that are denied), the hosts below a name, and the
//! beginning of a command. Of 4,096 requests about half meet a rule; the others come close. What
//! each request must come to is worked out here, by a plain reading of the rules, so that no
//! engine is the measure of another.

pub mod clock;
pub mod options;
pub mod ours;

/// Whatever ends a run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many requests there are.
pub const REQUESTS: usize = 4_096;

/// The rules, and the requests to ask them.
pub struct Workload {
    /// The rules, in no order that matters.
    pub rules: Vec<Rule>,
    /// The requests.
    pub requests: Vec<Request>,
}

/// One rule.
pub struct Rule {
    /// What it speaks of.
    pub names: Names,
    /// Whether it holds only in mode `fast`, and only as long as the session has not seen a secret
    /// (an allow), or only once it has (a deny).
    pub conditional: bool,
}

/// What a rule speaks of, and thereby what it says.
pub enum Names {
    /// Allows this tool, as `mcp:server/tool`.
    Tool(String),
    /// Allows to read what lies below this directory, which ends in `/`.
    Below(String),
    /// Denies to read what has this extension.
    Extension(String),
    /// Denies to read `/srv/*/NAME/*.env`.
    Environment(String),
    /// Allows to reach every name below this one.
    Host(String),
    /// Allows every command that begins with this program and this word.
    Command(String, String),
}

/// One request.
pub struct Request {
    /// What it would do.
    pub verb: Verb,
    /// To what: a tool, a path, a host, or a command of plain words.
    pub target: String,
    /// An argument that conditions look at: `fast` or `slow`.
    pub mode: &'static str,
    /// Whether the session has seen a secret.
    pub secret: bool,
    /// What it must come to.
    pub allowed: bool,
}

/// What a request would do, and what a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Call a tool.
    Call,
    /// Read a path.
    Read,
    /// Connect to a host.
    Connect,
    /// Run a command.
    Exec,
}

impl Workload {
    /// So many rules, a tenth of them with conditions if so wanted, and the requests for them.
    pub fn new(rules: usize, conditions: bool) -> Workload {
        let rules: Vec<Rule> = (0..rules).map(|nth| Rule::nth(nth, conditions)).collect();
        let mut random = Random(SEED);
        let requests = (0..REQUESTS).map(|_| Request::random(&rules, &mut random)).collect();
        Workload { rules, requests }
    }

    /// What each request must come to.
    pub fn expected(&self) -> Vec<bool> {
        self.requests.iter().map(|request| request.allowed).collect()
    }
}

impl Rule {
    fn nth(nth: usize, conditions: bool) -> Rule {
        let of_kind = nth / 4;
        let names = match nth % 4 {
            0 => Names::Tool(format!("mcp:server{}/tool{of_kind}", of_kind % 50)),
            1 => match of_kind % 10 {
                8 => Names::Extension(format!("sec{of_kind}")),
                9 => Names::Environment(format!("conf{of_kind}")),
                _ => Names::Below(format!("/srv/project{of_kind}/")),
            },
            2 => Names::Host(format!("service{of_kind}.example")),
            _ => Names::Command(format!("tool{}", of_kind % 200), format!("task{of_kind}")),
        };
        // Another one of ten each time around, so that denies are among them.
        Rule { names, conditional: conditions && (of_kind + of_kind / 10) % 10 == 2 }
    }

    /// Of what it speaks.
    pub fn verb(&self) -> Verb {
        match self.names {
            Names::Tool(_) => Verb::Call,
            Names::Below(_) | Names::Extension(_) | Names::Environment(_) => Verb::Read,
            Names::Host(_) => Verb::Connect,
            Names::Command(..) => Verb::Exec,
        }
    }

    /// Whether it denies; else it allows.
    pub fn denies(&self) -> bool {
        matches!(self.names, Names::Extension(_) | Names::Environment(_))
    }

    fn speaks(&self, request: &Request) -> bool {
        let target = request.target.as_str();
        let named = match &self.names {
            Names::Tool(name) => target == name,
            Names::Below(directory) => target.starts_with(directory),
            Names::Extension(extension) => {
                target.strip_suffix(extension.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Names::Environment(name) => environment(target) == Some(name),
            Names::Host(name) => {
                target.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Names::Command(program, word) => target
                .strip_prefix(program.as_str())
                .and_then(|rest| rest.strip_prefix(' ')?.strip_prefix(word.as_str()))
                .is_some_and(|rest| rest.starts_with(' ')),
        };
        let holds = request.mode == "fast" && request.secret == self.denies();
        named && (!self.conditional || holds)
    }
}

/// The `NAME` of a path of the form `/srv/*/NAME/*.env`.
pub fn environment(path: &str) -> Option<&str> {
    let mut segments = path.strip_prefix("/srv/")?.strip_suffix(".env")?.split('/');
    let (_, name, _) = (segments.next()?, segments.next()?, segments.next()?);
    segments.next().is_none().then_some(name)
}

impl Request {
    fn random(rules: &[Rule], random: &mut Random) -> Request {
        let (verb, target) = match random.pick(rules) {
            Some(rule) if random.below(2) == 0 => (rule.verb(), hit(&rule.names, rules, random)),
            Some(_) | None => miss(rules.len() / 4, random),
        };
        let mode = if random.below(4) == 0 { "slow" } else { "fast" };
        let secret = random.below(4) == 0;
        let mut request = Request { verb, target, mode, secret, allowed: false };
        let mut speak = rules.iter().filter(|rule| rule.verb() == verb && rule.speaks(&request));
        // A deny stands above every allow.
        request.allowed =
            speak.next().is_some_and(|first| !first.denies() && speak.all(|rule| !rule.denies()));
        request
    }
}

/// A target that the rule speaks of.
fn hit(names: &Names, rules: &[Rule], random: &mut Random) -> String {
    let some = random.below(1_000);
    match names {
        Names::Tool(name) => name.clone(),
        Names::Below(directory) => {
            let inside = "src/".repeat(random.below(4));
            // Now and then it is also one that is denied.
            let extension = match random.pick(rules).map(|rule| &rule.names) {
                Some(Names::Extension(extension)) => extension,
                Some(_) | None => "rs",
            };
            format!("{directory}{inside}module{some}.{extension}")
        }
        Names::Extension(extension) => format!("/srv/project{some}/src/key{some}.{extension}"),
        Names::Environment(name) => format!("/srv/project{some}/{name}/stage{some}.env"),
        Names::Host(name) => {
            let below = if random.below(2) == 0 { "api" } else { "eu.api" };
            format!("{below}.{name}")
        }
        Names::Command(program, word) => format!("{program} {word} release {some}"),
    }
}

/// A target like those of the rules, of which none speaks: `count` is how many a kind has.
fn miss(count: usize, random: &mut Random) -> (Verb, String) {
    let (there, absent) = (random.below(count.max(1)), count + random.below(1_000));
    let near = random.below(2) == 0;
    match random.below(4) {
        0 => (Verb::Call, format!("mcp:server{}/tool{absent}", there % 50)),
        1 if near => (Verb::Read, format!("/srv/project{there}x/src/module{absent}.rs")),
        1 => (Verb::Read, format!("/opt/data/project{absent}/conf{there}/notes.txt")),
        // No dot before the name: not below it.
        2 if near => (Verb::Connect, format!("www.no-service{there}.example")),
        2 => (Verb::Connect, format!("api.service{absent}.example")),
        _ => (Verb::Exec, format!("tool{} task{absent} release {there}", there % 200)),
    }
}

const SEED: u64 = 0x7001_6a7e_2026_1124;

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    /// A number below `bound`, which is small beside 2^64.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper bits are the better ones.
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len().max(1)))
    }
}
