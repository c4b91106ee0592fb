//! Something that does not agree, or was not believed.

/// One of them, for a record of its own beside that of the event that showed it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which kind of thing.
    pub code: Code,
    /// What of it.
    pub what: Vec<String>,
}

/// Every kind of thing that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The input that ran is another than the one that was judged.
    InputRewritten,
    /// A call ran that no hook was asked about.
    CallWithoutPre,
    /// The model was answered a call that no hook was asked about.
    BatchCallWithoutPre,
    /// A call that was refused ran.
    RanThoughRefused,
    /// A path that a call used leads elsewhere now, where the policy would not have let it.
    PathChanged,
    /// A call was let through, and its end was never told.
    NoEnd,
    /// The runtime asks a person about an input that was not judged.
    QuestionAboutUnjudgedInput,
    /// An output should have been replaced, and the runtime cannot.
    OutputNotRewritten,
    /// The permission mode is another than before.
    PermissionModeChanged,
    /// Text that steers the model came from a file that it must not read.
    InstructionsDenied,
    /// A change of settings would have weakened the wiring.
    ConfigChangeRefused,
    /// Something that loosens came from a sender that is not proven.
    ProofFromUnprovenSender,
    /// A call that nobody admitted would have proved something.
    ProofWithoutAdmittedCall,
    /// There was no room for a proof.
    ProofNotKept,
    /// A transcript tells of less than it did.
    TranscriptRewound,
    /// A session did what cannot be remembered.
    SessionClosed,
    /// The log took no records, and calls were let through as the operator chose.
    LetThroughUnrecorded,
    /// What an agent holds in a secret's stead was on its way to where the secret is not bound.
    SecretMarkerMisdirected,
}

impl Code {
    /// All of them, in the order of the operator's tables.
    pub const ALL: [Code; 18] = [
        Code::InputRewritten,
        Code::CallWithoutPre,
        Code::BatchCallWithoutPre,
        Code::RanThoughRefused,
        Code::PathChanged,
        Code::NoEnd,
        Code::QuestionAboutUnjudgedInput,
        Code::OutputNotRewritten,
        Code::PermissionModeChanged,
        Code::InstructionsDenied,
        Code::ConfigChangeRefused,
        Code::ProofFromUnprovenSender,
        Code::ProofWithoutAdmittedCall,
        Code::ProofNotKept,
        Code::TranscriptRewound,
        Code::SessionClosed,
        Code::LetThroughUnrecorded,
        Code::SecretMarkerMisdirected,
    ];

    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InputRewritten => "input_rewritten",
            Code::CallWithoutPre => "call_without_pre",
            Code::BatchCallWithoutPre => "batch_call_without_pre",
            Code::RanThoughRefused => "ran_though_refused",
            Code::PathChanged => "path_changed",
            Code::NoEnd => "no_end",
            Code::QuestionAboutUnjudgedInput => "question_about_unjudged_input",
            Code::OutputNotRewritten => "output_not_rewritten",
            Code::PermissionModeChanged => "permission_mode_changed",
            Code::InstructionsDenied => "instructions_denied",
            Code::ConfigChangeRefused => "config_change_refused",
            Code::ProofFromUnprovenSender => "proof_from_unproven_sender",
            Code::ProofWithoutAdmittedCall => "proof_without_admitted_call",
            Code::ProofNotKept => "proof_not_kept",
            Code::TranscriptRewound => "transcript_rewound",
            Code::SessionClosed => "session_closed",
            Code::LetThroughUnrecorded => "let_through_unrecorded",
            Code::SecretMarkerMisdirected => "secret_marker_misdirected",
        }
    }

    /// What it means and what was done, for the person who reads the log.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Code::InputRewritten => {
                "what ran is not what was judged: another hook has put another input in its place. \
                 It is judged as it ran; what the policy refuses is withheld"
            }
            Code::CallWithoutPre => {
                "a call ran that no hook was asked about. It is judged as it ran; what the policy \
                 refuses is withheld"
            }
            Code::BatchCallWithoutPre => {
                "the model was answered a call that reached no hook: an unknown tool, or an input \
                 that the runtime itself refused"
            }
            Code::RanThoughRefused => {
                "a call ran though it was refused: something stands between the answer and the \
                 tool. What it brought back is withheld"
            }
            Code::PathChanged => {
                "a path that the call used leads elsewhere now, where the policy refuses it: a \
                 link was turned meanwhile. What it brought back is withheld"
            }
            Code::NoEnd => {
                "a call was let through, or put to a person, and its turn or session ended \
                 without its end: it was interrupted, or the hook was not asked"
            }
            Code::QuestionAboutUnjudgedInput => {
                "the runtime is about to ask a person about an input that was not judged; it is \
                 judged then, and a denial stands"
            }
            Code::OutputNotRewritten => {
                "a rule would have replaced an output, and the runtime has no way to: the model \
                 saw it"
            }
            Code::PermissionModeChanged => {
                "the permission mode is another than before, or a \
                 subagent's is another than the main thread's"
            }
            Code::InstructionsDenied => {
                "a file of instructions, or one that it imports, came before the model, and the \
                 policy refuses its read; the runtime cannot be held back there"
            }
            Code::ConfigChangeRefused => {
                "a change of the runtime's settings would have weakened the wiring, or could not \
                 be looked at; the old settings stay"
            }
            Code::ProofFromUnprovenSender => {
                "an event would have set a proof; anyone with the agent's user id can send \
                 events, so it was dropped"
            }
            Code::ProofWithoutAdmittedCall => {
                "the end of a call that nobody had admitted would have set a proof"
            }
            Code::ProofNotKept => {
                "there was no room for a proof, or the log could not keep its label"
            }
            Code::TranscriptRewound => {
                "a transcript tells of less than before; the most that it ever told counts"
            }
            Code::LetThroughUnrecorded => {
                "the log took no records for a while, and calls went on all the same, as \
                 `on_audit_failure` says. What memory could keep of them stands before this, each \
                 with `late_ms`; how many are lost is told"
            }
            Code::SecretMarkerMisdirected => {
                "a request carried the placeholder of a credential to where its secret is not \
                 bound; it was refused. Somebody tries to send the secret elsewhere, or the \
                 binding misses a host or path"
            }
            Code::SessionClosed => {
                "something happened that could not be remembered; nothing more is let through in \
                 that session"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
    }
}
