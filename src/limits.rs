//! Every bound in the program, each with its reason. A bound that is met refuses; it never allows.

use std::time::Duration;

/// One hook event, in bytes. A real `Write` of 4.8 MB was seen; anything above this is refused.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What the hook client reads at most. More than it may send: so that the output of a tool in an
/// event that is too large to be judged can still be withheld in its own shape.
pub const EVENT_BYTES_READ_MAX: usize = 128 * 1024 * 1024;
/// Events being read or judged at once, in bytes together: an agent that sends many large ones
/// waits, and the sidecar keeps its memory.
pub const EVENT_BYTES_IN_FLIGHT_MAX: usize = 64 * 1024 * 1024;
/// Nesting of one JSON event. Real tools stay under ten; a parser's stack must not be the limit.
pub const JSON_DEPTH_MAX: usize = 64;
/// How long a client may take to send its event once it has connected.
pub const EVENT_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the gate may take over one call before it is refused.
pub const DECISION_TIMEOUT: Duration = Duration::from_secs(10);
/// The hook client's own deadline: below the 30 s that the wiring gives the runtime's timeout.
pub const HOOK_DEADLINE: Duration = Duration::from_secs(20);
/// How much more patient than the client the wiring tells the runtime to be: a client that gave up
/// still has to be started, and to print, on a machine under load.
pub const HOOK_TIMEOUT_MARGIN: Duration = Duration::from_secs(10);
/// What Codex gives a hook at the end of a session, whatever its settings say.
pub const CODEX_SESSION_END_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest deadline that the wiring takes. A person would think that the agent hangs.
pub const HOOK_DEADLINE_MAX: Duration = Duration::from_secs(300);
/// How long a runtime may take to say what it is: a cold start of 400 MB takes seconds.
pub const CLIENT_SAYS_TIMEOUT: Duration = Duration::from_secs(30);
/// How much a runtime may say when it is asked, in bytes: what a pipe holds while it runs.
pub const CLIENT_SAYS_BYTES_MAX: usize = 64 * 1024;
/// Hook connections served at once; a further one waits in the listener's backlog.
pub const HOOK_CONNECTIONS_MAX: usize = 256;
/// What an operator may ask for instead: each connection is a descriptor, and may hold an event.
pub const HOOK_CONNECTIONS_CEILING: usize = 65_536;
/// Events of one user in a second, unless the operator says otherwise: more than an honest machine
/// full of agents sends, so that only a flood meets it.
pub const HOOK_EVENTS_PER_SECOND: u32 = 10_000;
/// How many seconds' worth of events may come at once: a thousand sessions start together.
pub const HOOK_EVENTS_BURST_SECONDS: u32 = 2;
/// Refusals of one kind are written down at most this often, with their count: a flood of them
/// must not fill the disk.
pub const REFUSALS_RECORDED_EVERY: Duration = Duration::from_secs(1);

/// The head of one HTTP request, in bytes: Claude Code's has some 300.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of one HTTP request: Claude Code sends ten.
pub const HTTP_HEADERS_MAX: usize = 64;
/// What is read at once of a request's body, in bytes.
pub const HTTP_READ_BYTES_MAX: usize = 256 * 1024;
/// How much is read of the event of a sender who may not speak, in bytes: only so much that the
/// event's name is found, by which its denial is said.
pub const HTTP_STRANGER_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may wait for its next request, and what its client is told: less, so
/// that the client does not send one into a connection that is just being closed.
pub const HTTP_IDLE: Duration = Duration::from_secs(65);
/// See [`HTTP_IDLE`].
pub const HTTP_IDLE_TOLD: Duration = Duration::from_secs(60);
/// How much is read and thrown away after the last answer, in bytes, so that the client reads it
/// before it finds the connection reset.
pub const HTTP_LINGER_BYTES_MAX: usize = EVENT_BYTES_READ_MAX;
/// A token has at least so many characters: what can be guessed guards nothing.
pub const TOKEN_CHARS_MIN: usize = 32;
/// A token's file, in bytes: it must fit a request's head.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Hosts of one call by which its connections are known; a call that names more is any call.
pub const HOSTS_OF_CALL_MAX: usize = 32;

