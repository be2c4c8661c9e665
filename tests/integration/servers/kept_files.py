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


def put_many(directory, count):
    """So many small ones, a millisecond apart, the last one now; fast. Their ids, oldest first."""
    directory.mkdir(exist_ok=True)
    body, first = b"Subject: kept\r\n\r\nbody\r\n", now_ms() - count
    text = json.dumps(description("@", -1, len(body), subject="kept #")).replace("-1", "%d").replace('"@"', '"%s"').replace("#", "%d")
    ids = [make_id(first + n) for n in range(count)]
    at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for n, kept in enumerate(ids):
        if n % 50000 == 0:  # so many names a file may have
            (directory / f"{kept}.eml").write_bytes(body)
        else:
            os.link(f"{ids[n // 50000 * 50000]}.eml", f"{kept}.eml", src_dir_fd=at, dst_dir_fd=at)
        file = os.open(f"{kept}.json", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=at)
        os.write(file, (text % (kept, first + n, n)).encode())
        os.close(file)
    os.close(at)
    return ids


def mark(directory, time_ms):
    """When the clock was believed last."""
    (directory / ".lock").touch()
    os.utime(directory / ".lock", (time_ms / 1000, time_ms / 1000))
