"""What every test shares: Hypothesis profiles and the rule for programs that the machine may lack.

Profiles (chosen by `HYPOTHESIS_PROFILE` or pytest's `--hypothesis-profile`):

* `dev`, the default: a small number of fresh random examples; a failure prints the blob that repeats it.
* `ci`, the default where `CI` is set: the same examples for the same code, so that a red run can be repeated.
* `deep`: many fresh examples, for a night or a hunt.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.sr_report import pytest_addoption, pytest_configure  # noqa: F401  # hooks of --sr-report

# No deadline: examples are judged by what they do, and two cores may be shared by many.
settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=100, deadline=None, print_blob=True, derandomize=True, database=None)
settings.register_profile(
    "deep", max_examples=5_000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
# The keyring of whoever runs the tests is none of theirs, and nothing they do is recorded.
os.environ["ITBPUMP_KEYRING"] = "off"
os.environ.pop("ITBPUMP_CAPTURE", None)
os.environ.pop("ITBPUMP_KEYLOG", None)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector of cycles from looking through ten thousand tests again and again: a seventh of all their time.

    What is loaded to run them lives to the end, so it is set aside; garbage in cycles is still found, after more of it has gathered.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(700, 15, 100)
        gc.enable()


@pytest.fixture(scope="session")
def requires_program() -> Callable[[str], str]:
    """`requires_program("tshark")` gives the program's path; absent, the test is skipped, or failed where `CI` is set.

    A skip on a build machine would let a test vanish unseen, hence the difference.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is not None:
            return path
        message = f"the program {name!r} is not on this machine: install it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

    return find