/// Connections of the network plane at once, unless the operator says otherwise; each tunnel holds
/// two descriptors.
pub const EGRESS_CONNECTIONS_MAX: usize = 8_192;
/// What an operator may ask for instead.
pub const EGRESS_CONNECTIONS_CEILING: usize = 262_144;
/// Descriptors that tunnels leave to the rest: both ends of every pipe, hooks, the log, the model.
pub const EGRESS_DESCRIPTORS_LEFT: usize = 1_024;
/// How long the head of a request, or a SOCKS greeting, may take.
pub const EGRESS_HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a tunnel's `ClientHello` may take.
pub const EGRESS_TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long dialling may take.
pub const EGRESS_DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a tunnel may be silent: a model that thinks sends nothing for minutes.
pub const EGRESS_IDLE: Duration = Duration::from_secs(15 * 60);
/// The longest time that an operator may set for any of these.
pub const EGRESS_SECONDS_MAX: u64 = 24 * 60 * 60;
/// How long after one address the next is tried beside it (RFC 8305 §5).
pub const EGRESS_NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// How long a lookup may take, all its tries together.
pub const EGRESS_DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer is kept at most: what is vetted is what is dialled, so this bounds staleness.
pub const EGRESS_DNS_TTL_MAX: Duration = Duration::from_secs(300);
/// Names whose answers are kept.
pub const EGRESS_DNS_CACHE_NAMES: u64 = 1_024;
/// Addresses of one answer that are looked at and recorded; the others are not dialled.
pub const EGRESS_ADDRESSES_MAX: usize = 32;
/// Questions that the DNS stub answers at once.
pub const EGRESS_DNS_CLIENTS_MAX: usize = 128;
/// An allowed name that the DNS stub is asked for is written down once in this time: clients ask
/// again and again.
pub const EGRESS_DNS_RECORDED_EVERY: Duration = Duration::from_secs(30);
/// ... and so many names in it, the others only by their count: a flood must not fill the disk.
pub const EGRESS_DNS_RECORDED_MAX: usize = 1024;
/// How long a client of the stub may wait between questions over TCP.
pub const EGRESS_DNS_TCP_IDLE: Duration = Duration::from_secs(10);
/// How long a client may keep the stub's answer: the proxy looks names up by itself.
pub const EGRESS_DNS_STUB_TTL_SECONDS: u32 = 30;
/// What a relay reads at once, for all tunnels of a thread.
pub const EGRESS_RELAY_BYTES: usize = 64 * 1024;
/// After so many bytes a direction of a tunnel is worth a pipe of its own.
pub const EGRESS_SPLICE_AFTER_BYTES: u64 = 256 * 1024;
/// Pipes at once: 256 of 64 KiB are a quarter of the pages that one user may have in pipes.
pub const EGRESS_PIPES_MAX: usize = 256;
/// What the first read of a connection takes: nearly every head fits.
pub const EGRESS_FIRST_READ_BYTES: usize = 4 * 1024;
/// What is read at once of a body that is forwarded.
pub const EGRESS_BODY_READ_BYTES: usize = 32 * 1024;
/// What is read and thrown away of a refused client, in bytes, so that it reads its answer.
pub const EGRESS_LINGER_BYTES_MAX: usize = 1024 * 1024;
/// Clients that are told at once that there is no room; others are hung up on.
pub const EGRESS_TURNED_AWAY_MAX: usize = 64;
/// How long a refused client may take to read its answer.
pub const EGRESS_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// One path, in bytes (Linux `PATH_MAX`).
pub const PATH_BYTES_MAX: usize = 4096;
/// One component of a path, in bytes (Linux `NAME_MAX`).
pub const PATH_COMPONENT_BYTES_MAX: usize = 255;
/// Components of one path: with `PATH_BYTES_MAX` there can be no more that mean anything.
pub const PATH_DEPTH_MAX: usize = 256;
/// Symbolic links followed on one path (Linux follows 40).
pub const PATH_LINKS_MAX: usize = 40;
/// Directory entries looked through for the other names of a file, once per call: a second of an
/// agent's patience is far more than they take.
pub const TWIN_ENTRIES_MAX: usize = 20_000;
/// One file of git's own, in bytes: what stands behind it says nothing.
pub const GIT_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Directory entries read to judge a tree; over it the tree is a maybe.
pub const TREE_ENTRIES_MAX: usize = 200_000;
/// A file that extends a runtime (a skill, a command), read before an edit of it is judged; over
/// it what the file would hold is not known. Such texts go into a model's context whole.
pub const EXTENSION_BYTES_MAX: u64 = 1 << 20;

