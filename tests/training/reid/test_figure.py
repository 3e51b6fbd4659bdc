import numpy as np

from mot_reid.training.reid.crops import CropSet
from mot_reid.training.reid.figure import RIGHT, WRONG, choose_queries, draw_galleries


def test_queries_from_the_worst_to_the_best() -> None:
    scores = np.array([0.5, np.nan, 0.1, 0.9, 0.7])
    assert choose_queries(scores, 3).tolist() == [2, 0, 3] or choose_queries(scores, 3).tolist() == [2, 4, 3]
    assert choose_queries(scores, 99).tolist() == [2, 0, 4, 3]


def test_frames_tell_right_from_wrong() -> None:
    def crops(identities: list[int], cameras: list[int], level: int) -> CropSet:
        images = np.full((len(identities), 96, 48, 3), level, np.uint8)
        return CropSet(images, np.array(identities), np.array(cameras))

    query, gallery = crops([1], [1], 10), crops([1, 2, 1, 3], [1, 1, 2, 2], 200)
    similarity = np.array([[0.9, 0.8, 0.7, 0.6]], np.float32)
    picture = draw_galleries(query, gallery, similarity, [0], np.array([0.5]), top=3)
    assert picture.dtype == np.uint8
    # The first of the gallery is of the query's camera: left out. Then wrong, right, wrong.
    frames = [tuple(int(v) for v in picture[23, x + 10]) for x in range(84, picture.shape[1] - 20, 78)]
    assert frames == [WRONG, RIGHT, WRONG]
    fewer = draw_galleries(query, gallery, similarity, [0], np.array([0.5]), top=9)
    assert (fewer[23, 84 + 3 * 78 + 10] == 255).all()
