"""Folds batch norms and one-sided padding into the kernels beside them: the same network, faster.

It knows nothing about models, files or prompts.
"""

from typing import Any

from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Put every batch norm of a timm tower into the convolution before it: the same function, one pass less a layer."""
    for parent in network.modules():
        before: nn.Conv2d | None = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                before = child
            elif isinstance(child, BatchNormAct2d) and before is not None:
                fused = fuse_conv_bn_eval(before, child)  # type: ignore[arg-type]
                before.weight, before.bias, before = fused.weight, fused.bias, None
                setattr(parent, name, child.act)
    return network


def fold_padding(network: nn.Module) -> nn.Module:
    """Put the one-sided padding of TensorFlow's strided convolutions into their kernels, as a first row of zeros.

    The same function wherever stride 2 meets an even side, without a padded copy of each image.
    """
    for parent in network.modules():
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2dSame) and child.stride == (2, 2):  # type: ignore[arg-type]
                setattr(parent, name, _padded_within(child))
    return network


def _padded_within(conv: Any) -> nn.Conv2d:
    side = conv.kernel_size[0]
    wide = nn.Conv2d(
        conv.in_channels, conv.out_channels, side + 1, 2, side // 2, groups=conv.groups, bias=conv.bias is not None
    )
    wide.weight = nn.Parameter(pad(conv.weight.detach(), (1, 0, 1, 0)))
    wide.bias = conv.bias
    return wide
