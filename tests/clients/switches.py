"""The canaries of claude.toml's section 1.5: who can switch hooks off, and managed settings."""

import functools
import json
import sys
import time

import behaviour
import namespace
import rig
import scene
import script

RELOAD_WAIT_S = 20.0
# A change that was taken would be in force by then.
RELOAD_AGAIN_S = 4.0
CALL = "touch case-switch"
ALLOW = {"print": [behaviour.table()["answers"]["allow"]]}
DENY = {"print": [behaviour.table()["answers"]["deny"]], "exit": 2}
DISABLE = {"disableAllHooks": True}


def scenes():
    data = behaviour.table()
    for row in data["switch"]:
        name = f"client.switch.{row['id']}"
        yield scene.Scene(name, functools.partial(play, row))
    for row in data["extra"]:
        act = globals()[row["id"].replace("-", "_")]
        yield scene.Scene(f"client.extra.{row['id']}", act)


def hooks(place, *behaviours, first=0, events=("PreToolUse",), on_failure="block"):
    """Hooks in exec form, which do so for the one call; the index tells them apart."""
    table = place.directory / "table.json"
    table.write_text(json.dumps({"switch": behaviours}))
    handlers = [
        {
            "type": "command",
            "command": sys.executable,
            "args": [str(behaviour.FIXTURES / "hook.py"), str(table), str(index)],
            "timeout": behaviour.HOOK_TIMEOUT_S,
            "onFailure": on_failure,
        }
        for index in range(first, len(behaviours))
    ]
    return {event: [{"matcher": "*", "hooks": handlers}] for event in events}


def play(row, place, check):
    """One row: the hook's place, what is against it, and whether it still denies."""
    events = ("PreToolUse", "ConfigChange")
    wiring = {"hooks": hooks(place, DENY, events=events), **row.get("settings", {})}
    files = {
        "project": "work/.claude/settings.json",
        "local": "work/.claude/settings.local.json",
        "user": "home/.claude/settings.json",
    }
    argv, within = list(row.get("argv", [])), []
    where = row["hooks_in"]
    for source, path in files.items():
        if source == where or source in row:
            place.settings(path, (wiring if source == where else {}) | row.get(source, {}))
    if where == "plugin":
        argv += ["--plugin-dir", plugin(place, wiring)]
    elif where == "managed":
        within = namespace.managed(place, wiring)
    elif where == "managed.d":
        within = namespace.managed(place, wiring, "managed-settings.d/50-guard.json")
    flag = wiring if where == "flag" else row.get("flag")
    session = place.session(*argv, settings=flag, within=within)
    if "agent" in row:
        overwrite(place, session, place.directory / files[row["agent"]], row, check)
    tries = RELOAD_WAIT_S if "agent" in row and not row["fires"] else 0
    fired = denies(place, session, tries)
    check("fires" if row["fires"] else "does-not-fire", fired == row["fires"], f"fires: {fired}")


def overwrite(place, session, path, row, check):
    """The agent writes a settings file, and the client reads it again."""
    place.model.script("edit", script.turn(script.write(path, json.dumps(DISABLE))))
    session.play("edit")
    told = place.model.result("edit")
    check("agent-may-write", told and not told[0], told)
    if row["fires"]:
        events = place.directory / "table.json.events.jsonl"
        noted = lambda: events.exists() and '"ConfigChange"' in events.read_text()
        rig.wait_for("the client's notice of its settings", noted, session.process, RELOAD_WAIT_S)


def denies(place, session, seconds):
    """Whether the call is denied, and still is after so long."""
    patience = time.monotonic() + seconds
    number = 0
    while True:
        name = f"try-{number}"
        place.model.script(name, script.turn(script.bash(CALL)))
        session.play(name)
        if place.there("case-switch"):
            return False
        if time.monotonic() > patience:
            told = place.model.result(name)
            return bool(told and told[0] and "no-by-json" in told[1])
        time.sleep(0.5)
        number += 1


def plugin(place, wiring):
    folder = place.directory / "plugin"
    manifest = {"name": "guard", "version": "1.0.0", "description": "a hook"}
    place.settings("plugin/.claude-plugin/plugin.json", manifest)
    place.settings("plugin/hooks/hooks.json", {"hooks": wiring["hooks"]})
    return folder