/// One shell text, in bytes. Over it the text is an unknown access of every verb.
pub const SHELL_BYTES_MAX: usize = 64 * 1024;
/// Nesting of shell constructs. The guard runs before the parser: its stack cannot be caught.
pub const SHELL_DEPTH_MAX: usize = 100;
/// Simple commands of one text, those of nested texts included.
pub const SHELL_COMMANDS_MAX: usize = 2_000;
/// File name patterns of one call, each held against every rule that tightens.
pub const PATTERNS_MAX: usize = 256;
/// Wrappers inside wrappers (`sudo env nice sh -c ...`).
pub const WRAPPER_DEPTH_MAX: usize = 10;
/// Values that one word may stand for before it counts as unknown.
pub const WORD_VALUES_MAX: usize = 256;

/// Bytes of one word or variable, all its values together: a text is no longer than this, and what
/// doubles itself (`x=$x$x`) must not grow beyond what a text could spell.
pub const WORD_BYTES_MAX: usize = 64 * 1024;
/// Bytes made while one call's texts are expanded: bounds time and memory whatever the words do.
pub const EXPANSION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Brackets, strings with code in them and texts that are run, inside each other, in a program of
/// another language: each is two of these. What lies deeper is not read, which counts against it.
pub const CODE_DEPTH_MAX: usize = 48;
/// Things that one program text is seen to do; over it the text is code that does anything.
pub const CODE_EFFECTS_MAX: usize = 512;
/// Bytes made while one program text's values are followed: bounds time whatever it assigns.
pub const CODE_MADE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Accesses of one call. More cannot be reviewed, so the call is refused.
pub const ACCESSES_MAX: usize = 8_192;

/// One policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// One pattern, in bytes: the longest path there is. Its readers need not be lazy then.
pub const PATTERN_BYTES_MAX: usize = 4_096;
/// Braces inside braces. People write two; an expansion copies the text once for each.
pub const PATTERN_BRACE_DEPTH_MAX: usize = 16;
/// Patterns of one policy, its lists and braces written out. Each costs memory for as long as the
/// policy is in force, and time at each call.
pub const POLICY_PATTERNS_MAX: usize = 200_000;
/// Patterns of one policy that come from braces: few bytes of a file stand for many of these.
pub const POLICY_BRACES_MAX: usize = 100_000;
/// Patterns of one policy in bytes, lists and braces written out: what it may hold in memory.
pub const POLICY_PATTERN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries that one use of a list may stand for: lists of lists grow by the power.
pub const LIST_ENTRIES_MAX: usize = 100_000;
/// Mistakes told of one file. Nobody reads more, and each is shown with its place.
pub const DIAGNOSTICS_MAX: usize = 200;
/// Characters of one text of a policy that are shown in a mistake. Nobody reads more.
pub const SHOWN_CHARS_MAX: usize = 1_000;
/// How far apart, in bytes, two places of one mistake may lie to be shown in one excerpt.
pub const EXCERPT_BYTES_MAX: usize = 64 * 1024;
/// How many pairs of patterns the lints compare: a tenth of a second. Ten thousand rules need
/// fewer, since only those are compared that share a word.
pub const LINT_COMPARISONS_MAX: usize = 200_000;
/// How often `--fix` reads a file again after a round of fixes: a fix may bring out another.
pub const FIX_ROUNDS_MAX: usize = 64;
/// Calls of one session that `policy eval` keeps open until their `post` lines come; beyond it the
/// oldest is forgotten, and proves nothing.
pub const EVAL_CALLS_OPEN_MAX: usize = 1_024;
/// Patterns that one pattern's braces may expand to.
pub const PATTERN_BRACES_MAX: usize = 1_024;
/// Patterns of one verb that are compared one by one, because no index finds them, before their
/// author is told what that costs. They are some microseconds then.
pub const PATTERNS_ASKED_MAX: usize = 64;
/// Compiled size of one regular expression of a policy, in bytes.
pub const REGEX_BYTES_MAX: usize = 1 << 20;
/// Lists inside lists (`$a` naming `$b` ...).
pub const LIST_DEPTH_MAX: usize = 16;

