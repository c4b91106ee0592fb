"""Codex with toolgate as its hook: what is denied, what runs, and what comes back."""

import os
import secrets
import sys
import threading

import codex
import codex_canaries
import rig
import sdk_place

# Long enough for a debug build on a busy machine.
DEADLINE_MS = 20_000
# The managed settings, in a mount namespace of their own: this machine's /etc stays as it is.
OVER_ETC = """\
mount -t tmpfs none "$1" && mkdir "$1/new" "$1/work" && cp -R "$2" "$1/new/codex" &&
mount -t overlay -o "lowerdir=/etc,upperdir=$1/new,workdir=$1/work" overlay /etc &&
shift 2 && exec "$@"
"""


def parts():
    """The parts of this file's claims, each a function of a place and a check."""
    yield calls
    yield script_calls
    yield other_tools
    yield mcp_tools
    yield where_it_runs
    yield left_running
    yield left_running_by_default
    yield outputs
    yield script_outputs
    yield asked
    yield rewritten
    yield managed
    yield own_settings
    yield subagents
    yield resumed
    yield large


def wire(sidecar, deadline_ms=DEADLINE_MS):
    """Hooks for every event, as a hooks.json, where a case wants other ones than `init` writes."""
    handler = codex.handler(*sidecar.hook("codex", deadline_ms))
    return codex.every(codex.EVENTS, handler)


def start(place, *turns, deadline_ms=DEADLINE_MS, **configured):
    """A sidecar, and a model whose client is wired to it by `toolgate init codex`."""
    sidecar = sdk_place.Sidecar(place).start()
    model = codex.model(*turns)
    place.home.configure(model, None, **configured)
    if init(place, sidecar, "--yes", "--deadline", deadline_ms) is None:
        place.home.configure(model, wire(sidecar, deadline_ms), **configured)
    return sidecar, model


def init(place, sidecar, *options):
    """What `toolgate init codex` says; None of a toolgate that has no `init` yet."""
    argv = [sidecar.toolgate, "init", "codex", "--socket", sidecar.socket, *options]
    argv += ["--server-uid", os.getuid(), "--no-client-check"]
    code, out, error = rig.run(argv, env=place.home.environment(), cwd=place.work)
    if "unrecognized subcommand" in error:
        return None
    if code != 0:
        raise rig.RigError(f"init: {error}")
    return out


def probe():
    """The configuration of an MCP server that says what it is told."""
    return (
        f'[mcp_servers.probe]\ncommand = "{sys.executable}"\n'
        f'args = ["{codex_canaries.MCP_SERVER}"]\n'
    )


def calls(place, check):
    """One call of each kind, by a model that is given its tools one by one."""
    home = place.home
    outside = place.directory / "outside"
    turns = [
        [codex.shell("touch allowed")],
        [codex.shell("touch forbidden")],
        [codex.shell(f"touch {outside}")],
        [codex.shell("sh -c 'touch forbidden'")],
        [codex.shell("touch first"), codex.shell("touch forbidden-too")],
        [codex.shell("cat no-such-file")],
    ]
    sidecar, model = start(place, *turns)
    with model:
        done = home.exec()
    check("calls.ends-well", done.returncode == 0 and model.end in done.stdout, done.stderr)
    check("calls.allowed", home.there("allowed"), model.outputs)
    for number, marker in ((1, "forbidden"), (2, outside), (3, "forbidden"), (4, "forbidden-too")):
        check(f"calls.denied-{number}", not home.there(marker), model.outputs)
    told = model.outputs.get("call_00_001_00", "")
    check("calls.denied-1.told", "blocked by PreToolUse hook" in told, told)
    check("calls.side-by-side", home.there("first"), model.outputs)
    effects = [record["decision"]["effect"] for record in sidecar.records("--kind", "tool.pre")]
    wanted = ["allow", "deny", "deny", "deny", "allow", "deny", "allow"]
    check("calls.records", sorted(effects) == sorted(wanted), effects)
    code, out, _ = rig.run([sidecar.toolgate, "audit", "verify", "--audit", sidecar.audit])
    check("calls.log-verifies", code == 0, out)


def script_calls(place, check):
    """The same for calls that a script of the model makes."""
    text = "let told = []; for (const c of ['touch allowed', 'touch forbidden', 'touch later']) {"
    text += " try { await tools.exec_command({cmd: c}); } catch (e) { told.push(`${e}`); } }"
    text += " text(told.join());"
    _, model = start(place, [codex.script(text)], name=codex.SCRIPT_MODEL)
    with model:
        place.home.exec()
    there = [name for name in ("allowed", "forbidden", "later") if place.home.there(name)]
    check("script.calls", there == ["allowed", "later"], f"{there}: {model.outputs}")
    check("script.told", "blocked by PreToolUse hook" in str(model.outputs), model.outputs)


