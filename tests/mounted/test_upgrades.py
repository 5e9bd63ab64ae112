"""An upgrade replaces the modules of a daemon that runs on: what it loaded from then on would be of another version."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.harness.programs import run
from tests.mounted.conftest import Serve
from tests.mounted.served import Served

PROGRAM = (sys.executable, str(Path(__file__).parents[1] / "harness" / "importing_katafs.py"))
KATA = "123456789A"
WORK = """
cd "$1"; echo content >f; mkdir d; mv f d/g; ln d/g h; ln -s d/g s; mkfifo p; chmod 640 h; chown 7:8 h; touch -d @1000 h
truncate -s 4 h; fallocate -l 10000 h; cat d/g s >/dev/null; ls -lR . >/dev/null; df . >/dev/null; sync h
git init -q lion; cd lion; echo x >manifest.json; git add -A; git -c user.name=a -c user.email=b commit -qm 1
git tag 1; cat tags/1.json; cd ..; rm -rf h s p d; true
"""


def work(served: Served) -> None:
    """Something of all that a mount is asked for, and what goes wrong."""
    run(["sh", "-c", WORK, "sh", served.make(KATA)])
    (served.top / ".katafs/status.json").read_text()
    log = os.open(served.top / ".katafs/accesslog", os.O_RDONLY | os.O_NONBLOCK)
    served.path(KATA).stat()
    os.close(log)
    url = re.search(r"url=(\S+)", served.mounted.log())
    assert url is not None
    urllib.request.urlopen(url[1], timeout=60).close()
    served.volume("BBBBBBBBBB").symlink_to("/")
    subprocess.run(["ls", served.path("BBBBBBBBBB") / "x"], check=False, capture_output=True)
    served.mounted.signal(signal.SIGUSR1)
    served.mounted.wait_for_log("stack of=MainThread")


def test_a_daemon_loads_nothing_once_it_is_mounted(serve: Serve) -> None:
    served = serve("-o", "metrics=0", program=PROGRAM)
    served.mounted.expect("refused|CorruptKata")
    work(served)
    served.mounted.stop()
    before, _, after = served.mounted.log().partition(": mounted path=")

    assert "loads katafs.mount.session" in before
    assert re.findall("^loads .*", after, re.MULTILINE) == []