/// One record line in the log, in bytes; larger arguments are written as digest and length.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Records waiting for the journal. Full means the disk is far behind: the gate waits, then
/// refuses.
pub const JOURNAL_QUEUE_MAX: usize = 4_096;
/// How long a record may stand in the log unsigned: a head costs about one kilobyte.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// How long the log may be silent before it signs that it was.
pub const CHECKPOINT_HEARTBEAT: Duration = Duration::from_secs(60);
/// How long a key of the log signs: what a stolen key can sign anew is no older than this.
pub const KEY_ROTATION: Duration = Duration::from_secs(24 * 60 * 60);
/// How long one file of the log is written, from the first thing that happened in it: what is
/// closed is compressed, and may be shipped and deleted.
pub const SEGMENT_AGE: Duration = Duration::from_secs(60 * 60);
/// What an operator may ask for instead of 64 MB: a sealed file has a bound on its frames.
pub const SEGMENT_MB_MAX: u64 = 4_096;
/// What an operator may ask for instead of an hour: a week.
pub const SEGMENT_MINUTES_MAX: u64 = 7 * 24 * 60;
/// Plain bytes of one frame of a sealed file: the smallest part that can be read by itself, and
/// large enough to compress nearly as well as the whole.
pub const SEALED_FRAME_BYTES: usize = 256 * 1024;
/// Frames of one sealed file: 16 GiB of lines.
pub const SEALED_FRAMES_MAX: usize = 65_536;
/// Files that one record of a deletion names: it must fit a line.
pub const RETENTION_FILES_MAX: usize = 64;
/// What is younger is not deleted unless the operator insists, in days: half a year is what the
/// laws that ask for such logs ask for.
pub const RETENTION_MIN_DAYS: u32 = 180;
/// How often it is looked for what is to be deleted.
pub const RETENTION_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long after a failure to seal a file it is tried again: room comes back slowly.
pub const SEALING_RETRY: Duration = Duration::from_secs(60);
/// How long an answer that need not be durable may stay unsynced.
pub const JOURNAL_FLUSH: Duration = Duration::from_millis(100);
/// One text that is kept beside the log, in bytes: as long as an event can be.
pub const BLOB_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// All texts that are kept beside the log, in bytes, unless the operator says otherwise. Met, no
/// more are kept until some are erased; records go on, with the digest.
pub const BLOBS_BYTES_MAX: u64 = 1 << 30;
/// How long a call may wait until its long texts are kept; half of what its record may take.
pub const BLOB_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Records that a sink hands on at once.
pub const SINK_BATCH_MAX: usize = 256;
/// The same in bytes: some seconds of a slow network.
pub const SINK_BATCH_BYTES_MAX: usize = 1 << 20;
/// How often a sink looks though nobody woke it.
pub const SINK_POLL: Duration = Duration::from_secs(1);
/// How long a sink waits at most before it tries again what failed.
pub const SINK_RETRY_MAX: Duration = Duration::from_secs(30);
/// How long one step of a sink's socket may take before its connection counts as lost.
pub const SINK_IO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side's kernel may leave what was sent to it unacknowledged: some
/// retransmissions.
pub const SINK_SILENT: Duration = Duration::from_secs(3);
/// How long one request of a sink may take.
pub const SINK_HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much is read of the answer to a sink, in bytes; real ones have some dozen.
pub const SINK_ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// How long what was sent to a side that does not acknowledge may still be lost with it: longer
/// than a daemon that works leaves its socket unread.
pub const SINK_SETTLES: Duration = Duration::from_secs(1);
/// How long a sink may take over a record, unless the operator says otherwise.
pub const SINK_DEADLINE_MS: u64 = 250;
/// How long the sinks may still hand on when the sidecar stops.
pub const SINK_DRAIN: Duration = Duration::from_secs(2);
/// Sinks of one log, each of which is a thread.
pub const SINKS_MAX: usize = 16;
/// How often it is tried to send a head before the next one is waited for: some minutes.
pub const HEAD_TRIES_MAX: u32 = 10;
/// How long the gate waits for a record to be written before it refuses.
pub const JOURNAL_TIMEOUT: Duration = Duration::from_secs(5);
/// A shorter deadline for a record would refuse calls on a sound disk.
pub const JOURNAL_DEADLINE_MIN: Duration = Duration::from_millis(50);
/// A longer one would outlast the hooks that wait for the answer.
pub const JOURNAL_DEADLINE_MAX: Duration = Duration::from_secs(20);
/// Bytes of the log that may be written and not synced: they stay in memory, to be written again
/// if the disk fails.
pub const JOURNAL_UNSYNCED_BYTES_MAX: usize = 8 << 20;
/// How soon a log that failed is tried again; each further try waits twice as long.
pub const JOURNAL_RETRY_MIN: Duration = Duration::from_millis(100);
/// ... and no longer than this: a disk that was mended is noticed within it.
pub const JOURNAL_RETRY_MAX: Duration = Duration::from_secs(5);
/// Records kept in memory while the log takes none and the operator lets calls go on.
pub const JOURNAL_KEPT_RECORDS_MAX: usize = 4_096;
/// ... and their bytes.
pub const JOURNAL_KEPT_BYTES_MAX: usize = 8 << 20;
/// Free room of the log's disk that is never too little, however great the disk; the first warning
/// comes at twice as much.
pub const JOURNAL_LOW_BYTES_MAX: u64 = 4 << 30;
/// When the log's disk is almost full, the file that is written is closed and sealed if it has so
/// many bytes: sealing a smaller one frees next to nothing.
pub const JOURNAL_SEAL_EARLY_BYTES: u64 = 1 << 20;
/// Room that is held back for the last records before a full disk: those of a whole queue of
/// refusals, many times over.
pub const JOURNAL_RESERVE_BYTES: u64 = 16 << 20;
/// How long `health` warns of a failure of the log that is over.
pub const LOG_FAILURE_TOLD_SECONDS: i64 = 3_600;
/// How often the room on the log's disk is looked at.
pub const JOURNAL_SPACE_CHECK: Duration = Duration::from_secs(5);

