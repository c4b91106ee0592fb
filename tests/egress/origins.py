"""Real servers for the clients: nginx with HTTP/1.1, HTTP/2, TLS, and what lies behind it.

Each registry is the smallest that its client takes: a page of links and a wheel for pip, a document
and a tarball for npm, a sparse index and a crate for cargo, a bare repository for git.
"""

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

import place
import rig

NAMES = ("web", "pypi", "npm", "crates", "git", "other", "private", "meta")
HOSTS = {name: f"{name}.origin.example" for name in NAMES}
WORKS = "it works\n"

NGINX = """
daemon off; worker_processes 1; pid {run}/nginx.pid; error_log stderr warn; user root;
events {{ worker_connections 512; }}
http {{
    access_log {run}/access.log; client_body_temp_path {run}/body; proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/f; uwsgi_temp_path {run}/u; scgi_temp_path {run}/s;
    types {{ text/html html; text/plain txt; application/json json; }} default_type application/octet-stream;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen {address}:80; listen {address}:443 ssl http2; listen {other}:80;
        listen {private}:80; listen {metadata}:80;
        server_name {names};
        ssl_certificate {certificate}; ssl_certificate_key {key};
        root {root}/$host;
        client_max_body_size 64m;
        location /back/ {{
            proxy_pass http://127.0.0.1:{back}/; proxy_http_version 1.1; proxy_buffering off;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


def start(place_):
    """Writes what they serve, and starts them."""
    root = place_.directory / "www"
    for host in HOSTS.values():
        (root / host).mkdir(parents=True)
        (root / host / "page.html").write_text(f"<p>{WORKS}</p>")
        (root / host / "hello.txt").write_text(WORKS)
    (root / HOSTS["web"] / "large.bin").write_bytes(os.urandom(8 << 20))
    pypi(root / HOSTS["pypi"])
    npm(root / HOSTS["npm"])
    crates(root / HOSTS["crates"])
    git(root / HOSTS["git"])
    back = place_.start(
        "back",
        [sys.executable, place.HERE / "back.py"],
        lambda child: "listening at" in child.text(),
        place_.world,
    )
    certificate, key = place_.authority.leaf(*HOSTS.values())
    run = place_.directory / "nginx"
    run.mkdir()
    configuration = run / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            run=run,
            address=place.ORIGIN,
            other=place.OTHER,
            private=place.PRIVATE,
            metadata=place.METADATA,
            names=" ".join(HOSTS.values()),
            certificate=certificate,
            key=key,
            root=root,
            back=back.text().split("listening at ")[1].split()[0].rpartition(":")[2],
        )
    )
    argv = ["nginx", "-e", "stderr", "-c", configuration]
    place_.start("nginx", argv, lambda _: (run / "nginx.pid").exists(), place_.world)
    return root


def pypi(root):
    wheel = "demo_wheel-1.0-py3-none-any.whl"
    simple = root / "simple" / "demo-wheel"
    simple.mkdir(parents=True)
    info = "demo_wheel-1.0.dist-info"
    with zipfile.ZipFile(simple / wheel, "w") as archive:
        archive.writestr("demo_wheel.py", "x = 1\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo-wheel\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (simple / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')


def npm(root):
    tarball = tar({"package/package.json": json.dumps({"name": "demo-pack", "version": "1.0.0"})})
    (root / "demo-pack-1.0.0.tgz").write_bytes(tarball)
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    version = {
        "name": "demo-pack",
        "version": "1.0.0",
        "dist": {
            "tarball": f"https://{HOSTS['npm']}/demo-pack-1.0.0.tgz",
            "integrity": f"sha512-{digest}",
        },
    }
    document = {
        "name": "demo-pack",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": version},
    }
    (root / "demo-pack").write_text(json.dumps(document))


def crates(root):
    manifest = '[package]\nname = "demo-crate"\nversion = "1.0.0"\nedition = "2021"\n'
    crate = tar({"demo-crate-1.0.0/Cargo.toml": manifest, "demo-crate-1.0.0/src/lib.rs": ""})
    (root / "dl").mkdir()
    (root / "dl" / "demo-crate-1.0.0.crate").write_bytes(crate)
    (root / "de" / "mo").mkdir(parents=True)
    line = {
        "name": "demo-crate",
        "vers": "1.0.0",
        "deps": [],
        "cksum": hashlib.sha256(crate).hexdigest(),
        "features": {},
        "yanked": False,
    }
    (root / "de" / "mo" / "demo-crate").write_text(json.dumps(line) + "\n")
    download = f"https://{HOSTS['crates']}/dl/{{crate}}-{{version}}.crate"
    (root / "config.json").write_text(json.dumps({"dl": download}))


def git(root):
    work = root.parent / "work-tree"
    who = ["-c", "user.name=t", "-c", "user.email=t@origin.example"]
    for words in (
        ["init", "-q", work],
        ["-C", work, *who, "commit", "-q", "--allow-empty", "-m", "first"],
        ["clone", "-q", "--bare", work, root / "demo.git"],
        ["-C", root / "demo.git", "update-server-info"],
    ):
        code, _, error = rig.run(["git", *words])
        if code != 0:
            raise rig.RigError(f"git {words}: {error}")


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()