def other_tools(place, check):
    """What is not a command: patches, images, MCP tools, and what nobody knows."""
    outside = place.directory / "outside.txt"
    turns = [
        [codex.patch("*** Add File: patched.txt\n+text")],
        [codex.patch(f"*** Add File: {outside}\n+text")],
        [codex.patch("*** Add File: forbidden.txt\n+text\n*** Add File: ../up.txt\n+text")],
        [codex.shell(f"apply_patch <<'E'\n*** Begin Patch\n*** Add File: {outside}\n+t\n"
                     "*** End Patch\nE")],
        [{"name": "view_image", "arguments": {"path": "/etc/hostname"}}],
    ]  # fmt: skip
    _, model = start(place, *turns)
    with model:
        place.home.exec()
    check("tools.patch", place.home.there("patched.txt"), model.outputs)
    check("tools.patch-outside", not outside.exists(), model.outputs)
    check("tools.patch-up", not (place.work.parent / "up.txt").exists(), model.outputs)
    told = model.outputs.get("call_00_004_00", "")
    check("tools.image-outside", "blocked by PreToolUse hook" in told, told)


def mcp_tools(place, check):
    """What an MCP server offers."""
    turns = [
        [{"name": "echo", "namespace": "mcp__probe", "arguments": {"text": "mcp-ran"}}],
        [{"name": "read_mcp_resource", "arguments": {"server": "probe", "uri": "probe://a"}}],
    ]
    _, model = start(place, *turns, extra=probe(), name=codex.UNKNOWN_MODEL)
    with model:
        place.home.exec()
    told = model.outputs.get("call_00_000_00", "")
    check("tools.mcp", "mcp-ran" in told and "blocked" not in told, told)
    told = model.outputs.get("call_00_001_00", "")
    check("tools.mcp-resource", "blocked by PreToolUse hook" in told, told)


def where_it_runs(place, check):
    """A command may have a directory and a shell of its own."""
    other = place.directory / "other"
    other.mkdir()
    evil = place.work / "evil"
    evil.write_text("#!/bin/sh\necho taken > taken\n")
    evil.chmod(0o755)
    turns = [
        [codex.shell("touch elsewhere", workdir=str(other))],
        [codex.shell("echo harmless", shell=str(evil))],
    ]
    _, model = start(place, *turns)
    with model:
        place.home.exec()
    check("where.directory", not (other / "elsewhere").exists(), model.outputs)
    check("where.shell", not place.home.there("taken"), model.outputs)


def left_running(place, check):
    """A program that is left running is typed into without a hook: it must not be a shell."""
    type_ = {
        "name": "write_stdin",
        "arguments": {"session_id": "$SESSION", "chars": "touch forbidden\n"},
    }
    turns = [[codex.shell("sh", tty=True, yield_time_ms=500)], [type_]]
    _, model = start(place, *turns)
    with model:
        place.home.exec()
    check("running.shell", not place.home.there("forbidden"), model.outputs)


def left_running_by_default(place, check):
    """The same under the policy that toolgate brings along, which denies `cat .env`."""
    secret = secrets.token_hex(16)
    (place.work / ".env").write_text(f"TOKEN={secret}\n")
    sidecar = sdk_place.Sidecar(place, rig.REPOSITORY / "policies" / "default.toml").start()
    for name, program in (("shell", "sh"), ("bash", "bash"), ("bash-script", "bash /dev/stdin")):
        type_ = {"session_id": "$SESSION", "chars": "cat .env\n", "yield_time_ms": 2000}
        turns = [
            [codex.shell("cat .env")],
            [codex.shell(program, tty=True, yield_time_ms=1000)],
            [{"name": "write_stdin", "arguments": type_}],
        ]
        with codex.model(*turns) as model:
            place.home.configure(model, wire(sidecar))
            place.home.exec()
            told = model.outputs
            check(f"running.default.{name}", secret not in model.said_to_model(), told)
        check(f"running.default.{name}.denied", "blocked" in told["call_00_000_00"], told)


class Secrets:
    """What no tool may bring back, each in a file of the workspace."""

    def __init__(self, place):
        self.redacted = f"RED-{secrets.token_hex(16)}"
        self.withheld = f"DEN-{secrets.token_hex(16)}"
        (place.work / "redacted.txt").write_text(f"before {self.redacted} after\n")
        (place.work / "withheld.txt").write_text(f"before {self.withheld} after\n")


