"""The file of what later frames say of earlier ids."""

import json
from pathlib import Path

from mot_reid.association.reentry import IdChange
from mot_reid.pipeline.id_changes import ID_CHANGES_FILE, IdChangesFile


def test_a_line_for_each_change_in_the_sources_numbers(tmp_path: Path) -> None:
    file = IdChangesFile(tmp_path)
    begun = [file.put(number, []) for number in (10, 12, 14)]
    change = IdChange(before=5, now=2, frame=2, time=0.4, undone=False)
    begun += [file.put(16, [change]), file.put(18, [IdChange(2, 6, 4, 0.8, undone=True)])]
    file.close()
    assert begun == [False, False, False, True, False]
    lines = [json.loads(line) for line in (tmp_path / ID_CHANGES_FILE).read_text().splitlines()]
    assert lines == [
        {"told": 16, "before": 5, "now": 2, "frame": 12, "time": 0.4, "undone": False},
        {"told": 18, "before": 2, "now": 6, "frame": 16, "time": 0.8, "undone": True},
    ]


def test_without_a_change_there_is_no_file_nor_an_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / ID_CHANGES_FILE).write_text("old\n")
    file = IdChangesFile(tmp_path)
    file.put(1, [])
    file.close()
    assert not (tmp_path / ID_CHANGES_FILE).exists()
