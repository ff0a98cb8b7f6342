"""Real mail servers for tests and benchmarks: a Postfix of its own in a temporary folder, on a free port."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.peer.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_transport = {transport}
local_transport = {transport}
relay_transport = {transport}
virtual_transport = {transport}
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
message_size_limit = 60000000
mailbox_size_limit = 0
smtputf8_enable = no
minimal_backoff_time = 1s
disable_dns_lookups = yes
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
discard unix - - n - - discard
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
retry unix - - n - - error
error unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
showq unix n - n - - showq
flush unix n - n 1000? 0 flush
"""


def program(name: str) -> str:
    """Where a program of the system is; a missing one fails the test that needs it."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postfix/sbin")
    assert found, f"{name} is not installed"
    return found


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _quietly(*command: str) -> None:
    # Postfix's master keeps what it inherits open for ever: no pipe may be among it.
    none = subprocess.DEVNULL
    subprocess.run(command, check=True, timeout=30, stdin=none, stdout=none, stderr=none)


@contextmanager
def postfix(transport: str = "discard:") -> Iterator[str]:
    """A Postfix that queues durably and hands on by `transport`: its HOST:PORT. It has to be started as root."""
    # Its daemons run as another user, who must get through to the folder: not so in a test's own, which is 0700.
    folder = Path(tempfile.mkdtemp(prefix="postfix-"))
    folder.chmod(0o755)
    port = free_port()
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder, transport=transport).lstrip())
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=port).lstrip())
    control = [program("postfix"), "-c", str(folder / "etc")]
    try:
        _quietly(*control, "start")
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        _quietly(*control, "stop")
        shutil.rmtree(folder, ignore_errors=True)
