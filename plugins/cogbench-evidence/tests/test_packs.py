"""Each pack that is shipped is whole, small, and of data that everybody may pass on."""

from pathlib import Path

import cogbench_evidence.packs
import pytest

from cogbench.testing import check_pack

PACKS = list(cogbench_evidence.packs.register_packs())
# Data whose texts everybody may pass on, so that features of them may be passed on too. Of MultiNLI most is under the
# OANC's licence, and the rest, fiction, in the public domain or under CC BY (Williams, Nangia & Bowman 2018, 2).
FREE = ("MIT", "Apache-2.0", "CC BY 3.0", "CC BY 4.0", "CC BY-SA 3.0", "CC BY-SA 4.0", "OANC")


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_a_pack_keeps_its_promises(pack):
    check_pack(pack)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_features_are_of_data_that_may_be_passed_on(pack):
    card = pack.content().card
    if card.views:
        assert {licence for licence in card.licences.values() if not licence.startswith(FREE)} == set()


def test_all_packs_together_fit_into_a_small_wheel():
    sizes = [Path(pack.file).stat().st_size for pack in PACKS]
    assert len(PACKS) >= 1 and sum(sizes) <= 25 * 2**20