/// Where the sidecar listens and the client looks, unless told otherwise.
pub const HOOK_SOCKET: &str = "/run/toolgate/hook.sock";
/// Where the proxy listens for those who have no network, unless the configuration says otherwise.
pub const EGRESS_SOCKET: &str = "/run/toolgate/egress.sock";
/// How long a stopping sidecar waits for calls in flight.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the policy's files are looked at, in seconds, unless the operator says otherwise.
pub const POLICY_POLL_SECONDS: u32 = 5;
/// How long a reload may take before it is given up: a policy with 100,000 rules takes a second.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Reloads that are asked for while one is under way; they are answered together by the next one.
pub const RELOAD_QUEUE_MAX: usize = 64;
/// What is told of a policy that was refused, in bytes: fits a record and a line of the admin
/// socket even if every byte is escaped.
pub const RELOAD_TOLD_BYTES_MAX: usize = 8 * 1024;

/// Where an operator speaks to a sidecar that listens at [`HOOK_SOCKET`].
pub const ADMIN_SOCKET: &str = "/run/toolgate/admin.sock";
/// One request or answer of the admin socket, in bytes.
pub const ADMIN_LINE_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take to arrive, and an answer that needs no reload to be given.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Admin connections served at once: a few operators and probes; a further one waits.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;
/// One name in an answer of the admin socket, in bytes; the log has it whole.
pub const ADMIN_NAME_BYTES_MAX: usize = 256;
/// Layers that an answer of the admin socket lists; more are counted.
pub const ADMIN_LAYERS_MAX: usize = 64;

/// Rules that the metrics count by their ids; the rest is counted together. A scraper keeps each
/// for as long as it keeps anything.
pub const METRIC_RULES_MAX: usize = 1_000;
/// Codes of findings that the metrics count apart: there are far fewer, all of them ours.
pub const METRIC_CODES_MAX: usize = 64;
/// The text of all metrics in an answer of the admin socket, in bytes: [`METRIC_RULES_MAX`] rules
/// with long ids, each of which says more than one thing.
pub const METRICS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the sidecar gives its own threads to judge a call that is nobody's before it counts as
/// hung: half of what a probe waits for it.
pub const SELF_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the service manager may take to make room for what it is told: it must not hold us up.
pub const NOTIFY_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections of the admin listener served at once; a further one waits.
pub const ADMIN_HTTP_CONNECTIONS_MAX: usize = 16;

