"""Durable rows: nothing is lost by kill -9, nothing is kept twice, and two runs never mix."""

import os
import signal
import subprocess
import sys
import time

import pytest
from pydantic import BaseModel

from policies.train.records import Records, digest, read_records
from tools.errors import UsageError

HEADER = {"weights": "a"}
WRITER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from pydantic import BaseModel
from policies.train.records import Records
class Row(BaseModel):
    key: str
    value: int
with Records(Path({file!r}), Row, {{"weights": "a"}}) as rows:
    for number in range(100000):
        if str(number) not in rows:
            rows.append(Row(key=str(number), value=number))
            print(number, flush=True)
"""


class Row(BaseModel):
    key: str
    value: int = 0


def write(path, keys, header=HEADER):
    with Records(path, Row, header) as rows:
        for key in keys:
            if key not in rows:
                rows.append(Row(key=key))
        return len(rows)


def test_a_run_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    assert write(path, "ab") == 2
    assert write(path, "abcd") == 4
    assert [row.key for row in read_records(path, Row)] == list("abcd")


def test_a_key_is_kept_once(tmp_path):
    with Records(tmp_path / "rows.jsonl", Row, HEADER) as rows:
        rows.append(Row(key="a"))
        with pytest.raises(ValueError, match=r"a is in .* already"):
            rows.append(Row(key="a"))


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_line_cut_by_a_crash_is_written_again(tmp_path, cut):
    path = tmp_path / "rows.jsonl"
    write(path, "abc")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert len(read_records(path, Row)) == 2
    assert write(path, "abc") == 3
    assert path.read_bytes() == whole


def test_a_spoilt_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    write(path, "abc")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "nonsense\n", *lines[2:]]))
    with pytest.raises(UsageError, match=r"rows.jsonl:3 is no row"):
        write(path, "d")


def test_rows_of_another_run_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    write(path, "a")
    with pytest.raises(UsageError, match="weights is a there and b here"):
        write(path, "b", {"weights": "b"})


def test_two_processes_do_not_write_one_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    with Records(path, Row, HEADER), pytest.raises(UsageError, match="another process is writing"):
        Records(path, Row, HEADER)


def test_killed_at_any_moment_every_row_that_was_kept_is_there_once(tmp_path):
    path = tmp_path / "rows.jsonl"
    program = WRITER.format(path=[os.getcwd()], file=str(path))
    said = 0
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(20):
            said = int(process.stdout.readline())
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    values = [row.value for row in read_records(path, Row)]
    assert values == list(range(len(values)))
    assert len(values) > said


def test_no_rows_is_said(tmp_path):
    with pytest.raises(UsageError, match="there are no rows in"):
        read_records(tmp_path / "rows.jsonl", Row)


def test_the_digest_does_not_depend_on_the_order():
    one, two = Row(key="a", value=1), Row(key="b")
    assert digest([one, two]) == digest([two, one]) != digest([one])
