"""State dicts of other projects: which one a file is, what network it holds, and which tensor goes where.

Each public MGN names its tensors in its own way and differs from the paper in a few switches of
`mot_reid.appearance.mgn.MGN`. A `Layout` is a table of both; a file is told by a tensor that only it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.fit import abridged, require_fit
from mot_reid.appearance.mgn import HEADS, MGN, Pooling, StemPool
from mot_reid.appearance.network import EmbeddingNetwork
from mot_reid.appearance.osnet import OSNet

__all__ = ["LAYOUTS", "Layout", "Untold", "load_foreign"]


class Untold(NamedTuple):
    """What a foreign file does not tell; None stands for the custom of the project it comes from.

    Attributes:
        pooling: of an MGN's maps.
        stem_pool: how its stem's max pooling reaches over the edges.
        input_size: (h, w) in pixels.
    """

    pooling: Pooling | None = None
    stem_pool: StemPool | None = None
    input_size: tuple[int, int] | None = None


class Layout(NamedTuple):
    """How one project writes its networks.

    Attributes:
        project: where such files come from.
        mark: the name of a tensor that tells them from the layouts further down in `LAYOUTS`.
        prefixes: how our names of tensors begin, and how the file's do instead; `{}` for the same names.
        switches: arguments of `MGN`; empty for a plain OSNet.
        dropped: what names of tensors match that embeddings do not need: classifiers, and the normalisation,
            which is read separately.
        input_size: (h, w) in pixels that the project trains for.
    """

    project: str
    mark: str
    prefixes: Mapping[str, str]
    switches: Mapping[str, Any]
    dropped: str
    input_size: tuple[int, int] = (384, 128)

    def name(self, ours: str) -> str:
        """The file's name of a tensor of ours."""
        for prefix, theirs in self.prefixes.items():
            if ours.startswith(prefix):
                return theirs + ours.removeprefix(prefix)
        return ours


_BRANCHES = (1, 2, 3)


def _trunk(stem: str, branch: str) -> dict[str, str]:
    return {"stem.": f"{stem}.", **{f"b{number}.": f"{branch}{number}." for number in _BRANCHES}}


def _fastreid(**heads: str) -> dict[str, str]:
    """Prefixes of fast-reid, `{}` standing for its names of the eight heads, in the order of `HEADS`."""
    ours = {
        "pool": "pools.{}.",
        "conv": "reductions.{}.0.",
        "norm": "reductions.{}.1.",
        "neck": "reductions.{}.3.",
    }
    numbers = dict(enumerate(("1", "2", "3", "21", "22", "31", "32", "33")))
    return {
        **_trunk("backbone", "b"),
        **{f"extra_bns.{branch - 1}.": f"heads_extra_bn_b{branch}." for branch in _BRANCHES},
        **{
            ours[part].format(index): theirs.format(number)
            for part, theirs in heads.items()
            for index, number in numbers.items()
        },
    }


_OWN_REDUCTIONS = {f"reductions.{index}.": f"reduction_{index}." for index in range(len(HEADS))}
_SINCE_SEPTEMBER_2020 = _fastreid(
    pool="b{}_head.pool_layer.", conv="b{}_head.bottleneck.0.", norm="b{}_head.bottleneck.1."
)
_SIGNED = {"relu": False, "pooling": "gem", "global_stride": 1, "stem_pool": "ceil"}
_FASTREID_DROPPED = r"b\d+_head\.(classifier\.)?weight$|pixel_(mean|std)$"

LAYOUTS = (
    # Average pooling is the default of its command line, and of LightMBN's.
    Layout(
        "seathiefwang/MGN-pytorch or LightMBN",
        "backone.0.weight",
        {**_trunk("backone", "p"), **_OWN_REDUCTIONS},
        {"pooling": "avg"},
        r"fc_id_",
    ),
    Layout(
        "GNAYUOHZ/ReID-MGN",
        "reduction.0.weight",
        {**_trunk("backbone", "p"), "reductions.0.": "reduction."},
        {"shared_reduction": True},
        r"fc_id_",
    ),
    Layout(
        "levyfan/reid-mgn",
        "reduction_0.0.weight",
        {**_trunk("backbone", "p"), **_OWN_REDUCTIONS},
        {},
        r"fc_id_",
    ),
    # Until August 2020; the stem's pooling changed on the 14th, and the released files are older.
    Layout(
        "fast-reid 0.1",
        "b1_pool.1.weight",
        _fastreid(pool="b{}_pool.0.", conv="b{}_pool.1.", norm="b{}_pool.2.", neck="b{}_head.bnneck."),
        {"relu": True, "bnneck": True, "pooling": "gem", "global_stride": 1},
        _FASTREID_DROPPED,
    ),
    Layout(
        "fast-reid of LUPerson",
        "heads_extra_bn_b1.weight",
        _SINCE_SEPTEMBER_2020,
        {**_SIGNED, "extra_bn": True, "stem_pool": "pad"},
        _FASTREID_DROPPED,
    ),
    Layout(
        "fast-reid from 1.0 on",
        "b1_head.bottleneck.0.weight",
        _SINCE_SEPTEMBER_2020,
        _SIGNED,
        _FASTREID_DROPPED,
    ),
    Layout(
        "torchreid's OSNet", "conv2.0.conv2a.conv1.weight", {}, {}, r"classifier\.", input_size=(256, 128)
    ),
)
"""The layouts that are known, in the order in which their marks are looked for."""


