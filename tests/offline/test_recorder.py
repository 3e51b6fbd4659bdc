import numpy as np

from mot_reid import Detections, Tracks
from mot_reid.config import OfflineConfig
from mot_reid.offline.recorder import Recorder

PLAIN = OfflineConfig(grow_score=1, link_time=0, fill_time=1, smooth_position=0, smooth_size=0)


def seen(left: float) -> Tracks:
    one = np.ones(1, np.int64)
    return Tracks(
        one, np.array([[left, 0, left + 40, 100]], np.float32), np.ones(1, np.float32), one * 0, one * 0
    )


def test_frame_numbers_with_a_stride_come_back() -> None:
    recorder = Recorder()
    for number, tracks in ((3, seen(0)), (6, Tracks.empty()), (9, seen(20))):
        recorder.add(number, tracks, Detections.empty(), None)
    refined = recorder.refined(PLAIN, fps=10)
    assert list(refined) == [3, 6, 9]
    assert refined[6].ids.tolist() == [1]
    assert refined[6].xyxy.tolist() == [[10, 0, 50, 100]]
    assert refined[6].detection_index.tolist() == [-1]


def test_nothing_seen() -> None:
    recorder = Recorder()
    assert recorder.refined(OfflineConfig(), fps=25) == {}
    recorder.add(1, Tracks.empty(), Detections.empty(), None)
    assert len(recorder.refined(OfflineConfig(), fps=25)[1]) == 0
