"""ACLs that somebody has set inside a volume: they aren't applied, which is a limit that the README tells."""

import os
from pathlib import Path

import pytest

from tests.harness import needs
from tests.harness.odd_trees import acl
from tests.harness.programs import as_user
from tests.mounted.conftest import Serve

KATA = "123456789A"
NAMED, OTHER, GROUP = 1234, 4321, 5555


@pytest.fixture
def file(serve: Serve) -> Path:
    """A file that its ACL lets one named user read, and not its group."""
    needs.root()
    served = serve()
    served.make(KATA)
    behind = served.volume(KATA) / "f"
    behind.write_text("content")
    os.chown(behind, 0, GROUP)
    os.setxattr(behind, "system.posix_acl_access", acl(NAMED, 4, group=0))
    return served.path(KATA) / "f"


def test_whom_an_acl_names_has_no_rights_by_it(file: Path) -> None:
    with pytest.raises(PermissionError):
        as_user(NAMED, NAMED).call(file.read_text)


def test_the_group_has_the_rights_that_ls_shows_which_are_the_acls_mask(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o640
    assert as_user(OTHER, GROUP).call(file.read_text) == "content"
