"""What a start writes: configuration, plugins, web files, and the command line. All of it anew each time."""

import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from linkage import resources
from linkage.errors import LinkageError, MachineError, UsageError, translate
from linkage.server import jars, own
from linkage.server.java import Java
from linkage.server.places import Layout, write
from linkage.server.ports import LOOPBACK

_ENTRY: Final = "org.neo4j.server.CommunityEntryPoint"
_OPENED: Final = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")
# Options in these would reach the server's Java, and secrets of ours its environment.
_KEPT_BACK: Final = re.compile(r"(LINKAGE|NEO4J)_.*|JDK_JAVA_OPTIONS|_?JAVA_(TOOL_)?OPTIONS|CLASSPATH|LC_.*|LANG")
_STYLE: Final = "linkage.grass"
GUIDE: Final = "ring.html"
_FIRST_GUIDE: Final = """<article class="guide">
  <title>linkage</title>
  <carousel class="deck container-fluid">
    <slide class="row-fluid">
      <div class="col-sm-12">
        <h3>linkage</h3>
        <p>No ring was opened yet. In a terminal: <code>linkage rings</code></p>
      </div>
    </slide>
  </carousel>
</article>
"""


def prepare(layout: Layout) -> None:
    """Put plugins, Browser, style and guide where the server looks for them.

    Raises:
        MachineError: the disk refuses, or Browser's jar is broken.
    """
    try:
        _plugins(layout)
        _browser(layout)
        _own_files(layout)
    except OSError as exc:
        raise translate(exc, f"filling the server's folder {layout.home}") from None


def write_conf(layout: Layout, bolt: int, http: int) -> None:
    """Write `neo4j.conf` for these ports."""
    write(layout.conf / "neo4j.conf", conf(layout, bolt, http))


def conf(layout: Layout, bolt: int, http: int) -> str:
    """The text of `neo4j.conf`. A key that the server does not know stops its start.

    Raises:
        UsageError: as `own.settings`.
    """
    # Guides and styles are only loaded from a host of the whitelist, and `play` only knows it as `localhost`.
    web = f"http://localhost:{http}/browser/linkage"
    after = [f"play {web}/{GUIDE}"]
    if (layout.web / "browser" / "linkage" / _STYLE).exists():
        after.insert(0, f"style {web}/{_STYLE}")
    ours = {
        # No folders: the server's own are below its home, which it is told on its command line. In here a path
        # with `ü` or a backslash would mean another one.
        "server.default_listen_address": LOOPBACK,
        "server.bolt.listen_address": f"{LOOPBACK}:{bolt}",
        "server.bolt.advertised_address": f"{LOOPBACK}:{bolt}",
        "server.http.listen_address": f"{LOOPBACK}:{http}",
        "server.http.advertised_address": f"localhost:{http}",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "true",
        "server.memory.pagecache.size": "512m",
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        # A fresh data folder is 3 MB, not 517 MB; and two loads leave no 5 GB of logs.
        "db.tx_log.preallocate": "false",
        "db.tx_log.rotation.retention_policy": "keep_none",
        # A full disk can leave half a transaction at the end of the log. It was never committed, and with the default
        # the database would not start again until its data are removed.
        "internal.dbms.tx_log.fail_on_corrupted_log_files": "false",
        # It stops within two seconds, not ten.
        "internal.server.bolt.thread_pool_shutdown_wait_time": "200ms",
        # While a query runs it says every 10 seconds that it is still there, and tells clients to give it up after
        # 3 times as long a silence. By default that is two minutes. A long query is none: it is not silent.
        "server.bolt.connection_keep_alive": "10s",
        "server.bolt.connection_keep_alive_streaming_scheduling_interval": "10s",
        "server.bolt.connection_keep_alive_probes": "3",
        "dbms.security.procedures.unrestricted": "gds.*,apoc.*",
        "browser.remote_content_hostname_whitelist": "localhost,127.0.0.1",
        "browser.post_connect_cmd": "; ".join(after),
    }
    lines = [f"# Written by `linkage neo4j up` at each start: changes are lost. Yours go into {layout.own.name}."]
    # Each once: the server refuses a file that names one twice.
    lines += [f"{key}={value}" for key, value in {**ours, **own.settings(layout)}.items()]
    return "\n".join(lines) + "\n"


