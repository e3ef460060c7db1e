"""A module `torchvision` with the few functions that transformers' video processors call, made of torch's own.

A real torchvision of the index replaces torch by another build, so that the tests do without. For resize it calls torch's
interpolate on uint8 and for normalize sub and div, as torchvision 0.28 does (its results were found equal bit for bit).
"""
import enum
import importlib.machinery
import sys
import types

import torch


class InterpolationMode(enum.Enum):
    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


def resize(image, size, interpolation, antialias):
    flat = image.reshape(-1, *image.shape[-3:])
    if tuple(size) == tuple(image.shape[-2:]):
        return image
    flat = torch.nn.functional.interpolate(flat, list(size), mode=interpolation.value, antialias=antialias)
    return flat.reshape(*image.shape[:-2], *flat.shape[-2:])


def normalize(image, mean, std):
    mean, std = (torch.as_tensor(v, dtype=image.dtype).view(-1, 1, 1) for v in (mean, std))
    return image.sub(mean).div(std)


def install():
    def module(name, **contents):
        made = types.ModuleType(name)
        made.__spec__ = importlib.machinery.ModuleSpec(name, None)
        made.__dict__.update(contents)
        sys.modules[name] = made
        return made

    functional = module("torchvision.transforms.v2.functional", resize=resize, normalize=normalize,
                        grayscale_to_rgb=lambda image: image, pil_to_tensor=None, InterpolationMode=InterpolationMode)
    plain = module("torchvision.transforms.functional", pil_to_tensor=None)
    v2 = module("torchvision.transforms.v2", functional=functional)
    transforms = module("torchvision.transforms", InterpolationMode=InterpolationMode, v2=v2, functional=plain)
    inout = module("torchvision.io", ImageReadMode=None, decode_image=None)
    module("torchvision", __version__="0.28.0", transforms=transforms, io=inout)
