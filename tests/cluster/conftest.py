"""What the tests of batches share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clips(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos of PETS09-S2L1."""
    import av

    folder = tmp_path_factory.mktemp("clips")
    with av.open(str(data / "pets09-s2l1/PETS09-S2L1.avi")) as container:
        frames = [
            frame.to_ndarray(format="rgb24")
            for frame, _ in zip(container.decode(video=0), range(60), strict=False)
        ]
    for number in range(3):
        with av.open(str(folder / f"clip{number}.mp4"), "w") as out:
            stream = out.add_stream("libx264", 10)
            stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
            for frame in frames[10 * number : 10 * number + 24]:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            out.mux(stream.encode(None))
    return folder