def heap_option(heap: str) -> str:
    """The option of Java for a heap like ``1g`` or ``512m``.

    Raises:
        UsageError: it is no such size.
    """
    if not re.fullmatch(r"[1-9]\d{0,5}[mMgG]", heap):
        raise UsageError(f"The heap {heap!r} is no size.", "Give it as 1g or 1500m.")
    return f"-Xmx{heap}"


def command(layout: Layout, java: Java, heap: str) -> list[str]:
    """The command line; what is long in it (352 jars) goes into a file that Java reads."""
    # Not `folder/*`: the cache may hold jars of other versions.
    classpath = ":".join([str(layout.web), *(str(jars.path(jar)) for jar in jars.pinned())])
    arguments = [
        *java.flags(),
        *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dlog4j2.disable.jmx=true",
        "-Dfile.encoding=UTF-8",
        "-XX:+UseG1GC",
        "-XX:+DisableExplicitGC",
        # Else a crash leaves its report wherever the user was.
        f'"-XX:ErrorFile={layout.logs}/java-error-%p.log"',
        f'-cp "{classpath}"',
    ]
    file = layout.run / "java.args"
    write(file, "\n".join(arguments) + "\n")
    return [str(java.path), heap_option(heap), f"@{file}", _ENTRY, mark(layout), f"--config-dir={layout.conf}"]


def mark(layout: Layout) -> str:
    """The word of the command line that tells a server of this home from any other process."""
    return f"--home-dir={layout.home}"


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the server: ours without settings for Java and without secrets."""
    kept = {key: value for key, value in (given or os.environ).items() if not _KEPT_BACK.fullmatch(key)}
    # Java decodes paths of its command line by the locale: elsewhere `ü` would not survive.
    return {**kept, "LC_ALL": "C.UTF-8"}


def _plugins(layout: Layout) -> None:
    wanted = {jar.name: jars.path(jar) for jar in jars.pinned() if jar.has_procedures}
    for old in layout.plugins.iterdir():
        # A user's own plugins stay; ours of another version may not.
        if old.name not in wanted and old.name.startswith(("proc-", "alpha-proc-", "apoc-core-")):
            old.unlink()
    for name, source in wanted.items():
        target = layout.plugins / name
        if target.exists() and target.stat().st_size == source.stat().st_size:
            continue
        fresh = layout.plugins / f".{name}.new"
        fresh.unlink(missing_ok=True)
        try:
            fresh.hardlink_to(source)
        except OSError:
            # Another disk, or a file system without links.
            shutil.copyfile(source, fresh)
        fresh.replace(target)


def _browser(layout: Layout) -> None:
    jar = next(jar for jar in jars.pinned() if jar.artifact == "neo4j-browser")
    made = layout.web / ".browser"
    with suppress(OSError):
        if made.read_text() == jar.name:
            return
    try:
        with zipfile.ZipFile(jars.path(jar)) as archive:
            archive.extractall(layout.web, [name for name in archive.namelist() if name.startswith("browser/")])
    except zipfile.BadZipFile:
        raise MachineError(f"{jars.path(jar)} is broken.", "Remove it and run again.") from None
    write(made, jar.name)


def _own_files(layout: Layout) -> None:
    ours = layout.web / "browser" / "linkage"
    ours.mkdir(parents=True, exist_ok=True)
    if not (ours / GUIDE).exists():
        write(ours / GUIDE, _FIRST_GUIDE)
    with suppress(LinkageError):
        style: Path = resources.folder("graph_schema") / "style.grass"
        if style.exists():
            write(ours / _STYLE, style.read_text(encoding="utf-8"))
