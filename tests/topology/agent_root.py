"""The agent container's root: Claude Code and what its Bash tool needs, from this machine's files.

No image is pulled. The root belongs to root and is mounted read-only, so the client may be a hard
link to the installed one.
"""

import os
import pathlib
import re
import shutil

import rig

PROGRAMS = ["bash", "sh", "cat", "echo", "ls", "mkdir", "rm", "touch", "id", "env", "uname"]
PROGRAMS += ["pwd", "grep", "sed", "head", "tail", "tr", "cut", "sort", "sleep", "dirname"]
# What the C library loads by name only.
LIBRARIES = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"]
FILES = ["/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"]
EMPTY = ["dev", "etc", "home/agent", "opt/toolgate", "proc", "run/toolgate", "sys", "tmp", "work"]


def build(root, claude, agent_uid, group):
    """Fills an empty directory; returns the client's path inside it."""
    for directory in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", *EMPTY):
        (root / directory).mkdir(parents=True)
    for directory in ("bin", "lib", "lib64", "sbin"):
        (root / directory).symlink_to(f"usr/{directory}")
    # The tmpfs that covers it takes its mode over.
    (root / "tmp").chmod(0o1777)
    programs = [shutil.which(program) for program in PROGRAMS]
    for program in programs:
        copy(pathlib.Path(program), root / "usr/bin" / os.path.basename(program))
    libraries = {library for file in [claude, *programs] for library in needed_by(file)}
    libraries |= {library for name in LIBRARIES for library in siblings(libraries, name)}
    for library in libraries:
        copy(library, inside(root, library))
    for file in map(pathlib.Path, FILES):
        if file.exists():
            copy(file, inside(root, file))
    (root / "etc/passwd").write_text(
        f"root:x:0:0::/root:/bin/sh\nagent:x:{agent_uid}:{group}::/home/agent:/bin/bash\n"
    )
    (root / "etc/group").write_text(f"root:x:0:\nagent:x:{group}:\n")
    link(claude, root / "opt/claude")
    return "/opt/claude"


def needed_by(program):
    """The shared libraries of a program, as the loader finds them."""
    _, out, _ = rig.run(["ldd", program])
    return {pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", out)}


def siblings(libraries, name):
    """A library of this name beside the C library."""
    beside = {library.parent for library in libraries if library.name == "libc.so.6"}
    return [folder / name for folder in beside if (folder / name).exists()]


def inside(root, path):
    """Where a file of this machine lies in the root: its directory's links are resolved."""
    return root / path.parent.resolve().relative_to("/") / path.name


def copy(source, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, to)


def link(source, to):
    try:
        os.link(source, to)
    except OSError:
        shutil.copy(source, to)