def config_change(place, check):
    """The flag's hooks have no explicit `disableAllHooks: false`, and refuse the change."""
    wiring = {"hooks": hooks(place, DENY, events=("PreToolUse", "ConfigChange"))}
    refuse = {"switch": [DENY], "ConfigChange": [{"exit": 2, "stderr": "no"}]}
    (place.directory / "table.json").write_text(json.dumps(refuse))
    session = place.session(settings=wiring)
    file = place.directory / "work/.claude/settings.json"
    overwrite(place, session, file, {"fires": True}, check)
    check("hook-still-denies", denies(place, session, RELOAD_AGAIN_S), "it was switched off")


def only_managed_hooks(place, check):
    """The flag's and the user's hooks would rewrite; a managed one looks on."""
    rewrite = {"print": [behaviour.answer("rewrite_allow", "case-switch")]}
    all_hooks = hooks(place, ALLOW, rewrite)
    first, second = all_hooks["PreToolUse"][0]["hooks"]
    one = lambda handler: {"PreToolUse": [{"matcher": "*", "hooks": [handler]}]}
    wiring = {"allowManagedHooksOnly": True, "hooks": one(first)}
    place.settings("home/.claude/settings.json", {"hooks": one(second)})
    within = namespace.managed(place, wiring)
    session = place.session(settings={"hooks": one(second)}, within=within)
    place.model.script("try", script.turn(script.bash(CALL)))
    session.play("try")
    files = sorted(path.name for path in place.work.glob("case-*"))
    check("rewrite-did-not-happen", files == ["case-switch"], files)
    events = (place.directory / "table.json.events.jsonl").read_text().splitlines()
    heard = [json.loads(line)["index"] for line in events]
    check("managed-hook-alone-was-asked", heard == [0], heard)


def skill_hooks_not_managed(place, check):
    """A skill brings a hook that denies: without the managed key it does, with it it does not."""
    table = hooks(place, DENY)["PreToolUse"][0]["hooks"][0]
    line = " ".join([table["command"], *table["args"]])
    front = "hooks:\n  PreToolUse:\n    - matcher: Bash\n      hooks:\n"
    front += f"        - type: command\n          command: {json.dumps(line)}\n"
    skill(place, "hooked", "Say hello.", front)
    turns = [
        script.turn({"name": "Skill", "input": {"skill": "hooked"}}),
        script.turn(script.bash(CALL)),
    ]
    place.model.script("free", *turns)
    place.session().play("free")
    told = place.model.result("free", 1)
    check("without-it-the-hook-denies", told and told[0] and "no-by-json" in told[1], told)
    place.model.script("managed", *turns)
    within = namespace.managed(place, {"allowManagedHooksOnly": True})
    place.session(within=within).play("managed")
    told = place.model.result("managed", 1)
    check("with-it-the-hook-is-not-asked", place.there("case-switch"), told)


def skill(place, name, text, front=""):
    path = f"work/.claude/skills/{name}/SKILL.md"
    place.settings(path, f"---\nname: {name}\ndescription: a skill\n{front}---\n\n{text}\n")


def skill_shell(place, check):
    """Inline shell of a skill runs before any hook is asked, unless settings forbid it."""
    forbid = {"disableSkillShellExecution": True}
    skill(place, "inline", "Now: !`touch inline-ran`")

    def ran(name, **options):
        place.model.script(name, script.turn({"name": "Skill", "input": {"skill": "inline"}}))
        place.session(**options).play(name)
        marker = place.work / "inline-ran"
        happened = marker.exists()
        marker.unlink(missing_ok=True)
        return happened

    check("without-it-the-shell-runs", ran("free"), "it did not run")
    check("managed", not ran("managed", within=namespace.managed(place, forbid)), "it ran")
    place.settings("work/.claude/settings.json", {"disableSkillShellExecution": False})
    check("flag-against-project", not ran("flag", settings=forbid), "it ran")
    place.settings("home/.claude/settings.json", forbid)
    check("user-against-project-does-not-hold", ran("user"), "it did not run")


def no_bypass(place, check):
    """Nobody says yes, and the mode that needs no yes is not to be had."""
    forbid = {"permissions": {"disableBypassPermissionsMode": "disable"}}
    session = place.session(within=namespace.managed(place, forbid))
    place.model.script("try", script.turn(script.bash(CALL)))
    try:
        session.play("try")
    except rig.RigError as error:
        check("call-does-not-run", not place.there("case-switch"), error)
        return
    told = place.model.result("try")
    check("call-does-not-run", told and told[0] and not place.there("case-switch"), told)


