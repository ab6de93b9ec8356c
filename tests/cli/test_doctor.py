"""`doctor`: what it finds, and what it makes of trouble."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from streamrestore.cli.checkup import Check, Checkup, Choice, Extra, Machine, check_up
from streamrestore.cli.main import commands
from streamrestore.encode.codecs import CODECS, CodecSpec


@pytest.fixture
def found(monkeypatch):
    """Have `doctor` find what is given over a healthy checkup."""

    def give(**more):
        values = {
            "versions": {"torch": "2.13.0"},
            "machine": Machine("Linux", 2, 8_000_000_000, None),
            "choices": (Choice("device", "cpu", "no CUDA device was found"),),
            "tiers": {"fast": {"rain": 9.3, "noise": None}},
            "weights": (Check("fast-noise", "SHA-256 0123, as published"),),
            "encoders": (Check("h264", "libx264 opens"),),
            "extras": (Extra("dali", {}, ("nvidia-dali-cuda130",), "pip install 'streamrestore[dali]'"),),
        }
        monkeypatch.setattr("streamrestore.cli.checkup.check_up", lambda: Checkup(**(values | more)))
        return CliRunner()

    return give


def test_healthy(found):
    """Everything works: status 0, and what is missing has its pip command on a line of its own."""
    result = found().invoke(commands, ["doctor"])
    assert result.exit_code == 0
    assert "cpu: no CUDA device was found" in result.stdout
    assert "8.0 GB" in result.stdout
    assert "rain 9.3, noise" in result.stdout
    assert "pip install 'streamrestore[dali]'" in [line.strip() for line in result.stdout.splitlines()]


def test_trouble_is_status_1(found):
    """Altered weights are a problem, at the end and in the status."""
    result = found(weights=(Check("fast-noise", problem="altered since"),)).invoke(commands, ["doctor"])
    assert result.exit_code == 1
    assert "problem: fast-noise: altered since" in result.stdout


def test_real_json():
    """On this machine every encoder opens, and all is there for programs."""
    result = CliRunner().invoke(commands, ["doctor", "--json"])
    found = json.loads(result.stdout)
    assert {check["name"]: check["problem"] for check in found["encoders"]} == dict.fromkeys(CODECS, "")
    assert {"streamrestore", "torch", "av", "FFmpeg", "pyzmq"} <= set(found["versions"])
    assert {choice["name"] for choice in found["choices"]} >= {"device", "precision", "threads"}
    assert found["machine"]["cores"] >= 1
    assert {extra["name"] for extra in found["extras"]} >= {"dali", "web", "detect", "cluster"}


def test_encoder_that_is_not_there(monkeypatch):
    """An encoder that this FFmpeg lacks is told, and does not stop the rest."""
    missing = CodecSpec("h264", "libnothing", ("yuv420p",))
    monkeypatch.setattr("streamrestore.encode.codecs.CODECS", {"h264": missing})
    (check,) = check_up().encoders
    assert "libnothing does not open" in check.problem
