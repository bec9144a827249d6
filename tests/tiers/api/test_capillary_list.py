from tests.tiers.api import gemstone
from tests.tiers.api.conftest import assert_same


def test_the_list_is_the_vendors_own_example(ask, payload, maya, chen, aude):
    gemstone.make(maya, chen)
    answer = ask({"programId": 973}, by=aude)
    assert answer.status_code == 200
    assert_same(answer.json(), payload("list_973"))
