#!/usr/bin/python3
"""Builds with every compiler and sanitizer, runs all tests, prints each failure and last of all one line:

    N passed, N failed[, N skipped]

Everything is also in build/test/*.log. `test_all.py [lint|build|unit|integration]...` runs only these parts.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "test"
CPUS = os.cpu_count() or 1
AT_A_TIME = 2 * CPUS  # tests: they wait for others most of the time
# What a build is for: its name as in `make VARIANT=`, and whether its unit tests are run.
VARIANTS = [("", True), ("clang", False), ("asan", True), ("tsan", True), ("fuzz", False)]
# What is made of a variant, if not everything that its tests need.
TARGETS = {"clang": ["objects"], "fuzz": ["fuzzers"]}
# The daemon that the integration tests start: all of them with the normal build, hostile input with the sanitizers too.
INTEGRATION = [("", []), ("asan", ["-m", "sanitized"]), ("tsan", ["-m", "sanitized"])]
# For what hangs: a machine that is slow, or busy, comes nowhere near. A whole run takes some minutes.
STEP_TIMEOUT_S = 1800
ALL_TIMEOUT_S = 3600
SANITIZER_ENV = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:quarantine_size_mb=4",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp",
}


class Tally:
    """Counts, and tells of a failure as soon as it is known."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, what, passed=0, skipped=0, failures=(), output=""):
        self.passed += passed
        self.skipped += skipped
        self.failed += len(failures)
        if failures:
            print(output.rstrip())
        for failure in failures:
            print(f"FAILED {what}: {failure}", flush=True)


def tree(variant):
    """Where `make VARIANT=variant` puts things."""
    return ROOT / "build" / variant if variant else ROOT / "build"


def run(log_name, argv, timeout, env=None):
    """(exit status, output); the status is None when the time is over."""
    log = LOGS / f"{log_name}.log"
    with open(log, "wb") as out:
        try:
            status = subprocess.run(
                argv, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            status = None
    return status, log.read_text(errors="replace")


def ended(status):
    if status is None:
        return "did not end in time"
    return f"killed by signal {-status}" if status < 0 else f"ended with status {status}"


def lint(tally):
    _, output = run("lint", ["scripts/lint"], STEP_TIMEOUT_S)
    failures = re.findall(r"^not ok (.*)$", output, re.M)
    passed = len(re.findall(r"^ok ", output, re.M))
    if not passed and not failures:
        failures = ["nothing was checked"]
    tally.add("lint", passed=passed, failures=failures, output=output)


def build(tally):
    for variant, _ in VARIANTS:
        name = variant or "gcc"
        status, output = run(
            f"build-{name}",
            ["make", f"-j{CPUS}", f"VARIANT={variant}", "WERROR=1",
             *TARGETS.get(variant, ["all", "units", "test-programs", *(["benches", "man"] if not variant else [])])], ALL_TIMEOUT_S)
        failures = [] if status == 0 else [ended(status)]
        tally.add(f"build {name}", passed=int(status == 0), failures=failures,
                  output="\n".join(output.splitlines()[-60:]))


def units_of(variant):
    names = sorted(path.relative_to(ROOT / "tests/unit").with_suffix("")
                   for path in (ROOT / "tests/unit").glob("**/test_*.c"))
    return [(variant, name) for name in names]


def unit(tally):
    def one(case):
        variant, name = case
        program = tree(variant) / "unit" / name
        if not program.exists():
            return case, -1, "not built"
        label = f"unit-{variant or 'gcc'}-{str(name).replace('/', '-')}"
        return case, *run(label, [program], STEP_TIMEOUT_S,
                          {"CMOCKA_MESSAGE_OUTPUT": "TAP", **SANITIZER_ENV})

    cases = [case for variant, run_them in VARIANTS if run_them for case in units_of(variant)]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for (variant, name), status, output in pool.map(one, cases):
            failures = re.findall(r"^not ok \d+ - (\S+)", output, re.M)
            skipped = len(re.findall(r"^ok .*# SKIP", output, re.M))
            passed = len(re.findall(r"^ok \d+", output, re.M)) - skipped
            planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", output, re.M))
            if not failures and (status != 0 or passed + skipped < max(planned, 1)):
                failures = [ended(status)]
            tally.add(f"unit {name} ({variant or 'gcc'})", passed=passed, skipped=skipped,
                      failures=failures, output=output)


def integration(tally):
    for variant, chosen in INTEGRATION:
        name = variant or "gcc"
        report = LOGS / f"integration-{name}.xml"
        report.unlink(missing_ok=True)
        status, output = run(
            f"integration-{name}",
            ["/usr/bin/python3", "-m", "pytest", "-q", "-n", str(min(AT_A_TIME, 8)), "--dist", "loadfile", "-p", "no:cacheprovider",
             f"--junitxml={report}", *chosen, "tests/integration"],
            ALL_TIMEOUT_S, {"GATEHOUSE_BUILD": str(tree(variant)), **SANITIZER_ENV})
        failures, passed, skipped = [ended(status)] if status != 0 else [], 0, 0
        if report.exists():
            cases = xml.etree.ElementTree.parse(report).getroot().findall(".//testcase")
            bad = [f"{case.get('classname')}::{case.get('name')}" for case in cases
                   if case.find("failure") is not None or case.find("error") is not None]
            failures = bad or failures
            skipped = sum(case.find("skipped") is not None for case in cases)
            passed = len(cases) - len(bad) - skipped
        tally.add(f"integration ({name})", passed=passed, skipped=skipped, failures=failures,
                  output=output)


PARTS = {"build": build, "lint": lint, "unit": unit, "integration": integration}


def main():
    chosen = sys.argv[1:] or list(PARTS)
    if any(part not in PARTS for part in chosen):
        sys.exit(f"usage: {sys.argv[0]} [{'|'.join(PARTS)}]...")
    LOGS.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    for part in chosen:
        start = time.monotonic()
        PARTS[part](tally)
        print(f"{part}: {time.monotonic() - start:.0f} s, so far {tally.passed} passed, "
              f"{tally.failed} failed", flush=True)
    print(f"{tally.passed} passed, {tally.failed} failed"
          + (f", {tally.skipped} skipped" if tally.skipped else ""))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
