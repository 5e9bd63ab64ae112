"""Avatars whose `.git` a container wrote to do harm, and what reading their tags must come to.

Every avatar has tags 0 and 1; an attack is on tag 1, and on tag 0 where it can't be on one alone. `outside` is a good
avatar that isn't the attacker's, whose files all say SECRET; `canary` is a file that exists as soon as anything ran.
"""

from tests.harness.hostile_git import chains, damage, outside, programs, refs, sizes
from tests.harness.hostile_git.attack import SECRET, Attack, Outcome, built

__all__ = ["ATTACKS", "SECRET", "Attack", "Outcome", "built"]

ATTACKS = programs.ATTACKS | outside.ATTACKS | refs.ATTACKS | sizes.ATTACKS | chains.ATTACKS | damage.ATTACKS
"""By name; `built` makes one."""
