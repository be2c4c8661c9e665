"""Messages with as much of everything as is accepted: each can be changed as it must be, or is refused with a reason."""
import json
import re

import pytest

from servers.contentd import Contentd
from servers.process import wait_for

CONFIG = """
[list odd]
entries = @odd.example
[rule odd]
when = recipient in list:odd
then = quarantine for the test
[rule elsewhere]
when = recipient_domain = moved.example
then = redirect {recipient}.example
[rule bare]
when = header.X-Bare is set
then = remove_header X-Bare
"""
MANY = 12000  # more than EDITS_MAX was once, and than anybody sends


@pytest.fixture(scope="module")
def contentd(workdir):
    server = Contentd(workdir / "contentd", CONFIG, [f"quarantine_directory={workdir}/contentd/quarantine"])
    yield server
    server.stop()


def send(contentd, **message):
    with contentd.client(timeout=120).start() as client:
        return client.message(**message)


def addresses(changes, letter):
    return {change.texts[0] for change in changes if change.command == letter}


def test_more_recipients_are_removed_and_added_than_anybody_sends(contentd, workdir):
    odd = [f"<u{n}@odd.example>" for n in range(MANY)]
    moved = [f"<u{n}@moved.example>" for n in range(MANY)]
    last, changes = send(contentd, recipients=["<b@example.org>", *odd, *moved])
    assert last.command == "c", last
    assert addresses(changes, "-") == {*odd, *moved}
    assert addresses(changes, "+") == {f"{to[:-1]}.example>" for to in moved}
    kept = [json.loads(path.read_text()) for path in (workdir / "contentd/quarantine").glob("*.json")]
    assert [len(one["recipients"]) for one in kept] == [MANY]
    assert contentd.get("/health")[0] == 200


def test_all_header_fields_of_a_name_go(contentd):
    last, changes = send(contentd, headers=[("Subject", "x"), *[("X-Bare", "1")] * MANY])
    assert last.command == "c", last
    assert sum(change.command == "m" and b"X-Bare" in change.data for change in changes) == MANY


@pytest.mark.parametrize("count, word", [(1000, "c"), (1001, "y")])
def test_fields_of_filters_are_removed_or_too_many(contentd, count, word):
    last, changes = send(contentd, headers=[("Subject", "x"), *[("X-Spam-Status", "No")] * count], queue_id=f"4Xk{count}")
    assert last.command == word, last
    assert sum(change.command == "m" for change in changes) == (count if word == "c" else 0)
    if word == "y":
        assert re.match(r"554 5\.7\.1 Message has too many header fields of filters, ref=\w+", last.texts[0])
        line = wait_for(lambda: [line for line in contentd.decisions() if line["queue_id"] == "4Xk1001"], "it is logged")[0]
        assert line["verdict"] == "reject" and line["by"] == "forged", line
