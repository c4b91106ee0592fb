//! What is remembered: one record for each thing that happened, of every plane, in one log.

use super::call::{CallId, ToolName};
use super::decision::Decision;
use super::json::Json;
use super::principal::Principal;
use super::secrets::Secrets;

/// One thing that happened, before it has its place in the log.
///
/// The place (stream, sequence, time, link to the record before) is the journal's to give; see
/// `audit`. Secrets are already taken out of everything in here.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What happened.
    pub kind: Kind,
    /// Joins the records of one call over all planes.
    pub call: Option<CallId>,
    /// Who acted.
    pub principal: Option<Principal>,
    /// The tool.
    pub tool: Option<ToolName>,
    /// The runtime's own id of the call.
    pub tool_use_id: Option<String>,
    /// The working directory that the runtime stated.
    pub cwd: Option<String>,
    /// The tool's arguments, redacted.
    pub input: Option<Capture>,
    /// What came back, redacted.
    pub output: Option<Capture>,
    /// What was decided, if something was.
    pub decision: Option<Box<Decision>>,
    /// How long deciding took, in microseconds.
    pub decided_us: Option<u64>,
    /// What the call met and changed of the state of its session, from which that state is built
    /// again. It is written as it is: bounded by its maker (`session/`), and without secrets.
    pub state: Option<Json>,
    /// What does not fit the fields above, by name (a policy's digest, a finding's code ...).
    pub details: Vec<(&'static str, Json)>,
    /// What was found in some text of it, and is taken out of all; never written.
    pub secrets: Secrets,
    /// Whether the answer must wait until the record is on the disk.
    pub durability: Durability,
}

/// A value as the log keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// The value with its secrets replaced; nothing if only the digest is kept.
    pub value: Option<Json>,
    /// Length of the value's JSON text before redaction, in bytes.
    pub bytes: usize,
    /// What was taken out: the place as a JSON pointer, and the detector's id.
    pub redactions: Vec<Redaction>,
    /// Redacted texts that were left out and are to be kept beside the log.
    pub texts: Vec<LeftOut>,
}

/// A text that is too long for its record, to be kept beside the log under its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it stood, as the redaction that names it says.
    pub pointer: String,
    /// Without its secrets.
    pub text: String,
}

/// How much of a call's arguments and output the log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaptureLevel {
    /// All of it that fits, long texts too; secrets are taken out all the same.
    Full,
    /// What a person still reads: secrets taken out, long texts as their digest.
    Redacted,
    /// Length and digest only.
    Digest,
}

/// One secret that was taken out of a value, or a text that was left out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// Which detector found it.
    pub detector: String,
    /// The commitment to the secret, if there is one.
    pub hmac: Option<String>,
    /// The SHA-256 under which a text that was left out is kept beside the log, once it is.
    pub blob: Option<String>,
}

impl Redaction {
    /// What a detector took out of a place, with nothing said of what it was.
    #[must_use]
    pub fn new(pointer: &str, detector: &str) -> Redaction {
        let (pointer, detector) = (pointer.to_owned(), detector.to_owned());
        Redaction { pointer, detector, hmac: None, blob: None }
    }
}

/// How firmly a record must stand before its answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the disk (survives power loss): refusals, questions, and calls that change something.
    Synced,
    /// Handed to the kernel (survives the death of the sidecar); synced within 100 ms.
    Written,
}

