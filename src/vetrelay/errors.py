"""The one error tree: a stable code, and one sentence a person can act on.

A `Refusal` is a rule that said no: whoever asked can mend it. A `Fault` is ours.
The sentences stand in one table, so that docs, the command line, and the relay's
problem documents can never say different things. Neither carries secrets, paths
or library texts; `facts` holds only values that are public in the exchange.
"""

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # protocol: bytes and signatures
    "bad_json": "This statement is not in the one allowed form; update the software that wrote it.",
    "bad_body": "This statement has a field that is missing, unknown or out of bounds; update the software that wrote it.",
    "bad_base64": "A value is not canonical base64url; update the software that wrote it.",
    "bad_signature": "A signature does not match its content; nothing was taken over, ask the sender to send it again.",
    "bad_key": "A public key is not a valid, full-order key; the device must be set up again.",
    "wrong_type": "A signed statement was offered as something that it is not; nothing was taken over.",
    "too_large": "This is larger than the limit for its kind; send less at once.",
    # party chains
    "chain_moved": "This chain has moved on or does not link up; fetch it again and repeat.",
    "not_a_device": "This device does not take part (any more); use another device, or ask an admin to add it again.",
    "not_admin": "Only an admin device of this party may do that; ask one of its admins.",
    "not_a_clinic": "Only a clinic has doors and machines; do this from a clinic's device.",
    "last_admin": "A party keeps at least one admin device; make another device admin first.",
    "bad_boxes": "A party key does not reach exactly the devices it should; make the change again.",
    "bad_offer": "This device's offer is not signed by itself and by the secret; start adding the device again.",
    "device_added_twice": "This device was added before and cannot be added again; set it up anew.",
    "too_many_devices": "This party has as many devices as it can; remove one first.",
    "too_many_intakes": "This clinic has as many file checks as it can; adopt without --beside to begin anew.",
    "too_many_rotates": "This party's keys were changed too often in the last hour; wait an hour and repeat.",
    # case chain
    "no_bridge": "There is no email bridge here; start one and adopt it first (vetrelay clinic adopt), or it is off already.",
    "no_mail_here": "In this case each sender's own program checks the files, so nothing can come in by email; open a case with a file check for that.",
    "key_wanted": "Letters can be sealed for this address only with its key; approve one first (vetrelay bridge keys).",
    "whole_domain": "A whole domain may write to us, but letters go to one address of it; list that address too.",
    "no_such_correspondent": "Nobody with this address takes part by email here; list them first (vetrelay bridge correspondents).",
    "no_such_letter": "No letter with this number waits here; it may have been decided already.",
    "no_mail_address": "That is no email address; it has one @, and no spaces.",
    "which_letter": "More than one letter begins so; name it by more of its number.",
    "bridge_silent": "The email bridge has not answered yet; check that it runs, and ask again.",
    "fingerprint_needed": "A key counts only once its fingerprint was compared; repeat with `--fingerprint`, as its owner reads it to you.",
    "fingerprint_differs": "This fingerprint is not the key's; compare again by telephone, and approve nothing before.",
    "statement_repeated": "This statement is already in the log; nothing was changed.",
    "wrong_case": "This belongs to another case; nothing was taken over.",
    "wrong_relay": "This was made for, or signed by, another relay; check the address you were given.",
    "not_a_member": "That party does not take part in this case; look at the case again.",
    "already_a_member": "That party takes part in this case already; nothing needs to be done.",
    "cannot_inspect": "In this case every sender's program checks its files itself, and a device there cannot: use the command line, or a case with a file check.",
    "may_not": "Your role in this case does not allow that; ask somebody whose role does.",
    "invitation_unknown": "This invitation is not open (any more); ask for a new link.",
    "invitation_used": "This invitation was used already; ask for a new link.",
    "invitation_expired": "This invitation is past its last day; ask for a new link.",
    "too_many_invitations": "This case has as many open invitations as it can; close one first.",
    "too_many_parties": "This case has as many parties as it can; remove one first.",
    "door_closed": "This door is closed; ask the clinic for a new link.",
    "link_broken": "This link is incomplete or mistyped; open it again from where you got it, whole.",
    # log and heads
    "time_backwards": "The relay's log runs backwards in time; sending is blocked, tell the clinic.",
    "log_shortened": "The relay shows less than it showed before; sending is blocked, tell the clinic.",
    "log_forked": "The relay shows a different past than before; sending is blocked, tell the clinic.",
    # sessions and enrolment
    "session_refused": "The relay did not accept this device's signature; check the device's clock and try again.",
    # relay: requests
    "no_session": "This device is not signed in (any more); sign in again.",
    "too_fast": "This device sends more at once than the relay takes; wait a little and repeat.",
    "too_many_leases": "This device has as much work set aside as the relay takes; finish some of it first.",
    "too_slow": "The request did not arrive in time; check the connection and repeat.",
    "not_found": "There is nothing here for you; check the address, or fetch the case again.",
    "wrong_method": "That cannot be done at this address; check the client's version.",
    "not_taken": "This relay does not take that yet; update the relay.",
    "needs_invitation": "A household comes in by an invitation; ask the clinic for a link.",
    "needs_code": "A clinic or a machine enrols with a one-time code; ask whoever runs the relay for one.",
    "code_unknown": "This enrolment code is not one of this relay's; ask whoever runs the relay for another.",
    "code_used": "This enrolment code was used already; ask whoever runs the relay for another.",
    "party_unknown": "That party has not enrolled at this relay; let it enrol first.",
    "wrong_card": "The card sent along is not the one the invitation names; make the invitation again.",
    "id_used": "This envelope's id was used for something else in this case; send it again under a new id.",
    "object_taken": "An object named here belongs to another envelope; seal it again.",
    "payloads_missing": "Some files are not at the relay yet; upload them and repeat.",
    "verdict_stands": "These files have a verdict already; a new one says which it supersedes.",
    "case_full": "This case has used all the room it may have at this relay; ask whoever runs the relay for more.",
    # relay: itself
    "busy": "The relay has more to do than it can take on; try again in a moment.",
    "storage_full": "The relay's disk is full; reading goes on, whoever runs it must make room.",
    "storage_failed": "The relay could not write to its disk; nothing was accepted, try again later.",
    "internal": "Something went wrong inside the relay; nothing that was accepted is lost, try again.",
    "bad_config": "A setting is unknown or out of bounds; correct the settings file.",
    "bad_listen": "A listening place is neither HOST:PORT nor unix:PATH, or cannot be had; correct the settings file.",
    "already_running": "Another process works on this data folder; stop it first.",
    "bad_log_key": "The relay's log key cannot be read; restore it from the backup.",
    # envelopes
    "bad_objects": "The parts named in this envelope do not fit its kind; update the software that wrote it.",
    "bad_recipients": "This envelope is not sealed to exactly those who should read it; fetch the case and send again.",
    "roster_moved": "Who takes part has changed since this was sealed; it must be sealed again, which happens by itself.",
    "case_closed": "This case is closed; reopen it to go on writing.",
    "no_intake": "No file check is set up for this case, so files cannot be sent; the clinic runs `vetrelay clinic adopt`.",
    "wrong_verdict": "This verdict does not answer the files it claims to; nothing was taken over.",
    "verdict_differs": "A file check contradicts itself; its copies are not shown, tell the clinic.",
    "binding_differs": "What is inside does not belong to this envelope; it is not shown, tell the clinic.",
    "commitment": "This file's key is not the one its author used; it is not shown, tell the clinic.",
    # ends
    "unreachable": "The relay cannot be reached; everything written is kept on this device and goes with the next try.",
    "relay_failed": "The relay has a fault; everything written is kept on this device, try again in a few minutes.",
    "relay_refused": "The relay said no for a reason this version does not know; update and try again.",
    "relay_unreadable": "The relay's answer cannot be read; check the address, update, and try again.",
    "no_identity": "There is no identity in this home folder; create a clinic or join a case by its link first.",
    "identity_exists": "This home folder holds an identity already; use another with `--home` for another person.",
    "wrong_passphrase": "The keyring is locked and this passphrase does not open it; try again.",
    "keyring_damaged": "The keyring cannot be read; restore it from a backup, or set this device up again.",
    "journal_damaged": "This home's journal contradicts itself; restore the home from a backup, or set this device up again.",
    "entry_differs": "The relay's log does not hold what it says it holds; sending is blocked, tell the clinic.",
    "head_stale": "The relay's newest word is over a day old; check this device's clock, else tell the clinic.",
    "file_unreadable": "A file cannot be read; check its name and try again, nothing was sent.",
    "folder_empty": "There is no file in this folder (hidden files and links are left out); nothing was sent.",
    "folder_too_full": "A folder is sent with up to 5000 files; send it in several parts.",
    "nothing_to_send": "There is neither text nor a file; give `--text` or name a file.",
    "too_many_files": "One message carries up to 100 files; send the rest in another message.",
    "payload_differs": "What the relay returned is not the file that was sent; it was thrown away, try again.",
    "no_such_envelope": "There is no such message in this case; `vetrelay read` lists them.",
    "no_such_case": "There is no such case here; `vetrelay case list` shows the cases of this identity.",
    "not_ready": "This file is still being checked; wait a moment, or take the unsafe original with `--original`.",
    "needs_original": "There is no checked copy of this file; the unsafe original is written with `--original`.",
    "offer_unreadable": "This offer is damaged or not from the machine it names; take the file the machine wrote.",
    "passphrase_needed": "This keyring is locked; set VETRELAY_PASSPHRASE, or run the command in a terminal and type it.",
    "already_locked": "This keyring is locked already; unlock it first to lock it with another passphrase.",
    "which_case": "More than one case is meant; name it by more of its id, `vetrelay case list` shows them.",
    "no_such_party": "Nobody of that name or id takes part in this case; `vetrelay case show` lists who does.",
    "which_party": "More than one party is meant; name it by more of its id, `vetrelay case show` lists them.",
    "nobody_waits": "Nobody waits to be let into this case; nothing needs to be done.",
    "no_files": "This message has no files; `vetrelay read` shows which messages have some.",
    "not_all_saved": "Not every file could be saved; those named above are missing, the others are there.",
    "does_not_hold": "Some of what is in this case does not hold; the positions are named above, tell the clinic.",
    "not_printed": "Secret keys are printed only on explicit wish; repeat with `--unsafe-print`.",
    "not_a_link": "This link is of another kind than an invitation; ask the clinic for an invitation.",
    "name_needed": "The first time, a name is needed; repeat with `--name`, it is what the clinic will read.",
    "relay_needed": "It is not known which message server is meant; name it with `--relay URL`.",
    "no_benchmarks": "The benchmarks are part of the source checkout, which is not here; run them from there.",
    "gateway_failed": "A part of the gateway does not start; the lines above say why, `vetrelay doctor` may say more.",
    "home_failed": "This machine's folder or disk cannot be used as needed; check its permissions and its room, and repeat.",
    "program_failed": "Something went wrong inside this program; repeat the command, and report the code if it stays.",
    "spool_lost": "A sealed file that waited to be sent is gone from this device; send the message again.",
    "party_key_differs": "This device did not get the key that its party now uses; ask an admin of it to change the keys again.",
    "not_confirmed": "You are not let into this case yet; ask whoever invited you to approve you.",
    "name_too_long": "A name has 1 to 100 characters, a title up to 200; choose another.",
    "text_unreadable": "The text holds bytes that are no characters; type it again.",
    "newer_version": "This was made by a newer version of VetRelay; update before sending here.",
    # protocol: sealed objects (the age_* ones never leave the codec on a path that a remote party can watch)
    "age_header": "This is not a strict age v1 header; seal it again with up-to-date software.",
    "age_mac": "The age header was changed after it was sealed; fetch it again or ask the sender to send it again.",
    "age_no_match": "This age file is sealed to somebody else; ask its sender to seal it to you.",
    "age_payload": "This age file is damaged, cut short or was changed; fetch it again or ask the sender to send it again.",
    "age_armor": "This is not a strict armored age file; copy it again, from its first line to its last.",
    "age_text": "This is not the text form of a key that fits here; copy it again, from its first character to its last.",
    "sealed_shape": "An object's age header does not have exactly one hybrid stanza per reader; seal it again for the current readers.",
    "cannot_open": "This object cannot be opened here; ask its sender to send it again.",
    # relay: uploads and files
    "bad_upload": "This upload request breaks the tus protocol's rules; check the client's version and settings.",
    "bad_upload_version": "This relay speaks version 1.0.0 of the tus protocol; update the client.",
    "bad_upload_type": "Upload bytes come as application/offset+octet-stream and uncompressed; update the client.",
    "bad_upload_metadata": "An upload says exactly which case it is for, and at most its hash; update the client.",
    "bad_checksum": "This checksum is not one the relay can check; use sha1 or sha256.",
    "checksum_differs": "The bytes that arrived are not those that were sent; send this part again.",
    "upload_too_large": "This file is larger than this relay takes; make it smaller, or ask whoever runs the relay.",
    "party_full": "Your cases have used all the room they may have at this relay; ask whoever runs the relay for more.",
    "too_many_uploads": "This device has as many unfinished uploads as it may; finish or cancel one first.",
    "upload_unknown": "This upload is not here (any more); start it again.",
    "upload_expired": "This upload took too long and was cleared away; start it again.",
    "upload_ended": "This upload's device was removed, and its uploads with it; use another device.",
    "upload_locked": "This upload is busy with another request; try again in a moment.",
    "upload_taken_over": "A newer request goes on with this upload; ask how far it is, and go on from there.",
    "upload_cut": "The connection ended before everything arrived; go on from where it stopped.",
    "wrong_offset": "This upload is not where the request says; ask how far it is, and go on from there.",
    "upload_overflow": "More bytes came than the upload announced; start it again with its true size.",
    "wrong_payload": "What arrived is not what this upload announced, and was dropped; start it again.",
    "withheld": "This file is not handed out as it was sent; open its checked copy, or wait until it was checked.",
    "object_gone": "This was removed after its time, and only its trace is kept; ask its sender if it is needed.",
    "blobs_unfit": "The relay's data folder cannot link files; put it on a local file system such as ext4, xfs or btrfs.",
    "blob_missing": "A file that the relay should have is not there; ask its sender to send it again, tell whoever runs it.",
    # inspection
    "no_sandbox": "This machine cannot confine the file check (seccomp is missing or its self-test failed), so no file is opened; run `vetrelay doctor`.",
    "slip_unusable": "What the sender gave the file check does not fit this message, so no file was opened; send the files again.",
    "file_not_sent": "A file does not pass this program's own file check, so nothing was sent; leave out the files named above.",
    "copy_differs": "This file is not what its sender's program said it is, so it was not saved; ask its sender to send it again.",
    "plaintext_differs": "This file is not the one its sender named, so it is not shown; send it again.",
    "jobs_damaged": "The file check's table of jobs is damaged; move it out of its data folder, files are then checked again.",
    "sandbox_failed": "The file check could not start or failed its self-test, so no file is opened; run `vetrelay doctor`.",
    # bridge: sealed letters and mail keys
    "openpgp_absent": "The part that reads and writes OpenPGP is not installed; install VetRelay with the extra `openpgp`.",
    "smime_absent": "The program `openssl` is not installed, so no S/MIME signature can be checked; install it.",
    "letter_locked": "This letter's encryption is of a kind that is not read here; ask its sender for PGP/MIME or S/MIME with AES-CBC.",
    "letter_for_another": "This letter is encrypted to another key; ask its sender to encrypt it to the key of the case's address.",
    "letter_altered": "This encrypted letter is damaged or was changed on its way; ask its sender to send it again.",
    "mail_key_unreadable": "This is not one public key for email; ask the clinic for its OpenPGP key or S/MIME certificate.",
    "mail_key_unusable": "Nothing can be encrypted to this key (expired, revoked, too weak, or not for encryption); ask the clinic for another.",
    "mail_key_damaged": "The bridge's own key for email cannot be read; restore the bridge's data folder from the backup.",
    # bridge: the pages for clinics
    "place_closed": "This case takes no more files here; call the practice.",
    "place_full": "There is no room for this file now; finish what is under way, try again later, or call the practice.",
    # bridge: spool and tables
    "spool_damaged": "A letter in the email bridge's spool is damaged; it is kept aside, tell whoever runs the bridge.",
    "spool_key": "The email bridge's spool.key is not a key; restore it from the backup, without it no waiting letter can be read.",
    # bridge: the domain name system
    "dns_unanswered": "The domain name system did not answer; the letter waits and is tried again by itself.",
    "bad_tls": "The certificate for letters that come in, or its key, cannot be read; name PEM files that belong together in `tls_cert` and `tls_key`.",
    "bad_dkim_key": "The key that signs letters cannot be read; name a PEM file with an RSA key in `dkim_key_file`.",
}


class VetRelayError(Exception):
    """Root of all errors that VetRelay raises on purpose.

    `code` is stable and documented; `facts` are public values (ids, positions, counts).
    """

    def __init__(self, code: str, /, **facts: object) -> None:
        self.code = code
        self.facts = facts
        super().__init__(f"{SENTENCES[code]} [{code}]")

    @property
    def sentence(self) -> str:
        """What happened and what to do, for a person."""
        return SENTENCES[self.code]


class Refusal(VetRelayError):
    """A rule said no; whoever asked can mend it."""


class Fault(VetRelayError):
    """We failed; nothing that was acknowledged is lost, and trying again is safe."""
