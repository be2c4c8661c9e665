"""One scanner looks at a message, without a milter around it (tests/programs/scan_file.c)."""
import base64
import email.utils
import json
import os
import pathlib
import subprocess

from .process import ROOT

PROGRAM = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build")) / "tests/scan_file"


def message(body, subject="a test", attachment=None):
    """A message of now (spam filters go by its date) as text; `attachment`, bytes, comes in base64."""
    head = f"From: sender@example.net\nTo: recipient@example.org\nSubject: {subject}\nMessage-ID: <1@example.net>\n" \
           f"Date: {email.utils.formatdate()}\nMIME-Version: 1.0\n"
    if attachment is None:
        return f"{head}Content-Type: text/plain\n\n{body}\n"
    encoded = base64.encodebytes(attachment).decode()
    return f'{head}Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n{body}\n' \
           '--b\nContent-Type: application/octet-stream; name="x.bin"\nContent-Transfer-Encoding: base64\n' \
           f"\n{encoded}\n--b--\n"


def start(scanner, text, **settings):
    """The process, with the message sent; its output is JSON, one finding a line. A list is a repeated setting."""
    words = [f"{name}={value}" for name, values in settings.items()
             for value in (values if isinstance(values, list) else [values])]
    child = subprocess.Popen([PROGRAM, scanner, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, bufsize=0)
    child.stdin.write(text if isinstance(text, bytes) else text.encode())
    child.stdin.close()
    return child


def finish(child, timeout=600):
    """All findings. Fails when the program did, or a sanitizer has found something."""
    child.stdin = None
    out, error = child.communicate(timeout=timeout)
    assert child.returncode == 0, error.decode(errors="replace")
    return [json.loads(line) for line in out.splitlines()]


def scan_all(scanner, text, **settings):
    return finish(start(scanner, text, **settings))


def scan(scanner, text, **settings):
    (finding,) = scan_all(scanner, text, **settings)
    return finding
