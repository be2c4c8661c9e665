"""Kept messages as contentd writes them into a directory (common/quarantine/folder.h), made by hand."""
import json
import os
import random
import time

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"


def now_ms():
    return time.time_ns() // 1000000


def make_id(time_ms):
    return "".join(LETTERS[time_ms >> 5 * n & 31] for n in reversed(range(10))) + "".join(random.choices(LETTERS, k=10))


def description(kept, time_ms, size, **members):
    """What ID.json says, members replaced."""
    texts = dict.fromkeys(["queue_id", "client_address", "client_name", "helo_name", "sasl_username", "sender_arguments",
                           "reference", "message_id"], "")
    return {"id": kept, "time_ms": time_ms, "size": size, **texts, "sender": "sender@example.net", "reason": "test",
            "subject": "kept", "from": "sender@example.net", "smtputf8": False,
            "recipients": [{"address": "a@example.org", "arguments": ""}], "findings": [], **members}


def put(directory, message=b"Subject: kept\r\n\r\nbody\r\n", time_ms=None, **members):
    """Puts one there; its id."""
    time_ms = now_ms() if time_ms is None else time_ms
    kept = make_id(time_ms)
    directory.mkdir(exist_ok=True)
    (directory / f"{kept}.eml").write_bytes(message)
    (directory / f"{kept}.json").write_text(json.dumps(description(kept, time_ms, len(message), **members)))
    return kept


def mark(directory, time_ms):
    """When the clock was believed last."""
    (directory / ".lock").touch()
    os.utime(directory / ".lock", (time_ms / 1000, time_ms / 1000))
