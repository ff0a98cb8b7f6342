"""Uploads over tus 1.0: core, creation, creation-with-upload, checksum, expiration, termination.

Written for clients that nobody changes: tus-js-client tries again after 409, 423 and whatever is not 4xx, and takes a
4xx on HEAD for the end of the upload. So what passes is a 503, and HEAD is never refused for a reason that passes.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from vetrelay.errors import Refusal, VetRelayError
from vetrelay.relay.http import tus
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.turns import Turns
from vetrelay.relay.upload import Progress, create, look, terminate, url_hash, write

PATH: Final = "/v1/uploads"
RETRY_SECONDS: Final = "2"
STATUS: Final[Mapping[str, int]] = {
    "bad_upload": 400,
    "bad_upload_version": 412,
    "bad_upload_metadata": 400,
    "bad_upload_type": 415,
    "bad_checksum": 400,
    "checksum_differs": 460,
    "upload_too_large": 413,
    "too_many_uploads": 413,
    "case_full": 413,
    "upload_unknown": 404,
    "upload_expired": 410,
    "upload_ended": 410,
    "upload_locked": 423,
    "upload_taken_over": 409,
    "upload_cut": 400,
    "upload_overflow": 400,
    "wrong_offset": 409,
    "wrong_payload": 422,
    # What passes. A client takes 408, 429 and 507 for final, or for nothing it knows.
    "too_fast": 503,
    "too_slow": 503,
    "busy": 503,
    "storage_full": 503,
    "storage_failed": 503,
    "internal": 503,
}
CORS_EXPOSED: Final = (
    "Location, Retry-After, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"
)
CORS_TAKEN: Final = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset, "
    "X-HTTP-Method-Override, X-Request-ID"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