def unparsable(place, check):
    session = place.session(within=namespace.managed(place, '{"hooks": '))
    place.model.script("try", script.turn(script.bash(CALL)))
    try:
        session.play("try")
    except rig.RigError:
        pass
    code = session.close()
    check("exit-1", code == 1, f"exit code {code}")
    check("call-does-not-run", not place.there("case-switch"), "it ran")


def invalid_entry(place, check):
    """Of two managed hooks one has a timeout that is none: the client does not start at all."""
    wiring = hooks(place, DENY, ALLOW)
    wiring["PreToolUse"][0]["hooks"][0]["timeout"] = "soon"
    session = place.session(within=namespace.managed(place, {"hooks": wiring}))
    place.model.script("try", script.turn(script.bash(CALL)))
    try:
        session.play("try")
    except rig.RigError:
        pass
    code = session.close()
    check("does-not-start", code == 1, f"exit code {code}")
    check("call-does-not-run", not place.there("case-switch"), "it ran")
    check("stderr-tells", "timeout" in session.log.read_text(), session.log.read_text())


def invalid_neighbour(place, check):
    """A good hook stands beside one that cannot be loaded, of the same event and file."""
    wiring = hooks(place, DENY, DENY)
    good, bad = wiring["PreToolUse"][0]["hooks"]
    bad["timeout"] = "soon"
    wiring["PreToolUse"] = [{"matcher": "*", "hooks": [handler]} for handler in (good, bad)]
    beside(place, check, "same-event", wiring, runs=True)
    other = {"PreToolUse": wiring["PreToolUse"][:1], "PostToolUse": wiring["PreToolUse"][1:]}
    beside(place, check, "other-event", other, runs=False)


def beside(place, check, name, wiring, runs):
    """The same in `--settings` and in the user's file."""
    file = place.directory / "home/.claude/settings.json"
    for where in ("flag", "user"):
        file.unlink(missing_ok=True)
        if where == "user":
            place.settings(file, {"hooks": wiring})
        session = place.session(settings={"hooks": wiring} if where == "flag" else None)
        marker = place.work / "case-switch"
        marker.unlink(missing_ok=True)
        place.model.script(f"{name}-{where}", script.turn(script.bash(CALL)))
        session.play(f"{name}-{where}")
        what = "runs" if runs else "is-denied"
        check(f"{name}.{where}.{what}", marker.exists() == runs, f"ran: {marker.exists()}")


def invalid_matcher(place, check):
    """An invalid regular expression matches nothing, in managed settings too, in silence."""
    wiring = hooks(place, DENY)
    wiring["PreToolUse"][0]["matcher"] = "Bash("
    session = place.session(within=namespace.managed(place, {"hooks": wiring}))
    place.model.script("try", script.turn(script.bash(CALL)))
    session.play("try")
    session.close()
    check("call-runs", place.there("case-switch"), place.model.result("try"))
    check("stderr-is-empty", not session.log.read_text(), session.log.read_text())


def accept_edits_asks(place, check):
    file = place.work / ".claude" / "settings.json"
    edit = [script.turn(script.write(file, "{}")), script.turn(script.write(place.work / "a", "a"))]
    for mode, refused in (("acceptEdits", True), ("bypassPermissions", False)):
        name = mode.lower()
        place.model.script(name, *edit)
        place.session(mode=mode).play(name)
        told = place.model.result(name)
        check(f"{mode}.settings-file", told and told[0] == refused, told)
        check(f"{mode}.another-file", not place.model.result(name, 1)[0], "refused")


def edit_rule(place, check):
    file = place.work / ".claude" / "settings.json"
    place.model.script(
        "edit",
        script.turn(script.write(file, "{}")),
        script.turn(script.bash("mkdir -p .claude; echo '{}' > .claude/settings.json")),
    )
    place.session(settings={"permissions": {"deny": ["Edit(.claude/**)"]}}).play("edit")
    for number, what in enumerate(("write", "redirect")):
        told = place.model.result("edit", number)
        check(f"{what}-is-refused", told and told[0], told)
    check("file-is-not-there", not file.exists(), "it is there")