def load_foreign(tensors: Mapping[str, Tensor], untold: Untold | None = None) -> EmbeddingNetwork:
    """Build the network of a foreign state dict.

    Args:
        tensors: by the names of the file, in float32.
        untold: what the file does not tell, where it is known.

    Raises:
        ValueError: if the layout is unknown, or the tensors do not fit it.
    """
    layout = next((layout for layout in LAYOUTS if layout.mark in tensors), None)
    if layout is None:
        raise ValueError(
            f"tensors of no known layout ({abridged(list(tensors))}); "
            f"known: {', '.join(layout.project for layout in LAYOUTS)}"
        )
    untold = untold or Untold()
    try:
        module = _build(layout, tensors, untold)
        expected = {layout.name(ours): tensor for ours, tensor in module.state_dict().items()}
        # PyTorch counts batches from 0.4.1 on, and embeddings do not need the count.
        counts = {name: torch.tensor(0) for name in expected if name.endswith(".num_batches_tracked")}
        found = counts | {name: t for name, t in tensors.items() if not re.match(layout.dropped, name)}
        require_fit(expected, found)
        mean, std = _pixel(tensors.get("pixel_mean")), _pixel(tensors.get("pixel_std"))
    except (ValueError, RuntimeError) as error:  # RuntimeError: a network of these sizes cannot be built
        raise ValueError(f"as a file of {layout.project}: {error}") from None
    module.load_state_dict({ours: found[layout.name(ours)] for ours in module.state_dict()}, assign=True)
    return EmbeddingNetwork(
        module.eval(),
        untold.input_size or layout.input_size,
        mean or IMAGENET_MEAN,
        std or IMAGENET_STD,
        module.dim,
    )


def _build(layout: Layout, tensors: Mapping[str, Tensor], untold: Untold) -> MGN | OSNet:
    """The network without its weights."""
    if not layout.prefixes:
        if untold.pooling or untold.stem_pool:
            raise ValueError("the pooling can be chosen for an MGN, not for a plain OSNet")
        width = _rows(tensors, "conv1.conv.weight", 64) / 64
        with torch.device("meta"):
            return OSNet(width, feature_dim=_rows(tensors, "fc.0.weight", 512))
    chosen = {"pooling": untold.pooling, "stem_pool": untold.stem_pool}
    switches = {**layout.switches, **{name: value for name, value in chosen.items() if value}}
    backbone = _backbone(tensors, layout.name("b1.0."))
    with torch.device("meta"):  # shapes only: nothing to initialise, nothing to allocate
        return MGN(backbone, _rows(tensors, layout.name("reductions.0.0.weight"), 256), **switches)


def _rows(tensors: Mapping[str, Tensor], name: str, default: int) -> int:
    return tensors[name].shape[0] if name in tensors and tensors[name].ndim else default


# Blocks of the third stage, and whether they are bottlenecks: He et al., arXiv:1512.03385, table 1.
_DEPTHS = {(2, False): 18, (6, False): 34, (6, True): 50, (23, True): 101, (36, True): 152}


def _backbone(tensors: Mapping[str, Tensor], prefix: str) -> str:
    """Which ResNet it is, from the rest of the third stage in the first branch; ResNet-50 if unclear."""
    rest = [name.removeprefix(prefix) for name in tensors if name.startswith(prefix)]
    blocks = 1 + len({name.split(".")[0] for name in rest})
    depth = _DEPTHS.get((blocks, any(".conv3." in name for name in rest)), 50)
    return f"resnet{depth}_ibn" if any(".bn1.IN." in name for name in rest) else f"resnet{depth}"


def _pixel(values: Tensor | None) -> tuple[float, float, float] | None:
    """A mean or deviation of pixels in 0..255, of which fast-reid's normalisation is, for pixels in 0..1."""
    if values is None:
        return None
    if values.numel() != 3:
        raise ValueError(f"its normalisation is not of three channels but {tuple(values.shape)}")
    red, green, blue = (float(value) / 255 for value in values.flatten())
    return red, green, blue
