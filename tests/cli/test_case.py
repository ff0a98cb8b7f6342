"""Cases: opened, joined by a link, approved, closed; and who can read them."""

from pathlib import Path

import pytest

from tests.gateway import Gateway, Person

ID = 43


@pytest.fixture(scope="module")
def vet(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A clinic."""
    return gateway.clinic(tmp_path_factory.mktemp("vet") / "home")


@pytest.fixture
def luna(gateway: Gateway, vet: Person, tmp_path: Path) -> tuple[str, Person]:
    """A case with its owner."""
    return gateway.case(vet, tmp_path / "anna", title="Luna, itchy ear")


def test_a_clinic_is_created_once(gateway: Gateway, vet: Person) -> None:
    """The same command again changes nothing; another name is another identity's."""
    again = vet.run("clinic", "create", "Wrenfield Practice", "--as", "Dr. Oleander")
    assert "nothing was changed" in again.err
    other = vet.run("--relay", gateway.url, "clinic", "create", "Other", "--as", "X", "--code", "y", code=3)
    assert "identity_exists" in other.err


def test_a_wrong_code_can_be_mended(gateway: Gateway, tmp_path: Path) -> None:
    """The keys are made once; the right code finishes what the wrong one began."""
    clinic = Person(home=tmp_path / "home")
    words = ("--relay", gateway.url, "clinic", "create", "Second Practice", "--as", "Dr. Two")
    refused = clinic.run(*words, "--code", "AAAA-BBBB-CCCC-DDDD", code=3)
    assert "code_unknown" in refused.err
    assert "needs_code" in clinic.run(*words, code=3).err
    keyring = (tmp_path / "home" / "keyring.json").read_bytes()
    code = vet_code(gateway)
    done = clinic.run(*words, VETRELAY_CODE=code)
    assert "Second Practice  fingerprint " in done.out
    assert keyring == (tmp_path / "home" / "keyring.json").read_bytes()
    assert not (tmp_path / "home" / "enrolment.json").exists()


def vet_code(gateway: Gateway) -> str:
    """A fresh code for a clinic."""
    somebody = Person(home=gateway.folder / "nobody")
    return somebody.word("relay", "code", "clinic", "--config", str(gateway.folder / "relay.toml"))


def test_adopting_again_changes_nothing(gateway: Gateway, vet: Person) -> None:
    """The fingerprint is printed to be compared."""
    done = vet.run("clinic", "adopt", str(gateway.offers[0]))
    assert "file check  fingerprint " in done.out
    assert "nothing was changed" in done.err


def test_a_damaged_offer_is_refused(vet: Person, tmp_path: Path) -> None:
    """Only what the machine wrote itself is adopted."""
    (tmp_path / "offer.json").write_text('{"v":1}')
    assert "offer_unreadable" in vet.run("clinic", "adopt", str(tmp_path / "offer.json"), code=3).err


def test_open_and_invite_answer_with_one_word(luna: tuple[str, Person], vet: Person) -> None:
    """Scripts take the id and the link as they are."""
    assert ID == len(luna[0])
    link = vet.run("case", "invite", luna[0][:8], "--role", "consultant")
    assert link.out.startswith("http://127.0.0.1:")
    assert "14 days" in link.err


def test_who_joins_is_told_who_asks_and_what_about(gateway: Gateway, vet: Person, tmp_path: Path) -> None:
    """Before anything is signed, the card is shown."""
    case = vet.word("case", "open", "--title", "Rex \x1b[31m limps")
    joined = Person(home=tmp_path / "home").run("case", "join", vet.word("case", "invite", case), "--name", "Ben")
    assert case == joined.out.strip()
    assert "Dr. Oleander, Wrenfield Practice, invites you as owner" in joined.err
    assert "about: Rex ␛[31m limps" in joined.err


def test_a_link_is_good_for_one_party_once(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """Used, it tells what to do; to whom it let in, it says that nothing is left to do."""
    link = vet.word("case", "invite", luna[0], "--role", "consultant")
    first = Person(home=tmp_path / "first")
    first.run("case", "join", link, "--name", "Dr. One")
    again = first.run("case", "join", link)
    assert luna[0] == again.out.strip()
    assert "invitation_used" in Person(home=tmp_path / "second").run("case", "join", link, "--name", "Two", code=3).err
    assert not (tmp_path / "second" / "keyring.json").exists()


@pytest.mark.parametrize(
    ("link", "code"),
    [("nonsense", "link_broken"), ("https://x.example/j#i1.AAAA", "link_broken")],
)
def test_a_broken_link_is_refused(tmp_path: Path, link: str, code: str) -> None:
    """Cut short or mistyped, it leads nowhere, and no identity is made."""
    assert code in Person(home=tmp_path / "home").run("case", "join", link, "--name", "N", code=3).err
    assert not (tmp_path / "home" / "keyring.json").exists()


def test_the_first_time_a_name_is_needed(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """And one that nobody could read is refused before anything is made."""
    link = vet.word("case", "invite", luna[0], "--role", "consultant")
    person = Person(home=tmp_path / "home")
    assert "name_needed" in person.run("case", "join", link, code=3).err
    assert "name_too_long" in person.run("case", "join", link, "--name", "x" * 101, code=3).err
    assert not (tmp_path / "home" / "keyring.json").exists()


def test_an_identity_joins_one_more_case(
    gateway: Gateway, luna: tuple[str, Person], vet: Person, tmp_path: Path
) -> None:
    """The same household, two cases; `-` no longer says which."""
    anna = luna[1]
    case = vet.word("case", "open", "--title", "Milo")
    anna.run("case", "join", vet.word("case", "invite", case))
    listed = anna.json("case", "list")["cases"]
    assert [(luna[0], "Luna, itchy ear"), (case, "Milo")] == [(one["case"], one["title"]) for one in listed]
    assert "which_case" in anna.run("read", "-", code=3).err
    assert "no_such_case" in anna.run("read", "AAAAAA", code=4).err
    assert "no_such_case" in anna.run("read", case[:5], code=4).err
    assert "Milo" in anna.run("read", case[:6]).out


def test_a_newcomer_waits_until_somebody_lets_them_in(luna: tuple[str, Person], vet: Person, tmp_path: Path) -> None:
    """A consultant joins, waits, is approved, reads; `show` tells it all."""
    case, _ = luna
    consultant = Person(home=tmp_path / "consultant")
    joined = consultant.run(
        "case", "join", vet.word("case", "invite", case, "--role", "consultant"), "--name", "Dr. Eye"
    )
    assert "You are at the door" in joined.err
    shown = vet.json("case", "show", case)
    waiting = [party for party in shown["parties"] if party["pending"]]
    assert ["consultant"] == [party["role"] for party in waiting]
    assert waiting[0]["fingerprint"] in joined.err
    assert "waiting to be let in" in vet.run("case", "show", case).out
    assert "not_confirmed" in consultant.run("send", case, "--text", "hello", code=3).err
    assert "vetrelay case approve" in vet.run("receive", code=None).err
    assert "can read this case from now on" in vet.run("case", "approve", case).out
    assert "nobody_waits" in vet.run("case", "approve", case, code=4).err
    consultant.run("send", case, "--text", "I look at the eye.")
    assert "I look at the eye." in vet.run("read", case).out
    assert "can read this case from now on" not in vet.run("case", "remove", case, "Dr. Eye").out
    assert "no_such_party" in vet.run("case", "remove", case, "Dr. Eye", code=4).err
    gone = consultant.run("read", case)
    assert "Shown is what is kept here." in gone.err


def test_show_tells_who_can_read_and_on_whose_word(luna: tuple[str, Person], vet: Person) -> None:
    """Parties, roles, names, devices, who let whom in, and who checks the files."""
    case, anna = luna
    vet.run("receive", code=None)
    shown = anna.json("case", "show", case)
    parties = {party["role"]: party for party in shown["parties"]}
    assert {"care", "owner"} == parties.keys()
    assert ("Wrenfield Practice", "clinic") == (parties["care"]["name"], parties["care"]["kind"])
    assert parties["care"]["party"] == parties["owner"]["invited_by"]
    assert ["owner"] == [device["role"] for device in parties["owner"]["devices"]]
    assert [("intake", "machine")] == [(one["role"], one["kind"]) for one in shown["file_checks"]]
    assert ("open", "intake", []) == (shown["state"], shown["inspection"], shown["invitations"])
    text = anna.run("case", "show", case).out
    for told in ("who can read this", "Anna Meier (you)", "let in by Wrenfield Practice", "Dr. Oleander, veterinarian"):
        assert told in text


def test_both_sides_see_the_same_eight_words(luna: tuple[str, Person], vet: Person) -> None:
    """And are told to compare them by telephone."""
    case, anna = luna
    vet.run("receive", code=None)  # the clinic tells the newcomer its name
    mine = anna.json("case", "words", case)
    theirs = vet.json("case", "words", case, "Anna Meier")
    assert 8 == len(mine["words"])
    assert mine["words"] == theirs["words"]
    shown = anna.run("case", "words", case).out
    assert " ".join(mine["words"]) in shown
    assert "Call Wrenfield Practice" in shown


def test_a_closed_case_takes_no_messages_until_it_is_reopened(luna: tuple[str, Person], vet: Person) -> None:
    """Closing twice is closing once."""
    case, anna = luna
    assert "is closed" in vet.run("case", "close", case).out
    again = vet.run("case", "close", case)
    assert ("it was so before", True) == (again.err.split(";")[0], "is closed" in again.out)
    assert "case_closed" in anna.run("send", case, "--text", "one more", code=3).err
    assert ", closed" in anna.run("read", case).out
    assert "is open" in vet.run("case", "reopen", case).out
    anna.run("send", case, "--text", "one more")


def test_an_owner_may_not_do_what_only_a_clinic_may(gateway: Gateway, luna: tuple[str, Person]) -> None:
    """The rules are the same on both sides."""
    case, anna = luna
    assert "may_not" in anna.run("case", "invite", case, "--role", "consultant", code=3).err
    assert "not_a_clinic" in anna.run("clinic", "adopt", str(gateway.offers[0]), code=3).err


def test_a_case_says_whom_it_is_about(vet: Person, gateway: Gateway, tmp_path: Path) -> None:
    """To everybody in it, for a person and for a program; an X-ray of another animal is then noted."""
    words = ("--title", "Itchy ear", "--animal", "Luna", "--species", "dog", "--owner", "Meier")
    case = vet.word("case", "open", *words)
    anna = Person(home=tmp_path / "anna")
    anna.run("case", "join", vet.word("case", "invite", case), "--name", "Anna Meier")
    luna = {"name": "Luna", "owner": "Meier", "species": "dog", "id": ""}
    vet.run("receive", code=None)
    for person in (vet, anna):
        assert luna == person.json("case", "show", case)["patient"]
        (listed,) = (one for one in person.json("case", "list")["cases"] if one["case"] == case)
        assert luna == listed["patient"]
        assert "about Luna, dog, of Meier" in person.run("case", "show", case).out
        assert "Luna, dog, of Meier" in person.run("case", "list").out
    other = vet.word("case", "open", "--title", "No card")
    assert vet.json("case", "show", other)["patient"] is None


def test_a_case_may_be_opened_for_ends_that_inspect(vet: Person) -> None:
    """The file check that this clinic has adopted has no part in it."""
    case = vet.word("case", "open", "--title", "Second opinion", "--inspection", "ends")
    shown = vet.json("case", "show", case)
    assert ("ends", []) == (shown["inspection"], shown["file_checks"])
    assert "every sender's own program checks a file" in vet.run("case", "show", case).out
