//! Variables that change what commands do, and the values of them that do not.
//!
//! An assignment to such a name makes every command that it reaches unknown (policy language
//! §11.8), but for values with which it only prints otherwise.

use super::Walker;
use super::state::State;
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::Verb;
use crate::model::doubt::Doubt;
use crate::model::word::Word as Value;
use crate::shell::vars;

/// Variables that change what commands do, by their beginnings and by name.
const HAZARD_PREFIXES: [&str; 10] = [
    "LD_",
    "GIT_",
    "PYTHON",
    "PERL5",
    "DYLD_",
    "BASH_FUNC_",
    "npm_config_",
    "NPM_CONFIG_",
    "CARGO_BUILD_",
    "CARGO_TARGET_",
];
const HAZARD_NAMES: [&str; 89] = [
    "ALL_PROXY",
    "AWKLIBPATH",
    "AWKPATH",
    "BASHOPTS",
    "BASH_ENV",
    "BAT_PAGER",
    "BROWSER",
    "CARGO",
    "CARGO_HOME",
    "CC",
    "CDPATH",
    "CGO_CFLAGS",
    "CGO_LDFLAGS",
    "CURL_HOME",
    "CXX",
    "DOCKER_HOST",
    "EDITOR",
    "ENV",
    "EXINIT",
    "FZF_DEFAULT_COMMAND",
    "GCONV_PATH",
    "GH_EDITOR",
    "GH_HOST",
    "GH_PAGER",
    "GLOBIGNORE",
    "GNUMAKEFLAGS",
    "GOENV",
    "GOFLAGS",
    "GOPROXY",
    "GOROOT",
    "GRADLE_OPTS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "IFS",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "KUBECTL_EXTERNAL_DIFF",
    "KUBE_EDITOR",
    "LESS",
    "LESSCLOSE",
    "LESSOPEN",
    "MAKEFILES",
    "MAKEFLAGS",
    "MANOPT",
    "MANPAGER",
    "MAVEN_OPTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NO_PROXY",
    "PAGER",
    "PATH",
    "PIP_CONFIG_FILE",
    "PROMPT_COMMAND",
    "PS4",
    "PSQLRC",
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
    "RIPGREP_CONFIG_PATH",
    "RSYNC_CONNECT_PROG",
    "RSYNC_RSH",
    "RUBYLIB",
    "RUBYOPT",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTFMT",
    "SHELL",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "SSLKEYLOGFILE",
    "SUDO_ASKPASS",
    "SYSTEMD_PAGER",
    "TAR_OPTIONS",
    "TF_CLI_CONFIG_FILE",
    "TF_LOG_PATH",
    "VIMINIT",
    "VISUAL",
    "WGETRC",
    "XDG_CONFIG_HOME",
    "YARN_NPM_REGISTRY_SERVER",
    "ZIPOPT",
    "_JAVA_OPTIONS",
    "all_proxy",
    "http_proxy",
    "https_proxy",
];

fn is_hazard_name(name: &str) -> bool {
    HAZARD_NAMES.contains(&name)
        || HAZARD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        // Where packages come from, and who speaks for them.
        || ["_PROXY", "_INDEX_URL", "_ENDPOINT_URL"].iter().any(|end| name.ends_with(end))
}

impl Walker<'_> {
    /// An assignment that changes what later commands do is a doubt on each, and an access itself.
    pub(super) fn note_hazard(&mut self, name: &str, value: &vars::Value, state: &mut State) {
        if !is_hazard_name(name) {
            return;
        }
        if let ("CARGO_TARGET_DIR", vars::Value::Texts(texts)) = (name, value) {
            let word = Value::one_of(texts.clone());
            self.word(Kind::Write, &word, state, None);
        }
        let harmless = match value {
            vars::Value::Texts(texts) => {
                texts.iter().all(|text| self.is_harmless_value(name, text, state))
            }
            vars::Value::Array(_) | vars::Value::Unknown(_) => false,
        };
        if !harmless {
            let doubt = Doubt::HazardAssignment(name.to_owned());
            state.hazard(doubt.clone());
            self.unknown(Verb::Exec, doubt);
        }
    }

    fn is_harmless_value(&self, name: &str, text: &str, state: &State) -> bool {
        match name {
            "PYTHONUNBUFFERED"
            | "PYTHONDONTWRITEBYTECODE"
            | "PYTHONIOENCODING"
            | "PYTHONHASHSEED" => true,
            _ if name.ends_with("PAGER") => text == "cat" || text.is_empty(),
            _ if name.ends_with("EDITOR") || name == "VISUAL" => text == "true" || text == ":",
            "LESS" => text.starts_with('-') && !text.contains(['+', '!']),
            "BROWSER" => matches!(text, "" | "none" | "true" | "false"),
            "CC" | "CXX" => matches!(text, "cc" | "gcc" | "clang" | "c++" | "g++" | "clang++"),
            "GOPROXY" => matches!(text, "direct" | "off" | ""),
            "GRADLE_OPTS" | "MAVEN_OPTS" | "JAVA_OPTS" => {
                text.split_whitespace().all(is_plain_java)
            }
            // Who made a commit, and when.
            _ if name.starts_with("GIT_AUTHOR_") || name.starts_with("GIT_COMMITTER_") => true,
            "RUSTFLAGS" => are_lints(text),
            "NODE_OPTIONS" => text.split_whitespace().all(is_harmless_to_node),
            // Where it writes is judged as a write.
            "CARGO_TARGET_DIR" => true,
            "GIT_TRACE" => matches!(text, "0" | "1" | "2"),
            "GIT_TERMINAL_PROMPT" | "GIT_OPTIONAL_LOCKS" => matches!(text, "0" | "1"),
            "PYTHONPATH" => text.split(':').all(|part| {
                let path = paths::target(part, state.directory(), self.place);
                path.is_ok_and(|path| path.written.is_within(self.place.workspace))
            }),
            _ => false,
        }
    }
}

/// `-D warnings`, `-Awarnings`: how strict rustc is, and nothing else.
fn are_lints(text: &str) -> bool {
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let Some(rest) = ["-D", "-W", "-A", "-F"].iter().find_map(|flag| word.strip_prefix(flag))
        else {
            return false;
        };
        let lint = if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
        if !lint.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:".contains(&b)) {
            return false;
        }
    }
    true
}

fn is_harmless_to_node(word: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    ["--max-old-space-size=", "--max_old_space_size="]
        .iter()
        .any(|option| word.strip_prefix(option).is_some_and(number))
        || matches!(
            word,
            "--no-warnings"
                | "--enable-source-maps"
                | "--experimental-vm-modules"
                | "--trace-warnings"
                | "--trace-deprecation"
                | "--no-deprecation"
        )
}

/// How much memory, and properties: no agent, and nothing that runs on an error.
fn is_plain_java(word: &str) -> bool {
    word.starts_with("-Xm") || word.starts_with("-Xs") || word.starts_with("-D")
}
