"""``pyhades cache``."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from pyhades.cli import main
from pyhades.llm.cache.disk import open_disk_level
from tests.support.disk_records import SHAPES, record_of, segments


def run(*arguments, **options):
    return CliRunner().invoke(main, ["cache", *map(str, arguments)], **options)


def filled(folder, name="toy", numbers=range(1, 11), age=0.0):
    facts = {"name": f"of/{name}", "weights": name, "model": "x" * 200}
    level = open_disk_level(folder, facts, 1 << 20, SHAPES)
    for number in numbers:
        level.put(record_of(number, last=time.time() - age))
    return level


@pytest.fixture
def cache(tmp_path):
    filled(tmp_path).close()
    filled(tmp_path, "other", range(1, 6), 3 * 86_400).close()
    return tmp_path


def test_stats_are_a_table(cache):
    result = run("stats", cache)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split()[:4] == ["model", "folder", "records", "tokens"]
    toy, other = (next(x for x in lines if x.startswith(name)) for name in ("toy", "other"))
    assert toy.split()[2:4] == ["10", "160"] and toy.endswith("no")
    assert other.split()[2:4] == ["5", "80"] and "3 d ago" in other
    assert "name: of/toy" in result.output and "x" * 58 not in result.output


def test_stats_as_json(cache):
    found = json.loads(run("stats", cache, "--json").output)
    assert sorted(each["facts"]["name"] for each in found) == ["of/other", "of/toy"]
    assert sum(each["records"] for each in found) == 15


def test_stats_of_one_model(cache):
    folder = segments(cache)[0].parent
    found = json.loads(run("stats", folder, "--json").output)
    assert [each["folder"] for each in found] == [str(folder)]


def test_stats_say_what_is_in_use(tmp_path):
    level = filled(tmp_path)
    assert run("stats", tmp_path).output.splitlines()[1].endswith("yes")
    level.close()


@pytest.mark.parametrize("what", ["stats", "verify", "clear"])
def test_nothing_is_kept(tmp_path, what):
    result = run(what, tmp_path)
    assert (result.exit_code, result.output) == (0, f"nothing is kept in {tmp_path}\n")
    assert run(what, tmp_path / "missing").exit_code == 2


def test_verify_is_content(cache):
    result = run("verify", cache)
    assert result.exit_code == 0
    assert result.output.count("0 damaged; 0 cannot be reached") == 2
    assert "10 records are right" in result.output


def test_verify_finds_damage(cache):
    path = segments(cache)[0]
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    result = run("verify", cache, "-q")
    assert result.exit_code == 1
    assert f"DAMAGED {path}: at byte" in result.output and "1 damaged" in result.output


def test_verify_tells_of_what_a_kill_has_torn(cache):
    path = segments(cache)[0]
    path.write_bytes(path.read_bytes()[:-50])
    result = run("verify", cache)
    assert result.exit_code == 0 and f"torn: {path}" in result.output


def test_verify_while_somebody_writes(tmp_path):
    level = filled(tmp_path)
    result = run("verify", tmp_path)
    assert result.exit_code == 0 and "10 records are right" in result.output
    level.close()


def test_clear_asks(cache):
    assert run("clear", cache, input="n\n").exit_code == 1
    assert len(segments(cache)) == 2
    result = run("clear", cache, input="y\n")
    assert result.exit_code == 0 and "remove everything of 2 models" in result.output
    assert not segments(cache)
    assert "nothing is kept" in run("stats", cache).output


def test_clear_what_is_old(cache):
    result = run("clear", cache, "--yes", "--older-than", "2d")
    assert result.exit_code == 0 and "removed 1 file" in result.output
    found = json.loads(run("stats", cache, "--json").output)
    assert [each["facts"]["name"] for each in found] == ["of/toy"]


@pytest.mark.parametrize("age", ["", "2", "two days", "2w", "-1d"])
def test_ages_that_are_none(cache, age):
    result = run("clear", cache, "--yes", f"--older-than={age}")
    assert result.exit_code == 2 and "30d, 12h" in result.output
    assert len(segments(cache)) == 2


def test_what_is_in_use_is_not_cleared(cache):
    level = filled(cache, "third")
    result = run("clear", cache, "--yes")
    assert result.exit_code == 1
    assert f"{level.folder}: in use by a process" in result.output
    assert [path.parent for path in segments(cache)] == [level.folder]
    level.close()
    assert run("clear", cache, "--yes").exit_code == 0 and not segments(cache)
