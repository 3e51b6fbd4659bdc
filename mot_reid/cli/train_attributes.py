"""``mot-reid train-attributes``: a layer that reads clothing and bags in an embedder's embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mot_reid.cli.errors import usage_errors
from mot_reid.cli.options import QuietOption, show_tables
from mot_reid.cli.progress import WorkProgress
from mot_reid.files import same_file
from mot_reid.provenance import provenance
from mot_reid.video.files import prepare_output_file, prepare_output_folder
from mot_reid.wording import counted

if TYPE_CHECKING:
    from mot_reid.evaluation.tables import Table
    from mot_reid.training.reid.attribute_training import AttributeReading

__all__ = ["train_attributes"]


def train_attributes(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of crops in Market-1501's layout.")],
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="The embedder: ours, or a shipped one's name.")
    ],
    attributes: Annotated[
        Path,
        typer.Option(help="CSV file with the column identity and one for each attribute; cells are words."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write.", show_default="NAME_attributes.safetensors beside it"
        ),
    ] = None,
    held_out: Annotated[
        int, typer.Option(help="Identities to score on, which nothing is learnt from; 0 for none.", min=0)
    ] = 100,
    seed: Annotated[int, typer.Option(help="Decides which identities those are.")] = 0,
    tables: Annotated[
        Path | None, typer.Option(help="Save the scores there as JSON, CSV and Markdown.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    r"""Fit a layer that reads attributes, such as a backpack or the colour of a top, in embeddings.

    The embedder stays as it is: one linear layer behind it, calibrated on people left out in turn, so that
    a tracklet's mean embedding tells its attributes at no further pass. `mot-reid search --describe` uses it
    if it lies in weights/. Scored on tracklets of people that it never saw.

    What comes out are guesses about clothing, good for finding somebody again among few. They say nothing
    about who or what a person is, and are no ground for a decision about anybody.

    For example

    \b
    mot-reid train-attributes market1501 strong --attributes attributes.csv -o strong_attributes.safetensors
    """
    with usage_errors():
        from mot_reid.appearance.attributes import save_attributes
        from mot_reid.appearance.backends import load_backend
        from mot_reid.gallery.fingerprint import weights_fingerprint
        from mot_reid.resources import EMBEDDERS, find_weights
        from mot_reid.training.reid.attribute_head import read_attribute_table
        from mot_reid.training.reid.attribute_training import read_attributes_of_people
        from mot_reid.training.reid.evaluation import backend_embed

        path = find_weights(weights, (".safetensors", ".onnx"), EMBEDDERS)
        where = output or path.with_name(f"{path.stem}_attributes.safetensors")
        if same_file(where, path) or same_file(where, attributes):
            raise ValueError(f"--output {where}: that is what is read")
        if where.suffix != ".safetensors":
            raise ValueError(f"--output {where}: expected a name that ends in .safetensors")
        backend = load_backend(path, "cpu")
        table = read_attribute_table(attributes)
        prepare_output_file(where)
        if tables is not None:
            prepare_output_folder(tables)
    with WorkProgress(quiet) as progress, usage_errors():
        found = read_attributes_of_people(
            backend_embed(backend),
            backend.input_size,
            data,
            table,
            held_out=held_out,
            seed=seed,
            origin=weights_fingerprint(path),
            told=progress,
        )
    save_attributes(where, found.head)
    if found.scores:
        show_tables({f"{path.stem}_attributes": _table(found, path.stem)}, tables)
    typer.echo(f"written: {where}")


def _table(found: "AttributeReading", name: str) -> "Table":
    from mot_reid.evaluation.tables import Column, Table

    keys = ("accuracy", "balanced", "commonest", "calibration")
    rows = [
        {
            "attribute": score.name,
            **{key: 100 * getattr(score, key) for key in keys},
            "tracklets": score.entries,
        }
        for score in found.scores
    ]
    columns = [Column("attribute"), *(Column(key, digits=1) for key in keys), Column("tracklets")]
    title = f"Attributes read by {name}: {counted(found.tracklets, 'tracklet')} of people that it never saw"
    notes = [
        f"Learnt from {counted(found.people, 'person')}. balanced: mean over the values; commonest: "
        "what always saying the commonest value gives; calibration: "
        "how far the said probability is from the truth."
    ]
    return Table(title, columns, rows, provenance(), notes)