/// Sessions that are remembered, of all users together. Each may hold a few hundred bytes for as
/// long as the log is kept; a further one is refused, since none may be forgotten.
pub const SESSIONS_MAX: usize = 100_000;
/// Sessions of one user, so that one user's agents cannot take the room of all others.
pub const SESSIONS_OF_USER_MAX: usize = 50_000;
/// Files that one prompt may mention with `@`; with more it is refused unread.
pub const MENTIONS_MAX: usize = 4_096;
/// One settings file of a runtime, in bytes. Real ones have some kilobytes.
pub const SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Sessions whose settings are remembered as they began; changes of a further one are refused.
pub const WIRINGS_MAX: usize = 10_000;
/// A name or id in an event, in bytes: a longer one is none that a runtime gives.
pub const EVENT_NAME_BYTES_MAX: usize = 1_024;
/// Calls of one session that are waited for, or whose batch is. A turn has a handful at once; the
/// one that is waited for longest makes room.
pub const CALLS_OF_SESSION_MAX: usize = 1_024;
/// Agents of one session whose permission mode is remembered; a further one has the main thread's.
pub const AGENTS_OF_SESSION_MAX: usize = 64;
/// How long a session may be silent before its calls count as over: no tool runs for a day.
pub const CALL_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often silent sessions are looked for.
pub const CALL_SWEEP: Duration = Duration::from_secs(60);
/// Files of the log that calls under way are looked for in at a start, the newest ones.
pub const CALLS_REBUILD_FILES: usize = 2;
/// How long a session that left nothing to remember keeps its place when places are short: longer
/// than any window that is counted.
pub const SESSION_IDLE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// Labels of one session.
pub const LABELS_OF_SESSION_MAX: usize = 256;
/// One label, in bytes; a longer key stands for every key.
pub const LABEL_BYTES_MAX: usize = 128;
/// Labels that one call may set and take away.
pub const LABELS_OF_CALL_MAX: usize = 64;
/// Limits that one call may draw on.
pub const LIMITS_OF_CALL_MAX: usize = 64;
/// Counts of one session, and of one user over all sessions: as many as a policy may have limits.
pub const COUNTERS_MAX: usize = 4_096;
/// Admitted calls of one session whose end is waited for. A forgotten one proves nothing any more.
pub const PENDING_CALLS_MAX: usize = 256;
/// What one record says of the state of a session, in bytes of JSON. It is never cut, so it must
/// leave room on the line for what is.
pub const STATE_BYTES_MAX: usize = 24 * 1024;
/// Labels of a session that a record lists as they stood before the call, in bytes.
pub const STATE_BEFORE_BYTES_MAX: usize = 4 * 1024;
/// Changes of state after which the whole state is written once more, and how often that is looked
/// at: a start reads no more than two such stretches of the log.
pub const SNAPSHOT_CHANGES: u64 = 10_000;
/// See [`SNAPSHOT_CHANGES`].
pub const SNAPSHOT_CHECK: Duration = Duration::from_secs(60);

/// Bytes of transcripts read for one call. Over it they count as spent until later calls have read
/// the rest.
pub const TRANSCRIPT_READ_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// One line of a transcript, in bytes: it holds a whole tool input or output.
pub const TRANSCRIPT_LINE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Answers of models that are counted in one session; over it the budget counts as spent.
pub const TRANSCRIPT_ANSWERS_MAX: usize = 20_000;
/// Files that the transcript of one session may consist of: one for each subagent.
pub const TRANSCRIPT_FILES_MAX: usize = 1_024;
/// Different models of one session.
pub const TRANSCRIPT_MODELS_MAX: usize = 32;
/// One model's name, in bytes.
pub const TRANSCRIPT_MODEL_BYTES_MAX: usize = 128;
/// Admitted calls after which a transcript that tells of no answer counts as not understood.
pub const TRANSCRIPT_SILENT_CALLS_MAX: u64 = 16;
/// Sessions whose place in their transcript is kept; for another one it is read from its start.
pub const TRANSCRIPT_READERS_MAX: usize = 256;

/// One request of a real client to the doctor's scripted model, in bytes: a whole conversation.
pub const DOCTOR_REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// One settings file of a runtime, in bytes; people write a few kilobytes.
pub const DOCTOR_SETTINGS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long a client may take to say its version: a cold start from a slow disk.
pub const DOCTOR_VERSION_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the doctor's own sidecar may take to listen: it runs the policy's tests first.
pub const DOCTOR_START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take from one turn to the next while its sidecar lives or is gone.
pub const DOCTOR_TURN_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a hook may take to deny while its sidecar is frozen. A runtime waits ten minutes where
/// nothing else is said, and nobody waits that long for the doctor.
pub const DOCTOR_HUNG_TIMEOUT: Duration = Duration::from_secs(120);
/// How often something that the doctor started is looked at.
pub const DOCTOR_POLL: Duration = Duration::from_millis(20);

