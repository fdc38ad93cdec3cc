"""What a budget is judged on, and which products go back to float for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import identify
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.judging import Judge, doubt_of
from pyhades.segmentation.quantize.pictures import (
    JUDGED,
    Picture,
    digest_of,
    given_pictures,
    made_pictures,
    split,
)
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.scores import Budget, Score, bound_of
from pyhades.segmentation.quantize.search import by_gain, choose
from pyhades.segmentation.quantize.work import work_of
from tests.support.small_networks import SIDE, Net, pictures, unet


def scores(*losses):
    return tuple(Score(str(i), loss / 2, 1 - loss, loss) for i, loss in enumerate(losses))


def test_the_bound_is_the_end_of_a_confidence_interval():
    rng = np.random.default_rng(0)
    # Of a distribution whose mean is 1: in some 19 of 20 draws the bound is not below it.
    many = [bound_of(scores(*rng.gamma(2, 0.5, 100)))["band"] for _ in range(1000)]
    assert 0.9 < np.mean(np.array(many) >= 1) < 0.98
    one = bound_of(scores(0.25))
    assert one == {"mae": 0.125, "iou": 0.75, "band": 0.25}


def test_a_mean_within_is_not_enough_where_pictures_differ():
    even, uneven = scores(*[0.005] * 20), scores(*[0.001] * 19, 0.081)
    assert np.isclose(np.mean([1 - s.iou for s in uneven]), 0.005)
    budget = Budget(iou=0.993)
    assert budget.holds(even) and not budget.holds(uneven)


def test_part_of_the_pictures_tells_the_least_that_all_need():
    budget = Budget(iou=0.99)
    assert budget.spent(scores(0.02, 0.04), pictures=10) == pytest.approx(0.6)
    assert budget.spent(scores(0.02, 0.04)) == pytest.approx(3)


def test_no_ranges_are_found_on_what_masks_are_judged_on():
    made = made_pictures()
    known, held = split(made)
    assert len(held) == JUDGED and not {p.number for p in known} & {p.number for p in held}
    assert digest_of(made) != digest_of(known)
    few, more = (split(given_pictures(pictures(count))) for count in (7, 12))
    assert [len(part) for part in (*few, *more)] == [6, 1, 10, 2]


@pytest.fixture(scope="module")
def judged():
    net = Net()
    last = net.conv("last", net.relu(net.conv("inner", net.x, 8)), 1)
    graph = net.graph(net.named("mask", net.one("Sigmoid", last)))
    other = Net(seed=0)
    last = other.conv("last", other.relu(other.conv("inner", other.x, 8)), 1)
    last = other.one("Add", last, other.build.constant(np.float32(0.2)))
    moved = other.graph(other.named("mask", other.one("Sigmoid", last)))
    found = identify(graph, None, input_size=(SIDE, SIDE))
    calibration = Calibration(found, EngineOptions(threads=1), lambda *_: None)
    named = [Picture(str(i), image) for i, image in enumerate(pictures(6))]
    return calibration, graph, moved, named


def test_scenes_of_which_the_network_is_sure_are_not_judged(judged):
    calibration, graph, _, _ = judged
    scenes = made_pictures(0, judged=5)
    doubts = [doubt_of(mask) for mask in calibration.masks(graph, scenes)]
    found = Judge(calibration, graph, scenes, Budget(mae=1)).scores(graph)
    wanted = np.argsort(doubts)[2:]
    assert [s.picture for s in found] == [scenes[i].name for i in sorted(wanted)]


@pytest.mark.parametrize("nothing", [1, 6])
def test_scenes_in_which_nothing_is_found_are_not_judged(judged, nothing, monkeypatch):
    calibration, graph, _, _ = judged
    levels = np.array([0.9, 0.6, 0.7, 0.8, 0.95, 0.99], np.float32)
    masks = [np.full((4, 4), level) for level in levels]
    masks[:nothing] = [np.full((4, 4), 1e-4, np.float32)] * nothing
    monkeypatch.setattr(calibration, "masks", lambda *_: iter(masks))
    scenes = made_pictures(0, judged=6)
    judge = Judge(calibration, graph, scenes, Budget(mae=1))
    # Of a network that finds nothing at all, every scene.
    wanted = scenes if nothing == 6 else scenes[1:4]
    kept = len(wanted)
    assert judge.pictures(range(kept)) == wanted and len(judge.hardest(9)) == kept


def test_doubt_is_what_an_error_of_logits_costs():
    logits = np.random.default_rng(3).normal(size=(40, 40))
    mask, moved = (1 / (1 + np.exp(-x)) for x in (logits, logits + 1e-3))
    lost = 1 - Score.of("", moved.astype(np.float32), mask.astype(np.float32)).iou
    assert lost == pytest.approx(1e-3 * doubt_of(mask), rel=1e-2)
    assert doubt_of(mask > 0.5) == doubt_of(0 * mask) == 0


def test_a_judge_stops_when_the_budget_is_spent(judged, monkeypatch):
    calibration, graph, moved, named = judged
    judge = Judge(calibration, graph, named, Budget(mae=0.01))
    assert [score.mae for score in judge.scores(graph)] == [0] * 6
    all_of_them = judge.scores(moved)
    assert [score.picture for score in all_of_them] == list("012345")
    assert judge.hardest(2) == sorted(range(6), key=lambda i: -all_of_them[i].mae)[:2]
    looked = []
    monkeypatch.setattr(calibration, "step", lambda what, done, total: looked.append(done))
    assert judge.attempt(moved) is None and max(looked, default=0) < 6
    assert Judge(calibration, graph, named, Budget(mae=1)).attempt(moved) == all_of_them


@dataclass
class Losses:
    """A judge of graphs that are sets of names: squares of what each costs add up."""

    costs: dict[str, float]
    budget: Budget = field(default_factory=lambda: Budget(iou=0.9))
    whole: int = 0

    def loss(self, names):
        return sum(self.costs[name] ** 2 for name in names) ** 0.5

    def scores(self, graph):
        self.whole += 1
        return scores(self.loss(graph), self.loss(graph))

    def attempt(self, graph):
        found = scores(self.loss(graph), self.loss(graph))
        return found if self.budget.spent(found) <= 1 else None

    def hardest(self, count):
        return [0]


@dataclass(frozen=True)
class Named:
    name: str


def chosen(costs, work):
    judge = Losses(costs)
    found = choose(
        [Named(name) for name in costs], work, lambda some: [p.name for p in some], judge,
        lambda some, _: judge.loss([p.name for p in some]), lambda *_: None,
    )  # fmt: skip
    return found, {p.name for p in found.products}, judge


def test_what_costs_much_of_the_mask_and_little_time_goes_back_first():
    costs = {str(i): 0.02 for i in range(16)} | {"cheap": 0.12, "dear": 0.05}
    work = dict.fromkeys(costs, 1.0) | {"cheap": 0.1, "dear": 100.0}
    found, names, judge = chosen(costs, work)
    assert names == set(costs) - {"cheap"} and judge.budget.holds(found.scores)
    gain = by_gain(costs, work)
    assert gain["cheap"] > gain["0"] and gain["0"] > gain["dear"]


def test_nothing_goes_back_where_the_budget_holds():
    costs = {str(i): 0.01 for i in range(8)}
    found, names, judge = chosen(costs, dict.fromkeys(costs, 1.0))
    assert names == set(costs) and judge.whole == 1 and found.errors == {}


def test_at_most_nine_tenths_go_back():
    costs = {str(i): 1.0 + i for i in range(20)}
    found, names, judge = chosen(costs, dict.fromkeys(costs, 1.0))
    assert names == set("01") and not judge.budget.holds(found.scores)
    assert found.errors == costs


@pytest.mark.parametrize("count", [1, 2, 3])
def test_something_stays_in_int8(count):
    costs = {str(i): 1.0 + i for i in range(count)}
    found, names, judge = chosen(costs, dict.fromkeys(costs, 1.0))
    assert names == {"0"} and not judge.budget.holds(found.scores)


@pytest.mark.parametrize("side", [SIDE, "side"])
def test_the_work_of_products(side):
    graph = prepare(unet(side))
    products = find_products(graph)
    work = work_of(graph, products, {"x": np.zeros((1, 3, SIDE, SIDE), np.float32)})
    assert work["first"] == 2 * 16 * 27 * SIDE**2
    assert work["deep"] == 2 * 16 * 16 * 9 * (SIDE // 2) ** 2
