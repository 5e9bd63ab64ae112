"""Changes made behind a mount of which the kernel keeps nothing: none is ever missed."""

import mmap
import os
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.faulty_katafs import asking
from tests.harness.mounted import PROGRAM
from tests.harness.orders import SHELL, Orders
from tests.harness.programs import run
from tests.harness.rounds import Rounds
from tests.mounted.conftest import Serve
from tests.mounted.served import fresh_id

ROUNDS = 2000


def test_nothing_stale_in_many_rounds(serve: Serve) -> None:
    needs.programs("busybox")
    served = serve("-o", "timeout=0,negative_timeout=3600")
    kata = fresh_id()
    shown: Path = served.make(kata)
    with Orders(SHELL, cwd=served.volume(kata)) as order:
        Rounds(shown, order).run(ROUNDS)


WORK = """
git init -q .
echo one >f
git add f
git -c user.name=lion -c user.email=lion@example.org commit -qm 1
git fsck --strict
dd if=/dev/urandom of=big bs=100k count=15 status=none
cp big copy
cmp big copy
for i in 1 2 3; do echo $i >>lines; done
test "$(cat lines | tr '\\n' ' ')" = "1 2 3 "
truncate -s 5 big
test "$(stat -c %s big)" = 5
printf '#!/bin/sh\\necho ran\\n' >run
chmod +x run
test "$(./run)" = ran
"""


@pytest.mark.parametrize("program", [PROGRAM, asking()], ids=["passthrough", "asking"])
def test_programs_work_where_nothing_is_kept(serve: Serve, program: tuple[str, ...]) -> None:
    needs.programs("git")
    served = serve("-o", "timeout=0", program=program)
    kata = fresh_id()
    shown, behind = served.make(kata), served.volume(kata)
    run(["sh", "-ec", WORK], cwd=shown)
    (behind / "mapped").write_bytes(bytes(10_000))
    with (shown / "mapped").open("r+b") as file, mmap.mmap(file.fileno(), 10_000) as mapped:
        mapped[5_000:5_003] = b"new"
        mapped.flush()
        assert os.pread(file.fileno(), 3, 5_000) == b"new"
        os.pwrite(file.fileno(), b"old", 5_000)
        assert mapped[5_000:5_003] == b"old"

    assert (behind / "mapped").read_bytes()[4_999:5_004] == b"\0old\0"
