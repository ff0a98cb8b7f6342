"""The bridge's one key on disk: `spool.key`, from which all others are derived."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from vetrelay.bridge.store.sealing import KEY_BYTES
from vetrelay.client.keyring import sync_folder, write_durably
from vetrelay.errors import Fault

KEY_FILE: Final = "spool.key"


def load_or_make_key(folder: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """The key (32 bytes) in `folder`/spool.key, made there when the folder has none; durable when it returns.

    Raises Fault `spool_key` when the file is not such a key: without it nothing in the spool or the tables can be read,
    so it is never replaced.
    """
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = folder / f".{KEY_FILE}.{random_bytes(8).hex()}"
        write_durably(fresh, random_bytes(KEY_BYTES))
        try:
            path.hardlink_to(
                fresh
            )  # unlike a rename it replaces nothing: of two that start at once, the first one's stays
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
            sync_folder(folder)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Fault("spool_key")
    return key
