"""Which looks are asked for: leads against brute force, the budget by hand, ambiguity in small scenes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.association.budget import _RESERVE, EmbeddingBudget
from mot_reid.config import AssociationConfig, load_config
from mot_reid.kernels.numpy.association import leads

SIZE = np.array([40, 100])
RED, GREEN, BLUE = np.eye(3, 8, dtype=np.float32)


def configured(*settings: str) -> AssociationConfig:
    """The settings of association with some changed, such as ``"tentative.min_hits=3"``."""
    return load_config(None, [f"association.{setting}" for setting in settings]).association


class Watched:
    """A tracker of people of 40 x 100 pixels that notes whose looks it asks for."""

    def __init__(self, share: float) -> None:
        self.tracker = Associator(configured(f"embedding.share={share}"))
        self.asked: list[list[int]] = []

    def step(self, *people: tuple[float, float, np.ndarray], scores: list[float] | None = None) -> list[int]:
        corners = np.array([(x, y) for x, y, _ in people], float).reshape(-1, 2)
        self.asked.append([])

        def embed(rows: np.ndarray) -> np.ndarray:
            self.asked[-1] += rows.tolist()
            return np.stack([people[row][2] for row in rows])

        detections = Detections(np.hstack([corners, corners + SIZE]), scores)
        return self.tracker.step(detections, embed=embed).ids.tolist()


def brute_force_leads(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray) -> list[float]:
    def lead(keys: np.ndarray, key: int) -> float:
        cheapest = sorted(costs[keys == key])[:2]
        return cheapest[1] - cheapest[0] if len(cheapest) == 2 else np.inf

    return [min(lead(rows, r), lead(columns, c)) for r, c in zip(rows, columns, strict=True)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 5)), max_size=20))
def test_leads_agree_with_brute_force(pairs: list[tuple[int, int, int]]) -> None:
    distinct = list({(r, c): (r, c, cost / 4) for r, c, cost in pairs}.values())
    rows, columns, costs = np.array(distinct, float).reshape(-1, 3).T
    rows, columns = rows.astype(np.intp), columns.astype(np.intp)
    np.testing.assert_array_equal(leads(rows, columns, costs), brute_force_leads(rows, columns, costs))


def test_ambiguity_come_first_and_gain_leave_a_reserve() -> None:
    budget = EmbeddingBudget(0.25)
    worth = np.array([True, True, True, True, False])
    clear, useful = np.full(5, np.inf), np.array([0, 4.0, 3.0, 2.0, 9.0])
    ambiguity = np.array([0.1, 0.2, np.inf, np.inf, 0])
    first = budget.choose(worth, ambiguity, useful)
    assert first.tolist() == [True, True, False, False, False]  # 21 are saved, 20 of them the reserve
    assert budget.choose(worth, clear, useful).tolist() == [False, True, False, False, False]  # full again
    assert not budget.choose(worth, clear, useful / 2).any()  # for these it would have to be twice that
    assert budget.choose(worth, clear, 2 * useful).tolist() == [False, True, True, False, False]
    for _ in range(30):  # four a frame go out, one comes in
        last = budget.choose(worth, np.array([0.2, 0.1, 0, 0.3, 0]), useful)
    assert last.tolist() == [False, False, True, False, False]


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 0.99), st.lists(st.integers(0, 12), max_size=60), st.integers(0, 2**32 - 1))
def test_no_more_than_the_share_and_the_reserve_is_ever_asked_for(
    share: float, counts: list[int], seed: int
) -> None:
    random, budget, asked = np.random.default_rng(seed), EmbeddingBudget(share), 0
    for count in counts:
        ambiguity = np.where(random.random(count) < 0.5, random.random(count), np.inf)
        chosen = budget.choose(np.ones(count, bool), ambiguity, random.random(count))
        asked += int(chosen.sum())
    first = next((count for count in counts if count), 0)
    assert asked <= share * (sum(counts) + _RESERVE * first) + 1e-9


def test_savings_outlast_an_empty_scene() -> None:
    """Who comes back when nobody was there for long is looked at as fully as anybody."""
    budget, nobody = EmbeddingBudget(0.2), np.zeros(0)
    everybody = np.ones(10, bool)
    budget.choose(everybody, np.full(10, np.inf), np.zeros(10))
    for _ in range(20_000):
        assert not budget.choose(np.zeros(0, bool), nobody, nobody).any()
    assert budget.choose(everybody, np.zeros(10), np.zeros(10)).all()


def test_a_share_of_one_asks_for_every_confident_detection() -> None:
    watched = Watched(share=1)
    for _ in range(5):
        watched.step((0, 0, RED), (300, 0, GREEN), (600, 0, BLUE), scores=[0.9, 0.9, 0.3])
    assert watched.asked == [[0, 1]] * 5


def test_a_share_of_zero_is_motion_alone() -> None:
    watched, blind = Watched(share=0), Associator()
    for x in range(0, 200, 10):
        boxes = np.array([[x, 0, x + 40, 100], [190 - x, 8, 230 - x, 108]], float)
        seen = watched.step((x, 0, RED), (190 - x, 8, GREEN))
        assert seen == blind.step(Detections(boxes)).ids.tolist()
    assert watched.asked == [[]] * 20


def test_everybody_is_looked_at_now_and_then() -> None:
    watched = Watched(share=0.2)
    for _ in range(100):
        watched.step((0, 0, RED), (300, 0, GREEN), (600, 0, BLUE))
    asked = [row for rows in watched.asked for row in rows]
    assert 40 <= len(asked) <= 60
    assert np.bincount(asked).min() >= len(asked) / 3 - 1


def test_who_begins_to_be_covered_is_looked_at_more_often() -> None:
    watched = Watched(share=0.2)
    for _ in range(200):
        watched.step((0, 5, RED), (32, 0, GREEN), (600, 0, BLUE))  # a fifth of the second is behind the first
    in_front, behind, apart = np.bincount([row for rows in watched.asked for row in rows])
    assert behind >= 1.5 * max(in_front, apart)


def test_a_new_face_is_looked_at_though_it_is_half_covered() -> None:
    watched = Watched(share=0.2)
    watched.step((0, 5, RED), (20, 0, GREEN))
    assert watched.asked == [[0, 1]]


def test_an_embedding_stands_for_the_views_that_were_let_pass() -> None:
    """The moving average gets as far with one look in five as with five: people look the same all along."""
    full, selective = Watched(share=1), Watched(share=0.2)
    for watched in (full, selective):
        watched.step((0, 0, RED), (600, 0, GREEN))
        for _ in range(60):
            watched.step((0, 0, BLUE), (600, 0, GREEN))
    first, second = (watched.tracker._table.embeddings[0] for watched in (full, selective))
    assert first @ second > 0.99


def test_where_two_meet_both_are_looked_at() -> None:
    watched = Watched(share=0.2)
    for _ in range(60):
        watched.step((0, 0, RED), (100, 0, BLUE), (600, 0, GREEN))
    for _ in range(4):
        watched.step((48, 0, RED), (52, 0, BLUE), (600, 0, GREEN))
    assert all({0, 1} <= set(rows) for rows in watched.asked[-3:])
    assert watched.step((52, 0, RED), (48, 0, BLUE), (600, 0, GREEN)) == [1, 2, 3]


def test_who_turns_up_where_one_was_lost_is_looked_at_and_comes_back() -> None:
    watched = Watched(share=0.1)
    for _ in range(60):
        watched.step((0, 0, RED), (600, 0, GREEN))
    for _ in range(80):
        watched.step((600, 0, GREEN))
    assert watched.step((600, 0, GREEN), (150, 20, RED)) == [2, 1]
    assert 1 in watched.asked[-1]


def test_an_embedder_that_fails_leaves_everything_as_it_was() -> None:
    def failing(rows: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    clean, troubled = (
        Associator(configured("embedding.share=0.5")),
        Associator(configured("embedding.share=0.5")),
    )
    random = np.random.default_rng(1)
    for number in range(30):
        corners = np.array([(8.0 * number, 0), (200 - 6.0 * number, 20), (500, 5)]) + random.normal(
            size=(3, 2)
        )
        detections = Detections(np.hstack([corners, corners + SIZE]))
        looks = np.eye(3, 8, dtype=np.float32)
        before = troubled._number
        try:
            troubled.step(detections, embed=failing)
        except RuntimeError:
            assert troubled._number == before
            b = troubled.step(detections, embed=lambda rows, looks=looks: looks[rows])
            a = clean.step(detections, embed=lambda rows, looks=looks: looks[rows])
            np.testing.assert_array_equal(a.ids, b.ids)
            np.testing.assert_array_equal(a.xyxy, b.xyxy)
        else:  # nobody was asked about
            clean.step(detections, embed=failing)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match=r"embedding\.share: expected a value between 0 and 1"):
        configured(f"embedding.share={share}")


def test_embeddings_that_detections_carry_are_all_used() -> None:
    """They cost nothing: the result is that of asking for everything, and nothing is asked for."""
    random = np.random.default_rng(4)
    carrying, asking = Associator(), Associator(configured("embedding.share=1.0"))
    for number in range(40):
        corners = np.array([(8.0 * number, 0), (200 - 6.0 * number, 20), (500, 5)])
        corners += random.normal(size=(3, 2))
        xyxy = np.hstack([corners, corners + SIZE])[random.random(3) < 0.9]
        looks = np.eye(3, 8, dtype=np.float32)[: len(xyxy)]
        seen = carrying.step(Detections(xyxy, embeddings=looks))
        expected = asking.step(Detections(xyxy), embed=lambda rows, looks=looks: looks[rows])
        np.testing.assert_array_equal(seen.ids, expected.ids)
        np.testing.assert_array_equal(seen.xyxy, expected.xyxy)
    assert carrying.embedded == asking.embedded == asking.embeddable


def test_savings_have_a_bound() -> None:
    """After a long calm, a crowd in doubt is looked at in full for a while, not for ever."""
    budget, everybody = EmbeddingBudget(0.2), np.ones(10, bool)
    for _ in range(5000):
        budget.choose(everybody, np.full(10, np.inf), np.zeros(10))
    asked = [int(budget.choose(everybody, np.zeros(10), np.zeros(10)).sum()) for _ in range(40)]
    assert asked[:10] == [10] * 10
    assert sum(asked[20:]) == 20 * 2


def test_a_tiny_share_still_looks_at_somebody_in_the_end() -> None:
    budget, one = EmbeddingBudget(0.001), np.ones(1, bool)
    asked = sum(int(budget.choose(one, np.zeros(1), np.zeros(1)).sum()) for _ in range(5000))
    assert asked == 5


def test_an_embedder_that_keeps_failing_uses_nothing_up() -> None:
    def failing(rows: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    tracker = Associator(configured("embedding.share=0.2"))
    both = Detections([[0, 0, 40, 100], [300, 0, 340, 100]])
    for _ in range(50):
        with pytest.raises(RuntimeError):
            tracker.step(both, embed=failing)
    tracker.step(both, embed=lambda rows: np.eye(2, 8, dtype=np.float32)[rows])
    assert (tracker.embedded, tracker.embeddable) == (2, 2)


def test_an_embedding_stands_for_no_more_views_than_are_usual() -> None:
    watched = Watched(share=0.2)
    for _ in range(60):  # the first few embeddings are averaged, each as much as the others
        watched.step((0, 0, RED), (600, 0, GREEN))
    watched.tracker._table.rows["unembedded_views"][0] = 500  # the others were ambiguous all the time
    watched.step((0, 0, BLUE), (600, 0, GREEN))
    assert watched.asked[-1] == [0]
    assert watched.tracker._table.embeddings[0] @ RED > 0.9


def test_who_comes_back_by_overlap_is_looked_at() -> None:
    for wait in range(60, 70):
        watched = Watched(share=0.1)
        for _ in range(wait):
            watched.step((0, 0, RED), (600, 0, GREEN))
        for _ in range(6):
            watched.step((600, 0, GREEN))
        watched.step((0, 0, RED), (600, 0, GREEN))
        assert 0 in watched.asked[-1]


def test_a_covered_view_that_teaches_nothing_is_not_paid_for() -> None:
    watched = Watched(share=0.2)
    for _ in range(100):
        watched.step((0, 20, RED), (10, 0, GREEN), (600, 0, BLUE))
    assert 1 not in [row for rows in watched.asked[2:] for row in rows]


@pytest.mark.parametrize("lost", [True, False])
def test_who_begins_while_somebody_is_lost_is_looked_at_until_he_is_known(lost: bool) -> None:
    watched = Watched(0.2)
    stays, other = (300, 100, RED), [(900, 100, BLUE)]
    for _ in range(60):
        watched.step(stays, *other)
    for _ in range(30):
        watched.step(stays, *([] if lost else other))
    watched.asked.clear()
    for x in range(20):
        watched.step(stays, (600 + x, 100, GREEN), *([] if lost else other))
    looked_at = [1 in rows for rows in watched.asked]
    assert all(looked_at[:10]) if lost else sum(looked_at[:10]) < 5
    assert not all(looked_at)
