"""Settings files, as the processes start from them: relative paths in one are relative to the folder that it stands in."""

import ctypes
import os
import signal
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from vetrelay.config import BridgeConfig, IntakeConfig, RelayConfig, parse_config
from vetrelay.errors import Fault

SUPERVISED_VARIABLE: Final = "VETRELAY_SUPERVISED"
_PR_SET_PDEATHSIG: Final = 1
T = TypeVar("T", bound=msgspec.Struct)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return parse_config(path.read_text(encoding="utf-8"), kind)
    except (OSError, UnicodeDecodeError) as wrong:
        raise Fault("bad_config", setting="", reason="the file cannot be read") from wrong


def relay_config(path: Path) -> RelayConfig:
    """The settings of a relay, its data folder made absolute. Raises Fault `bad_config`."""
    config = _read(path, RelayConfig)
    return msgspec.structs.replace(config, data=str(path.absolute().parent / config.data))


def intake_config(path: Path) -> IntakeConfig:
    """The settings of an intake, its data folder made absolute. Raises Fault `bad_config`."""
    config = _read(path, IntakeConfig)
    return msgspec.structs.replace(config, data=str(path.absolute().parent / config.data))


def bridge_config(path: Path) -> BridgeConfig:
    """The settings of an email bridge, its data folder made absolute. Raises Fault `bad_config`."""
    config = _read(path, BridgeConfig)
    return msgspec.structs.replace(config, data=str(path.absolute().parent / config.data))


def work_beside(path: Path) -> None:
    """Makes the settings file's folder the place that other relative paths start from; a socket's path must be short."""
    os.chdir(path.absolute().parent)


def end_with_supervisor() -> None:
    """A process that `up` started stops when `up` is gone, even by kill -9: nothing is left to hold the address."""
    if os.environ.get(SUPERVISED_VARIABLE) != str(os.getppid()):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.environ[SUPERVISED_VARIABLE] != str(os.getppid()):  # it went while we asked
        os.kill(os.getpid(), signal.SIGTERM)
