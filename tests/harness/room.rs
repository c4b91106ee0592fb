//! A small file system of its own, which is really full when it is full.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A shell in a mount namespace of its own, where it is root and has a small file system; it ends
/// with its standard input.
pub struct Room {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Room {
    /// With so much room, as `mount` understands it.
    pub fn with_disk(at: &Path, size: &str) -> Room {
        let mut shell = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`unshare` of util-linux is needed, and user namespaces");
        let input = shell.stdin.take().unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        let mut room = Room { shell, input, output };
        let at = at.display();
        let made = room.says(&format!("mount -t tmpfs -o size={size},mode=700 none '{at}'"));
        assert_eq!(made, "0", "no file system can be mounted in a user namespace here");
        room
    }

    /// Runs a line, and gives its exit code.
    pub fn says(&mut self, line: &str) -> String {
        writeln!(self.input, "{{ {line}; }} >&2; echo $?").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// A command that enters it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        let shell = self.shell.id().to_string();
        command.args(["--target", &shell, "--user", "--mount", "--preserve-credentials"]);
        command.arg("--").arg(env!("CARGO_BIN_EXE_toolgate"));
        command
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
