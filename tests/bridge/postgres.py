"""A PostgreSQL of the tests' own: a private cluster in a temporary folder, reached by a unix socket alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, text

SETTINGS = (
    "listen_addresses=",  # no port that another test could have
    "fsync=on",
    "shared_buffers=16MB",
    "max_connections=60",
    "autovacuum=off",
)


def postgres_programs() -> Path:
    """The folder of initdb and pg_ctl: on the path, or where Debian puts them."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda place: int(place.parts[-3]))
    assert places, "PostgreSQL's initdb is not installed"
    return places[-1].parent


@contextmanager
def running_postgres() -> Iterator[str]:
    """A running cluster; the URL of its database `postgres`, whose owner may create others."""
    programs = postgres_programs()
    # PostgreSQL refuses to run as root. A socket's path is at most 107 bytes, so the folder is not pytest's.
    as_root = os.geteuid() == 0
    user = "postgres" if as_root else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="pg-"))

    def run(program: str, *words: str) -> None:
        identity: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if as_root else {}
        with (folder / "output").open("ab") as output:
            subprocess.run(
                [programs / program, *words],
                cwd=folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **identity,
            )

    if as_root:
        shutil.chown(folder, user)
    cluster = str(folder / "cluster")
    try:
        run("initdb", "--pgdata", cluster, "--username", "bridge", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, f"unix_socket_directories={folder}"))
        run("pg_ctl", "start", "--pgdata", cluster, "--wait", "--log", str(folder / "log"), "--options", options)
        try:
            yield f"postgresql://bridge@/postgres?host={folder}"
        finally:
            run("pg_ctl", "stop", "--pgdata", cluster, "--mode", "immediate", "--wait")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(cluster: str) -> str:
    """The URL of a new, empty database in a running cluster."""
    name = f"bridge_{uuid4().hex}"
    engine = create_engine("postgresql+psycopg://" + cluster.partition("://")[2], isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return cluster.replace("/postgres?", f"/{name}?")
