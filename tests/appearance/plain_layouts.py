"""The public state dicts of MGN read plainly, tensor by tensor, to compare our loader with.

Random state dicts in each layout, and the embedding that the layout's project computes from them, written
from the description of the layouts with nothing of the package.
"""

from collections.abc import Callable, Iterator
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
Pool = Callable[[Tensor], Tensor]

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
FASTREID_HEADS = ("1", "2", "3", "21", "22", "31", "32", "33")
CLASSIFIERS = [f"fc_id_2048_{i}" for i in range(3)] + [
    f"fc_id_256_{i}" for i in ("1_0", "1_1", "2_0", "2_1", "2_2")
]


# --- Random state dicts -------------------------------------------------------------------------------------


def conv(name: str, outputs: int, inputs: int, kernel: int) -> State:
    spread = (2 / (inputs * kernel * kernel)) ** 0.5
    return {f"{name}.weight": (torch.randn(outputs, inputs, kernel, kernel) * spread).half()}


def norm(name: str, channels: int) -> State:
    return {
        f"{name}.weight": torch.rand(channels) + 0.5,
        f"{name}.bias": torch.randn(channels) * 0.2,
        f"{name}.running_mean": torch.randn(channels) * 0.2,
        f"{name}.running_var": torch.rand(channels) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def ibn(name: str, channels: int) -> State:
    half = channels // 2
    instance = {f"{name}.IN.weight": torch.rand(half) + 0.5, f"{name}.IN.bias": torch.randn(half) * 0.2}
    return instance | norm(f"{name}.BN", half)


def block(name: str, inputs: int, width: int, bottleneck: bool, with_ibn: bool) -> State:
    first_norm = ibn if with_ibn else norm
    outputs = 4 * width if bottleneck else width
    kernels = ((1, width), (3, width), (1, outputs)) if bottleneck else ((3, width), (3, width))
    state: State = {}
    channels = inputs
    for index, (kernel, out) in enumerate(kernels, start=1):
        state |= conv(f"{name}.conv{index}", out, channels, kernel)
        state |= (first_norm if index == 1 else norm)(f"{name}.bn{index}", out)
        channels = out
    if inputs != outputs:
        state |= conv(f"{name}.downsample.0", outputs, inputs, 1) | norm(f"{name}.downsample.1", outputs)
    return state


def trunk(resnet: str, stem: str, branch: str, with_ibn: bool = False) -> State:
    """Stem and three branches: `stem.0` to `stem.6` and `branch1.0`, `branch1.1` and so on."""
    bottleneck = resnet == "resnet50"
    grow = 4 if bottleneck else 1
    counts = BLOCKS[resnet]
    state = conv(f"{stem}.0", 64, 3, 7) | norm(f"{stem}.1", 64)
    inputs = 64
    for layer, width in ((4, 64), (5, 128)):
        for index in range(counts[layer - 4]):
            state |= block(f"{stem}.{layer}.{index}", inputs, width, bottleneck, with_ibn)
            inputs = width * grow
    state |= block(f"{stem}.6", inputs, 256, bottleneck, with_ibn)
    for number in (1, 2, 3):
        for index in range(counts[2] - 1):
            state |= block(f"{branch}{number}.0.{index}", 256 * grow, 256, bottleneck, with_ibn)
        inputs = 256 * grow
        for index in range(counts[3]):
            state |= block(f"{branch}{number}.1.{index}", inputs, 512, bottleneck, False)
            inputs = 512 * grow
    return state


def reduction(first: str, second: str, channels: int, dim: int) -> State:
    return conv(first, dim, channels, 1) | norm(second, dim)


def plain_classifiers(dim: int) -> State:
    return {
        f"{name}.{part}": torch.zeros(*shape)
        for name in CLASSIFIERS
        for part, shape in (("weight", (5, dim)), ("bias", (5,)))
    }


def state_s(trunk_: State, channels: int, dim: int) -> State:
    heads = [reduction(f"reduction_{i}.0", f"reduction_{i}.1", channels, dim) for i in range(8)]
    return trunk_ | merged(heads) | plain_classifiers(dim)


state_l = state_s  # but for its stem, which is spelt backbone


def state_g(trunk_: State, channels: int, dim: int) -> State:
    return trunk_ | reduction("reduction.0", "reduction.1", channels, dim) | plain_classifiers(dim)


def pixels(mean: tuple[float, ...], std: tuple[float, ...]) -> State:
    return {
        "pixel_mean": torch.tensor(mean).view(1, 3, 1, 1),
        "pixel_std": torch.tensor(std).view(1, 3, 1, 1),
    }


def state_f1(trunk_: State, channels: int, dim: int) -> State:
    power = torch.tensor([2.5])  # of one module, which all heads share
    heads = [
        {f"b{x}_pool.0.p": power}
        | reduction(f"b{x}_pool.1", f"b{x}_pool.2", channels, dim)
        | norm(f"b{x}_head.bnneck", dim)
        | {f"b{x}_head.classifier.weight": torch.zeros(5, dim)}
        for x in FASTREID_HEADS
    ]
    return trunk_ | merged(heads) | pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def state_f2(trunk_: State, channels: int, dim: int) -> State:
    heads = [
        {f"b{x}_head.pool_layer.p": torch.tensor([2 + index / 4])}
        | reduction(f"b{x}_head.bottleneck.0", f"b{x}_head.bottleneck.1", channels, dim)
        | {f"b{x}_head.classifier.weight": torch.zeros(5, dim)}
        for index, x in enumerate(FASTREID_HEADS)
    ]
    return trunk_ | merged(heads) | pixels((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))


def state_f3(trunk_: State, channels: int, dim: int) -> State:
    state = {
        name.replace(".classifier.", "."): tensor for name, tensor in state_f2(trunk_, channels, dim).items()
    }
    return {name: tensor for name, tensor in state.items() if not name.startswith("pixel_")}


def state_luperson(trunk_: State, channels: int, dim: int) -> State:
    extra = merged([norm(f"heads_extra_bn_b{number}", channels) for number in (1, 2, 3)])
    return state_f2(trunk_, channels, dim) | extra | pixels((89.896, 79.2, 80.073), (63.872, 64.305, 63.839))


def merged(states: list[State]) -> State:
    return {name: tensor for state in states for name, tensor in state.items()}


# --- What each project computes from them -------------------------------------------------------------------


def batch_norm(s: State, name: str, x: Tensor) -> Tensor:
    statistics = s[f"{name}.running_mean"], s[f"{name}.running_var"]
    return F.batch_norm(x, *statistics, s[f"{name}.weight"], s[f"{name}.bias"], eps=1e-5)


def first_norm(s: State, name: str, x: Tensor) -> Tensor:
    if f"{name}.IN.weight" not in s:
        return batch_norm(s, name, x)
    half = len(s[f"{name}.IN.weight"])
    instance = F.instance_norm(x[:, :half], weight=s[f"{name}.IN.weight"], bias=s[f"{name}.IN.bias"])
    return torch.cat((instance, batch_norm(s, f"{name}.BN", x[:, half:])), dim=1)


def run_block(s: State, name: str, x: Tensor, stride: int) -> Tensor:
    short = x
    if f"{name}.downsample.0.weight" in s:
        short = batch_norm(
            s, f"{name}.downsample.1", F.conv2d(x, s[f"{name}.downsample.0.weight"], stride=stride)
        )
    c1, c2 = s[f"{name}.conv1.weight"], s[f"{name}.conv2.weight"]
    if f"{name}.conv3.weight" in s:  # a bottleneck, with its stride in the 3x3 convolution
        y = F.relu(first_norm(s, f"{name}.bn1", F.conv2d(x, c1)))
        y = F.relu(batch_norm(s, f"{name}.bn2", F.conv2d(y, c2, stride=stride, padding=1)))
        y = batch_norm(s, f"{name}.bn3", F.conv2d(y, s[f"{name}.conv3.weight"]))
    else:
        y = F.relu(first_norm(s, f"{name}.bn1", F.conv2d(x, c1, stride=stride, padding=1)))
        y = batch_norm(s, f"{name}.bn2", F.conv2d(y, c2, padding=1))
    return F.relu(y + short)


def run_stage(s: State, name: str, x: Tensor, stride: int) -> Tensor:
    for index in count():
        if f"{name}.{index}.conv1.weight" not in s:
            return x
        x = run_block(s, f"{name}.{index}", x, stride if index == 0 else 1)
    raise AssertionError


def run_stem(s: State, stem: str, x: Tensor, ceil: bool = False) -> Tensor:
    x = F.relu(batch_norm(s, f"{stem}.1", F.conv2d(x, s[f"{stem}.0.weight"], stride=2, padding=3)))
    x = F.max_pool2d(x, 3, 2, ceil_mode=True) if ceil else F.max_pool2d(x, 3, 2, padding=1)
    x = run_stage(s, f"{stem}.5", run_stage(s, f"{stem}.4", x, 1), 2)
    return run_block(s, f"{stem}.6", x, 2)


def run_branch(s: State, branch: str, x: Tensor, stride: int) -> Tensor:
    return run_stage(s, f"{branch}.1", run_stage(s, f"{branch}.0", x, 1), stride)


def maximum(x: Tensor) -> Tensor:
    return F.adaptive_max_pool2d(x, 1)


def mean(x: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(x, 1)


def generalised_mean(p: Tensor) -> Pool:
    return lambda x: F.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(p), 1).pow(1 / p)


def strips(m2: Tensor, m3: Tensor) -> Iterator[Tensor]:
    half, third = m2.shape[2] // 2, m3.shape[2] // 3
    yield from (m2[:, :, :half], m2[:, :, half:])
    yield from (m3[:, :, :third], m3[:, :, third : 2 * third], m3[:, :, 2 * third :])


def reduce(s: State, conv_: str, norm_: str, z: Tensor) -> Tensor:
    return batch_norm(s, norm_, F.conv2d(z, s[f"{conv_}.weight"]))


def plain_mgn(s: State, x: Tensor, stem: str, pool: Pool, names: list[str]) -> list[Tensor]:
    """The eight features of S, G and L in the order g1, g2, g3, p2_0, p2_1, p3_0, p3_1, p3_2."""
    shared = run_stem(s, stem, x)
    maps = [run_branch(s, f"p{number}", shared, stride) for number, stride in ((1, 2), (2, 1), (3, 1))]
    regions = [*maps, *strips(maps[1], maps[2])]
    return [
        F.relu(reduce(s, f"{name}.0", f"{name}.1", pool(region))).flatten(1)
        for name, region in zip(names, regions, strict=True)
    ]


OWN = [f"reduction_{i}" for i in range(8)]


def embed_s(s: State, x: Tensor) -> Tensor:
    return torch.cat(plain_mgn(s, x, "backone", mean, OWN), dim=1)


def embed_s_max(s: State, x: Tensor) -> Tensor:
    return torch.cat(plain_mgn(s, x, "backone", maximum, OWN), dim=1)


def embed_g(s: State, x: Tensor) -> Tensor:
    return torch.cat(plain_mgn(s, x, "backbone", maximum, ["reduction"] * 8), dim=1)


def embed_l(s: State, x: Tensor) -> Tensor:
    g1, g2, g3, p20, p21, p30, p31, p32 = plain_mgn(s, x, "backbone", maximum, OWN)
    return torch.cat((g1, g2, p20, p21, g3, p30, p31, p32), dim=1)


def fastreid_maps(s: State, x: Tensor, ceil: bool) -> list[Tensor]:
    """The regions of the heads 1, 2, 3, 21, 22, 31, 32, 33; all branches have stride 1."""
    shared = run_stem(s, "backbone", x, ceil)
    maps = [run_branch(s, f"b{number}", shared, 1) for number in (1, 2, 3)]
    if "heads_extra_bn_b1.weight" in s:
        maps = [batch_norm(s, f"heads_extra_bn_b{number}", m) for number, m in enumerate(maps, start=1)]
    return [*maps, *strips(maps[1], maps[2])]


def embed_f1(s: State, x: Tensor) -> Tensor:
    features = []
    for head, region in zip(FASTREID_HEADS, fastreid_maps(s, x, ceil=False), strict=True):
        z = generalised_mean(s[f"b{head}_pool.0.p"])(region)
        reduced = F.relu(reduce(s, f"b{head}_pool.1", f"b{head}_pool.2", z))
        features.append(batch_norm(s, f"b{head}_head.bnneck", reduced).flatten(1))
    return torch.cat(features, dim=1)


def embed_f2(s: State, x: Tensor, ceil: bool = True) -> Tensor:
    features = []
    for head, region in zip(FASTREID_HEADS, fastreid_maps(s, x, ceil), strict=True):
        z = generalised_mean(s[f"b{head}_head.pool_layer.p"])(region)
        features.append(reduce(s, f"b{head}_head.bottleneck.0", f"b{head}_head.bottleneck.1", z).flatten(1))
    return torch.cat(features, dim=1)


def embed_luperson(s: State, x: Tensor) -> Tensor:
    return embed_f2(s, x, ceil=False)


# --- How each project feeds its network ---------------------------------------------------------------------


def imagenet_input(crops: Tensor) -> Tensor:
    """Crops (N, h, w, 3) uint8 BGR as RGB in 0..1, normalised."""
    rgb = crops.flip(-1).permute(0, 3, 1, 2) / 255
    center, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (rgb - center[:, None, None]) / spread[:, None, None]


def fastreid_input(s: State, crops: Tensor) -> Tensor:
    """Crops (N, h, w, 3) uint8 BGR as RGB in 0..255, normalised by the file's tensors where it has them."""
    rgb = crops.flip(-1).permute(0, 3, 1, 2).float()
    default = pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    return (rgb - s.get("pixel_mean", default["pixel_mean"])) / s.get("pixel_std", default["pixel_std"])
