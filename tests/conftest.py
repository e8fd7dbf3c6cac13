"""What every test may count on."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """An interrupt interrupts, also where a shell that started the suite in the background has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
