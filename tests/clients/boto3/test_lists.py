"""Lists of the control plane: boto3's paginators over 25 resources of each kind, filters and orders."""

import time
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, WaiterError
from control import BASELINE, Account, explainer, variant

N = 25
# Names in another order than their creation.
NAMES = [f"{'odd' if i % 2 else 'even'}-{(i * 7) % N:02}" for i in range(N)]
N_EARLY, N_FAILED = 10, 3
KINDS = {
    "models": ("list_models", "Models", "ModelName"),
    "configs": ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    "endpoints": ("list_endpoints", "Endpoints", "EndpointName"),
}


@pytest.fixture(scope="module")
def account(serve_api):
    """The last endpoints failed. boto3 sends whole seconds, so that some of everything is a second older."""
    account = Account(serve_api().url)
    for i, name in enumerate(NAMES):
        if i == N_EARLY:
            time.sleep(2)
        account.model(name)
        is_narrow = i >= N - N_FAILED
        account.config(name, [variant("A", name)], explainer("0" if is_narrow else BASELINE))
        account.endpoint(name)
    for name in NAMES[:-N_FAILED]:
        account.wait(name)
    for name in NAMES[-N_FAILED:]:
        with pytest.raises(WaiterError, match="terminal failure state"):
            account.wait(name)
    return account


def listed(account, kind, page_size=None, **filters):
    """The names on each page."""
    operation, key, name = KINDS[kind]
    paging = {"PaginationConfig": {"PageSize": page_size}} if page_size else {}
    pages = account.control.get_paginator(operation).paginate(**filters, **paging)
    return [[found[name] for found in page[key]] for page in pages]


def names(account, kind, **filters):
    return [name for page in listed(account, kind, **filters) for name in page]


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_come_first_ten_on_a_page(account, kind):
    pages = listed(account, kind)
    assert [len(page) for page in pages] == [10, 10, 5]
    assert sum(pages, []) == NAMES[::-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page_size", [1, 7, N, 100])
def test_pages_of_any_size_hold_everything_once(account, kind, page_size):
    pages = listed(account, kind, page_size, SortBy="Name", SortOrder="Ascending")
    assert all(len(page) == page_size for page in pages[:-1])
    assert sum(pages, []) == sorted(NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_orders_turn_around(account, kind):
    def ordered(**order):
        return names(account, kind, **order)

    assert ordered(SortBy="Name") == sorted(NAMES)[::-1]
    assert ordered(SortBy="CreationTime", SortOrder="Ascending") == NAMES


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_the_name_selects(account, kind):
    assert names(account, kind, NameContains="odd") == [name for name in NAMES[::-1] if "odd" in name]
    assert names(account, kind, NameContains="-0", SortBy="Name", SortOrder="Ascending") == sorted(
        name for name in NAMES if "-0" in name
    )
    assert listed(account, kind, NameContains="none") == [[]]


@pytest.mark.parametrize("kind", KINDS)
def test_times_of_creation_select(account, kind):
    operation, key, _ = KINDS[kind]
    found = getattr(account.control, operation)(MaxResults=100)[key]
    # The whole second in which the later ones began.
    border = found[N - 1 - N_EARLY]["CreationTime"].replace(microsecond=0)
    assert names(account, kind, CreationTimeAfter=border) == NAMES[N_EARLY:][::-1]
    assert names(account, kind, CreationTimeBefore=border) == NAMES[:N_EARLY][::-1]
    # The documentation counts what was created at this time as created after it.
    exact = found[N - 1 - N_EARLY]["CreationTime"]
    assert names(account, kind, CreationTimeAfter=exact) == NAMES[N_EARLY:][::-1]
    assert names(account, kind, CreationTimeBefore=exact) == NAMES[:N_EARLY][::-1]
    hour = timedelta(hours=1)
    assert len(names(account, kind, CreationTimeAfter=border - hour, CreationTimeBefore=border + hour)) == N
    assert names(account, kind, CreationTimeAfter=border + hour) == []


def test_endpoints_are_selected_by_their_last_change(account):
    changed = NAMES[4]
    time.sleep(1)
    weights = [{"VariantName": "A", "DesiredWeight": 2.0}]
    account.control.update_endpoint_weights_and_capacities(EndpointName=changed, DesiredWeightsAndCapacities=weights)
    border = account.wait(changed)["LastModifiedTime"].replace(microsecond=0)
    assert names(account, "endpoints", LastModifiedTimeAfter=border) == [changed]
    assert changed not in names(account, "endpoints", LastModifiedTimeBefore=border)
    assert names(account, "endpoints", CreationTimeAfter=border) == []


def test_endpoints_are_selected_and_ordered_by_their_status(account):
    failed = NAMES[-N_FAILED:]
    assert names(account, "endpoints", StatusEquals="Failed") == failed[::-1]
    assert sorted(names(account, "endpoints", StatusEquals="InService")) == sorted(NAMES[:-N_FAILED])
    assert names(account, "endpoints", StatusEquals="Deleting") == []
    ordered = names(account, "endpoints", SortBy="Status", SortOrder="Ascending")
    assert (sorted(ordered[:N_FAILED]), sorted(ordered)) == (sorted(failed), sorted(NAMES))
    assert sorted(names(account, "endpoints", SortBy="Status")[-N_FAILED:]) == sorted(failed)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_deleted_between_two_pages_moves_nobody(account, kind):
    operation, key, name = KINDS[kind]
    call = getattr(account.control, operation)
    account.model("last-model")
    account.config("last-config", [variant("A", "last-model")])
    account.serve("last-endpoint", [variant("A", "last-model")])
    newest = call(MaxResults=3)
    account.delete("last-endpoint")
    for left in ("last-endpoint", "last-config"):
        account.control.delete_endpoint_config(EndpointConfigName=left)
    account.control.delete_model(ModelName="last-model")
    rest, token = [], newest["NextToken"]
    while token:
        page = call(MaxResults=3, NextToken=token)
        rest, token = rest + page[key], page.get("NextToken")
    seen = [found[name] for found in newest[key] + rest]
    assert [name for name in seen if not name.startswith("last")] == NAMES[::-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("members", [{"MaxResults": 101}, {"NextToken": "made up"}, {"SortBy": "Size"}])
def test_pages_that_no_list_has_are_refused(account, kind, members):
    with pytest.raises(ClientError, match="ValidationException"):
        getattr(account.control, KINDS[kind][0])(**members)
