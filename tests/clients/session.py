"""One session of the real Claude Code, driven prompt by prompt, offline."""

import json
import subprocess
import threading

import claude
import rig
import script

ANSWER_WAIT_S = 120.0


class Place:
    """The scratch directory of one scene: a workspace, a home, and a model of its own."""

    def __init__(self, tools, directory):
        self.tools = tools
        self.directory = directory
        self.work = directory / "work"
        self.home = directory / "home"
        self.temporary = directory / "tmp"
        for folder in (self.work, self.home / ".claude", self.temporary):
            folder.mkdir(parents=True)
        self.model = script.Model()
        self.sessions = 0
        self.ends = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in reversed(self.ends):
            end()
        self.model.shutdown()
        self.model.server_close()

    def at_end(self, act):
        """What is started is stopped, the last first."""
        self.ends.append(act)

    def settings(self, path, content):
        """Writes a settings file; `path` is relative to the scratch directory."""
        path = self.directory / path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text)
        return path

    def session(self, *argv, settings=None, mode="bypassPermissions", env=None, within=()):
        """Starts the client; `within` is put before it, such as a namespace of its own."""
        self.sessions += 1
        more = list(argv)
        if settings is not None:
            more += ["--settings", self.settings(f"settings-{self.sessions}.json", settings)]
        session = Session(self, f"client-{self.sessions}", more, mode, env or {}, within)
        self.at_end(session.end)
        return session

    def there(self, name):
        """Whether a marker of the workspace is there."""
        return (self.work / name).exists()


class Session:
    """The client's process; prompts go in as lines of JSON and messages come out so."""

    def __init__(self, place, name, argv, mode, env, within):
        self.place = place
        self.messages = []
        self.told = threading.Condition()
        self.log = place.directory / f"{name}.log"
        command = [*map(str, within), str(place.tools.claude), "-p", "--permission-mode", mode]
        command += ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        command += map(str, argv)
        environment = claude.environment(place.home, place.model.url)
        environment["CLAUDE_CODE_TMPDIR"] = environment["TMPDIR"] = str(place.temporary)
        # All tools at once: a deferred one could not be called.
        environment["ENABLE_TOOL_SEARCH"] = "false"
        environment.update(env)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=place.work,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        with self.log.with_suffix(".jsonl").open("wb") as copy:
            for line in self.process.stdout:
                copy.write(line)
                copy.flush()
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                with self.told:
                    self.messages.append(message)
                    self.told.notify_all()
        with self.told:
            self.messages.append(None)
            self.told.notify_all()

    def of_type(self, kind):
        return [message for message in self.messages if message and message.get("type") == kind]

    def play(self, name, prompt=None):
        """Sends a prompt that plays this script, and waits for its result message."""
        before = len(self.of_type("result"))
        text = prompt or f"play:{name}"
        self.say({"type": "user", "message": {"role": "user", "content": text}})
        done = lambda: len(self.of_type("result")) > before or self.ended()
        with self.told:
            if not self.told.wait_for(done, ANSWER_WAIT_S):
                raise rig.RigError(f"no answer to `{text}` after {ANSWER_WAIT_S:.0f} s")
        results = self.of_type("result")
        if len(results) == before:
            said = self.log.read_text(errors="replace")[-500:]
            raise rig.RigError(f"the client ended at `{text}`: {said}")
        return results[before]

    def say(self, message):
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def ended(self):
        return bool(self.messages) and self.messages[-1] is None

    def close(self):
        """No more prompts: the client ends by itself; returns its exit code."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        code = self.process.wait(ANSWER_WAIT_S)
        self.reader.join(rig.STOP_WAIT_S)
        return code

    def end(self):
        """Whatever it does, it is over."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