/// What happened. Closed; the kinds of every plane stand here from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A tool call was judged before it ran.
    ToolPre,
    /// A tool call had run.
    ToolPost,
    /// A tool call whose end was never seen.
    ToolUnknown,
    /// A person answered a question.
    Approval,
    /// A session began.
    SessionStart,
    /// A session ended.
    SessionEnd,
    /// Another event of the runtime.
    RuntimeEvent,
    /// A request on the MCP plane.
    McpCall,
    /// An answer on the MCP plane.
    McpResult,
    /// A connection was judged, before it was dialled.
    NetOpen,
    /// A connection ended.
    NetClose,
    /// A process was launched.
    LaunchStart,
    /// A launched process ended.
    LaunchEnd,
    /// The kernel refused something.
    KernelDeny,
    /// A program was executed, as the kernel saw it.
    KernelExec,
    /// Two planes, or Pre and Post, do not agree.
    Finding,
    /// An input that could not be read was refused.
    BadInput,
    /// A policy came into force.
    PolicyLoad,
    /// A policy was refused; the one before it stays.
    PolicyRefused,
    /// An operator set or removed a label.
    Label,
    /// All that is remembered of sessions, or a part of it.
    SessionSnapshot,
    /// The sidecar started.
    ServiceStart,
    /// The sidecar stopped in good order.
    ServiceStop,
    /// The journal opened, and what it found.
    AuditOpen,
    /// A torn end was cut off and kept aside, or the log went on after it had failed.
    AuditRecovered,
    /// A signed head of the log.
    AuditCheckpoint,
    /// A key of the log certified the next one.
    AuditKey,
    /// Records were deleted by retention.
    AuditRetention,
    /// Texts that were kept beside the log were erased.
    AuditErased,
    /// The room on the log's disk changed its stage; `full` is the last word before refusals.
    AuditSpace,
}

impl Kind {
    /// All of them, in the order above.
    pub const ALL: [Kind; 30] = [
        Kind::ToolPre,
        Kind::ToolPost,
        Kind::ToolUnknown,
        Kind::Approval,
        Kind::SessionStart,
        Kind::SessionEnd,
        Kind::RuntimeEvent,
        Kind::McpCall,
        Kind::McpResult,
        Kind::NetOpen,
        Kind::NetClose,
        Kind::LaunchStart,
        Kind::LaunchEnd,
        Kind::KernelDeny,
        Kind::KernelExec,
        Kind::Finding,
        Kind::BadInput,
        Kind::PolicyLoad,
        Kind::PolicyRefused,
        Kind::Label,
        Kind::SessionSnapshot,
        Kind::ServiceStart,
        Kind::ServiceStop,
        Kind::AuditOpen,
        Kind::AuditRecovered,
        Kind::AuditCheckpoint,
        Kind::AuditKey,
        Kind::AuditRetention,
        Kind::AuditErased,
        Kind::AuditSpace,
    ];

    /// The word in the log: the plane, a dot, the event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::ToolPre => "tool.pre",
            Kind::ToolPost => "tool.post",
            Kind::ToolUnknown => "tool.unknown",
            Kind::Approval => "approval",
            Kind::SessionStart => "session.start",
            Kind::SessionEnd => "session.end",
            Kind::RuntimeEvent => "runtime.event",
            Kind::McpCall => "mcp.call",
            Kind::McpResult => "mcp.result",
            Kind::NetOpen => "net.open",
            Kind::NetClose => "net.close",
            Kind::LaunchStart => "launch.start",
            Kind::LaunchEnd => "launch.end",
            Kind::KernelDeny => "kernel.deny",
            Kind::KernelExec => "kernel.exec",
            Kind::Finding => "finding",
            Kind::BadInput => "bad_input",
            Kind::PolicyLoad => "policy.load",
            Kind::PolicyRefused => "policy.refused",
            Kind::Label => "label",
            Kind::SessionSnapshot => "session.snapshot",
            Kind::ServiceStart => "service.start",
            Kind::ServiceStop => "service.stop",
            Kind::AuditOpen => "audit.open",
            Kind::AuditRecovered => "audit.recovered",
            Kind::AuditCheckpoint => "audit.checkpoint",
            Kind::AuditKey => "audit.key",
            Kind::AuditRetention => "audit.retention",
            Kind::AuditErased => "audit.erased",
            Kind::AuditSpace => "audit.space",
        }
    }
}

impl Record {
    /// A record of `kind` with nothing else in it yet.
    #[must_use]
    pub fn new(kind: Kind) -> Record {
        Record {
            kind,
            call: None,
            principal: None,
            tool: None,
            tool_use_id: None,
            cwd: None,
            input: None,
            output: None,
            decision: None,
            decided_us: None,
            state: None,
            details: Vec::new(),
            secrets: Secrets::default(),
            durability: Durability::Synced,
        }
    }
}