/// Distinct names that one table of the review counts; an agent chooses most of them.
pub const STATS_KEYS_MAX: usize = 100_000;
/// Calls under way at once that the review joins with their ends.
pub const STATS_PENDING_MAX: usize = 200_000;
/// Rows that one table of the review shows; the rest is one row.
pub const STATS_TOP_MAX: usize = 1_000;
/// Slowest calls that are shown.
pub const STATS_SLOW_ROWS: usize = 100;
/// Calls that are shown as evidence for one candidate of a rule.
pub const STATS_EVIDENCE_ROWS: usize = 3;
/// Denials, findings and sessions that a report holds; its tables show fewer.
pub const REPORT_ROWS_MAX: usize = 200;
/// Indexes of files that are not sealed yet, which the review pages hold while somebody looks, so
/// that a page need not read the files: some ten bytes a record. What is beyond is read.
pub const REVIEW_HELD_BYTES_MAX: usize = 64 << 20;
/// Groups of files that do not change any more, which are remembered beside those indexes: some
/// hundred bytes each.
pub const HELD_GROUPS_MAX: usize = 250_000;
/// How long all questions of one page to the log may take; then the page shows what it has and says
/// that it is not all.
pub const REVIEW_ASK_TIME: Duration = Duration::from_secs(3);
/// How long nobody must have looked at the review pages before what they count is given up.
pub const REVIEW_IDLE: Duration = Duration::from_secs(10 * 60);
/// Connections of the review pages at once; a browser keeps half a dozen. A further one waits.
pub const REVIEW_CONNECTIONS_MAX: usize = 64;
/// How long a browser may take to send the head of a request, or to send another.
pub const REVIEW_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The head of a request to the review pages, in bytes: a filter in an address, and cookies.
pub const REVIEW_HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long one connection of the review pages may last; a live view opens another.
pub const REVIEW_CONNECTION_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Pages that are made at once, each on a thread of its own: deciding has the others.
pub const REVIEW_PAGES_MAX: usize = 2;
/// How long a page may wait for its turn and be made.
pub const REVIEW_PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Live views at once.
pub const REVIEW_LIVE_MAX: usize = 16;
/// How often the log is looked at while somebody looks live.
pub const REVIEW_POLL: Duration = Duration::from_millis(500);
/// How often a live view hears that nothing happened, so that both ends know that they are there.
pub const REVIEW_HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the whole log is verified while somebody looks: it reads every byte.
pub const REVIEW_VERIFY: Duration = Duration::from_secs(10 * 60);
/// How long one question of a page may take that looks into the texts of records, which no index
/// holds; then the page shows what it has and says how far it came.
pub const REVIEW_SEARCH_TIME: Duration = Duration::from_millis(75);
/// Records of one session that its page shows.
pub const REVIEW_SESSION_ROWS_MAX: usize = 1_000;

/// Rows of one index: more than the longest sealed file has, at the size of the least record.
pub const INDEX_ROWS_MAX: usize = 1 << 22;
/// One column of an index, in bytes before compression. A file whose records need more has none.
pub const INDEX_COLUMN_BYTES_MAX: usize = 64 << 20;
/// An index's header: a few numbers, and some 150 bytes for each of 17 columns.
pub const INDEX_HEADER_BYTES_MAX: usize = 64 * 1024;
/// Groups of one question. A log that has more different keys is asked for too much at once.
pub const GROUPS_MAX: usize = 1 << 20;
/// Unreadable lines that are told one by one; of more only the number.
pub const UNREADABLE_TOLD_MAX: usize = 20;
/// How often `audit tail -f` looks for new records: a person sees no delay.
pub const TAIL_POLL: Duration = Duration::from_millis(200);