def outputs(place, check):
    """Secrets in what a tool brings back."""
    secret = Secrets(place)
    sidecar = None

    def dies():
        threading.Timer(0.5, sidecar.kill).start()
        return [codex.shell("sleep 1; cat plain.txt")]

    (place.work / "plain.txt").write_text("while-nobody-looks\n")
    turns = [
        [codex.shell("cat redacted.txt")],
        [codex.shell("cat withheld.txt")],
        [codex.shell("cat redacted.txt; cat no-such-file")],
        dies,
    ]
    sidecar, model = start(place, *turns)
    with model:
        place.home.exec()
    told = [str(model.outputs.get(f"call_00_{number:03}_00")) for number in range(4)]
    said = model.said_to_model()
    check("outputs.redacted", secret.redacted not in said, told[0])
    check("outputs.redacted.rest", "before" in told[0] and "after" in told[0], told[0])
    check("outputs.withheld", secret.withheld not in said, told[1])
    check("outputs.withheld.all", "before" not in told[1], told[1])
    check("outputs.failed-command", secret.redacted not in told[2], told[2])
    check("outputs.nobody-looks", "while-nobody-looks" not in said, told[3])
    log = "".join(file.read_text(errors="replace") for file in sidecar.audit.rglob("*.jsonl"))
    for name, text in (("redacted", secret.redacted), ("withheld", secret.withheld)):
        check(f"outputs.log.{name}", log and text not in log, f"`{text}` is in the log")


def script_outputs(place, check):
    """The same for what a script's calls bring back, and for an MCP tool's."""
    secret = Secrets(place)
    text = "let told = []; for (const c of ['cat redacted.txt', 'cat withheld.txt']) {"
    text += " try { told.push((await tools.exec_command({cmd: c})).output); }"
    text += " catch (e) { told.push(`${e}`); } }"
    text += " try { told.push(await tools.mcp__probe__echo({text: 'RED-' + 'ab'.repeat(16)})); }"
    text += " catch (e) { told.push(`${e}`); } text(JSON.stringify(told));"
    _, model = start(place, [codex.script(text)], name=codex.SCRIPT_MODEL, extra=probe())
    with model:
        place.home.exec()
    told = str(model.outputs)
    check("script.redacted", secret.redacted not in told and "before" in told, told)
    check("script.withheld", secret.withheld not in told, told)
    check("script.redacted-mcp", f"RED-{'ab' * 16}" not in told, told)


def asked(place, check):
    """An ask has nobody to ask in Codex; a denial holds where a person may be asked."""
    up = {"sandbox_permissions": "require_escalated"}
    turns = [
        [codex.shell("touch ci/x")],
        [codex.shell("touch forbidden", **up)],
        [codex.shell("touch allowed", **up)],
    ]
    (place.work / "ci").mkdir()
    sidecar, model = start(place, *turns)
    with model, codex.Server(place.home) as server:
        server.play(place.home, reply="decline")
        check("asked.ask-is-no", not place.home.there("ci/x"), model.outputs)
        check("asked.denied", not place.home.there("forbidden"), model.outputs)
        asked_for = [method for method in server.asked if "requestApproval" in method]
        check("asked.person", len(asked_for) == 1 and not place.home.there("allowed"), asked_for)
        place.home.configure(model, wire(sidecar))
    sidecar.kill()
    with codex.model([codex.shell("touch allowed", **up)]) as model:
        place.home.configure(model, wire(sidecar))
        with codex.Server(place.home) as server:
            server.play(place.home)
        check("asked.nobody-there", not place.home.there("allowed"), model.outputs)


def rewritten(place, check):
    """Another hook that rewrites after the approval is found in the log."""
    table = codex_canaries.table()
    other = {"PreToolUse:rewritten-after": {"print": ["$rewrite"]}}
    handler = codex_canaries.Table(place, table, "other", other).handler()
    sidecar, model = start(place, [codex.shell("touch case-rewritten-after")])
    hooks = wire(sidecar)
    hooks["PreToolUse"].append({"hooks": [handler]})
    with model:
        place.home.configure(model, hooks)
        place.home.exec()
    check("rewritten.ran", place.home.there("rewritten"), model.outputs)
    findings = sidecar.findings()
    check("rewritten.found", "input_rewritten" in findings, findings)


