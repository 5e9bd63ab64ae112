"""Changes made behind a mount of which the kernel keeps nothing: none is ever missed."""

from pathlib import Path

from tests.harness import needs
from tests.harness.orders import SHELL, Orders
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
