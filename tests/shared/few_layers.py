"""A backbone of few layers, for trainings in which the network is not what is tested.

Of OSNet's hundreds of tensors a tiny training copies and saves all, most of its time. As a program,
``python few_layers.py ARGUMENTS`` is ``mot-reid ARGUMENTS`` that knows it.
"""

import torch

from mot_reid.appearance import backbones
from mot_reid.appearance.osnet import ConvLayer, LightConv

__all__ = ["NAME", "PARTS", "FewLayers"]

NAME = "few_layers"


class FewLayers(torch.nn.Module):
    """Of OSNet's parts; a map of stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Sequential(ConvLayer(3, 16, kernel=7, stride=4), torch.nn.MaxPool2d(4))
        self.rest = torch.nn.Sequential(LightConv(16), ConvLayer(16, 32))

    def split(self) -> backbones.BackboneSplit:
        return backbones.BackboneSplit(self.stem, self.rest, 32)


PARTS = (FewLayers, FewLayers.split)
"""To be put under its `NAME` into the table of the backbones."""

if __name__ == "__main__":
    from mot_reid.cli import main

    backbones._BACKBONES[NAME] = PARTS
    main()