/// Credentials that the sidecar may bind.
pub const CREDENTIALS_MAX: usize = 256;
/// One secret, in bytes: the longest tokens that servers take in a header.
pub const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;
/// How long a command may take to tell a secret: it may have to ask a server for it.
pub const CREDENTIAL_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the file of a secret is looked at for a change.
pub const CREDENTIAL_POLL: Duration = Duration::from_secs(5);
/// After how long a command is asked for its secret again if nothing is said, in seconds.
pub const CREDENTIAL_REFRESH_SECONDS: u32 = 300;
/// Characters of a placeholder, at least: a shorter one could stand in honest text.
pub const PLACEHOLDER_CHARS_MIN: usize = 16;
/// ... and at most: it is looked for in everything that is sent.
pub const PLACEHOLDER_CHARS_MAX: usize = 256;
/// The head of one request through the proxy, in bytes: a URL of 8,000 that RFC 9112 §3 wants to
/// be taken, cookies and a token.
pub const EGRESS_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Fields of one request through the proxy: browsers send some 25.
pub const EGRESS_FIELDS_MAX: usize = 100;
/// The head of one answer, in bytes: content policies and cookies of a large site take 20 kB.
pub const EGRESS_ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields of one answer: each cookie is one.
pub const EGRESS_ANSWER_FIELDS_MAX: usize = 200;
/// Empty lines before a request line that are passed over (RFC 9112 §2.2 wants at least one).
pub const EGRESS_EMPTY_LINES_MAX: usize = 2;
/// A request method, in bytes: the longest that is registered has 17.
pub const EGRESS_METHOD_BYTES_MAX: usize = 32;
/// Chunk extensions of one body, in bytes together: no client is known to send any, and they are
/// a way to make a reader work for nothing.
pub const EGRESS_CHUNK_EXTENSION_BYTES_MAX: usize = 16 * 1024;
/// The trailer of one body, in bytes: checksums and a status.
pub const EGRESS_TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Connections that a bridge leads at once; a further one waits in the listener's backlog. Each
/// takes two descriptors, and containers often give 20,000.
pub const BRIDGE_CONNECTIONS_MAX: usize = 8_192;
/// How long a bridge waits after it could not take a connection, so that it does not spin.
pub const BRIDGE_ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that a client may send ahead while it is still being answered.
pub const EGRESS_PIPELINED_BYTES_MAX: usize = 64 * 1024;
/// Certificates of opened hosts that are kept; one more begins them anew.
pub const EGRESS_LEAVES_MAX: usize = 1_024;
/// Bytes of a request's body that are held back until they were looked through for secrets; what
/// is beyond them is looked through as it passes.
pub const EGRESS_HELD_BYTES_MAX: usize = 1024 * 1024;
/// What a compressed body may become, in bytes; one that becomes more is refused.
pub const EGRESS_DLP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a body that are looked at once more with what follows: no secret is longer.
pub const EGRESS_DLP_OVERLAP_BYTES: usize = 4 * 1024;

/// Connections of the model's listener at once: a session has a handful.
pub const MODEL_CONNECTIONS_MAX: usize = 1_024;
/// How long the model may be silent: it thinks, and sends a ping now and then.
pub const MODEL_IDLE: Duration = Duration::from_secs(15 * 60);
/// One line of a stream of events, in bytes; of a longer one nothing is read.
pub const MODEL_LINE_BYTES_MAX: usize = 1024 * 1024;
/// An answer that is no stream, in bytes, up to which its usage is read.
pub const MODEL_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A word of an answer that is written down, in bytes: a model's name, an id.
pub const MODEL_WORD_BYTES_MAX: usize = 128;
/// A ClientHello, in bytes: one with a key of post-quantum size and a ticket has 2 to 4 kB.
pub const EGRESS_HELLO_BYTES_MAX: usize = 32 * 1024;
/// Records that one ClientHello may come in: whoever cuts it byte by byte is still understood.
pub const EGRESS_HELLO_RECORDS_MAX: usize = 4096;
/// One question to the DNS stub, in bytes: a name of 255 and what EDNS says beside it.
pub const EGRESS_DNS_QUESTION_BYTES_MAX: usize = 1024;
/// What the DNS stub answers by UDP at most, whatever the client takes: no answer of it is cut on
/// its way (RFC 9715).
pub const EGRESS_DNS_UDP_BYTES_MAX: u16 = 1232;
/// ... and what a client takes that says nothing (RFC 1035 §4.2.1).
pub const EGRESS_DNS_UDP_BYTES_PLAIN: u16 = 512;
/// How long the doctor waits for a proxy, for each step.
pub const DOCTOR_PROXY_TIMEOUT: Duration = Duration::from_secs(3);
/// How much of a proxy's answer the doctor reads, in bytes, before it takes it for no answer.
pub const DOCTOR_PROXY_HEAD_BYTES_MAX: usize = 8 * 1024;