def own_settings(place, check):
    """The agent edits the settings of its own client, here inside the workspace it may write to."""
    folder = place.work / ".codex"
    folder.mkdir()
    off = "[features]\nhooks = false\n"
    turns = [
        [codex.shell("echo hooks > .codex/hooks.json")],
        [codex.shell("touch .codex/config.toml")],
        [codex.patch(f"*** Add File: .codex/config.toml\n+{off.replace(chr(10), chr(10) + '+')}")],
        [codex.shell(f"echo x >> {place.home.codex}/config.toml")],
        [codex.shell(f"touch {place.home.hooks_file}")],
    ]
    sidecar, model = start(place, *turns)
    before = place.home.hooks_file.stat().st_mtime_ns
    with model:
        place.home.exec()
    left = [path.name for path in folder.iterdir()]
    check("own-settings.project", not left, f"{left}: {model.outputs}")
    check("own-settings.user", place.home.hooks_file.stat().st_mtime_ns == before, model.outputs)
    denied = sidecar.records("--kind", "tool.pre", "--decision", "deny")
    check("own-settings.denied", len(denied) == len(turns), len(denied))


def subagents(place, check):
    """A subagent's calls are judged as its master's are."""
    spawn = {
        "name": "spawn_agent",
        "namespace": "multi_agent_v1",
        "arguments": {"message": "SUBTASK", "agent_type": "default"},
    }
    sub = [[codex.shell("touch allowed-by-sub")], [codex.shell("touch forbidden-by-sub")]]
    sidecar = sdk_place.Sidecar(place, sdk_place.HERE / "sdk_policy_agents.toml").start()
    turns = [[spawn], [codex.shell("sleep 3")]]
    with codex.model(*turns, threads={"SUBTASK": sub}) as model:
        place.home.configure(model, wire(sidecar), name=codex.UNKNOWN_MODEL)
        place.home.exec()
    there = [name for name in ("allowed-by-sub", "forbidden-by-sub") if place.home.there(name)]
    check("subagent.calls", there == ["allowed-by-sub"], f"{there}: {model.outputs}")
    agents = {record["agent"]["kind"] for record in sidecar.records("--kind", "tool.pre")}
    check("subagent.records", agents == {"main", "default"}, agents)


def resumed(place, check):
    """A session that is taken up again is judged as a new one."""
    sidecar, model = start(place, [codex.shell("touch allowed")])
    with model:
        place.home.exec()
        model.go_on([codex.shell("touch forbidden")], [codex.shell("touch later")])
        place.home.resume()
    there = [name for name in ("allowed", "forbidden", "later") if place.home.there(name)]
    check("resumed.calls", there == ["allowed", "later"], f"{there}: {model.outputs}")
    sessions = {record["session"] for record in sidecar.records("--kind", "tool.pre")}
    check("resumed.session", len(sessions) == 1, sessions)


def large(place, check):
    """An input of 4.8 MB is judged whole."""
    text = "x" * 4_800_000
    call = {"name": "echo", "namespace": "mcp__probe"}
    turns = [
        [call | {"arguments": {"text": text}}],
        [{"name": "delete", "namespace": "mcp__probe", "arguments": {"text": text}}],
    ]
    _, model = start(place, *turns, extra=probe(), name=codex.UNKNOWN_MODEL)
    with model:
        place.home.exec()
    told = model.outputs.get("call_00_000_00", "")
    check("large.allowed", "xxxx" in told and "blocked" not in told, told)


def managed(place, check):
    """Wired in /etc/codex, nothing of the user's or of the project's switches it off."""
    if os.getuid() != 0:
        raise rig.RigError("needs root, for a mount namespace")
    sidecar, model = start(place, [codex.shell("touch forbidden"), codex.shell("touch allowed")])
    etc = place.directory / "etc-codex"
    memory = place.directory / "memory"
    etc.mkdir()
    memory.mkdir()
    printed = init(place, sidecar, "--managed", "--print")
    (etc / "requirements.toml").write_text(printed or requirements(wire(sidecar)))
    shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OVER_ETC, "sh"]
    off = "[features]\nhooks = false\n"
    trusted = f'[projects."{place.work}"]\ntrust_level = "trusted"\n'
    (place.work / ".codex").mkdir()
    (place.work / ".codex" / "config.toml").write_text(off)
    with model:
        place.home.configure(model, None, extra=off + trusted)
        place.home.exec("--disable", "hooks", within=[*shell, memory, etc])
    check("managed.denied", not place.home.there("forbidden"), model.outputs)
    check("managed.allowed", place.home.there("allowed"), model.outputs)


def requirements(hooks):
    """The managed form of a hooks.json, and what keeps it from being switched off."""
    lines = ["allow_managed_hooks_only = true", "[features]", "hooks = true"]
    for event, groups in hooks.items():
        for group in groups:
            lines.append(f"[[hooks.{event}]]")
            for handler in group["hooks"]:
                lines.append(f"[[hooks.{event}.hooks]]")
                lines.append('type = "command"')
                lines.append(f"command = '''{handler['command']}'''")
                lines.append(f"timeout = {handler['timeout']}")
    return "\n".join(lines) + "\n"
