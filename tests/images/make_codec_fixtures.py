"""Writes picture files of many kinds and what Pillow reads from them, for codec_test.cpp to compare with.

usage: make_codec_fixtures.py FOLDER
FOLDER gets index.json, files/ and, for each file that Pillow can read, its RGB bytes after exif_transpose in expected.bin,
then its alpha bytes where convert("RGBA") finds it transparent.
"""
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
import skimage
from PIL import Image, ImageOps, PngImagePlugin

OUT = pathlib.Path(sys.argv[1])
RNG = np.random.default_rng(11)
INDEX = []


def expect(name, data, exact=True):
    (OUT / "files" / name).write_bytes(data)
    opened = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    # The reference's convert_to_rgb looks for transparency in every mode but RGB.
    alpha = np.full(opened.size[::-1], 255, np.uint8) if opened.mode == "RGB" else np.array(opened.convert("RGBA"))[..., 3]
    image = opened.convert("RGB")
    pixels = np.array(image).tobytes()
    at = EXPECTED.tell()
    EXPECTED.write(pixels)
    INDEX.append({"file": name, "size": list(image.size), "expected": [at, len(pixels)], "exact": exact})
    if alpha.min() < 255:
        INDEX[-1]["alpha"] = EXPECTED.tell()
        EXPECTED.write(alpha.tobytes())


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, **options)
    return stream.getvalue()


def exif(orientation, kind="short"):
    """An EXIF block written by hand, so that both byte orders and types are covered."""
    big = orientation % 2 == 0
    order = ">" if big else "<"
    code = {"short": 3, "long": 4}[kind]
    value = struct.pack(order + ("HH" if kind == "short" else "I"), *((orientation, 0) if kind == "short" else (orientation,)))
    entries = struct.pack(order + "HHI", 0x010F, 2, 4) + b"abc\0" + struct.pack(order + "HHI", 0x0112, code, 1) + value
    return b"Exif\0\0" + (b"MM" if big else b"II") + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", 2) + entries + b"\0\0\0\0"


def xmp(orientation, attribute=True):
    inner = f'tiff:Orientation="{orientation}"/>' if attribute else f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {inner}</rdf:RDF></x:xmpmeta>'.encode()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, extra=b"", after=b"", interlace=0):
    raw = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw)) + after
            + chunk(b"IEND", b""))


def adam7(pixels, depth):
    """The rows of an interlaced PNG, from an array of samples [height, width, channels]."""
    rows = []
    for y, x, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += [row.astype(">u2").tobytes() if depth == 16 else packed(row.ravel(), depth) for row in part]
    return rows


def packed(samples, depth):
    if depth == 8:
        return samples.astype(np.uint8).tobytes()
    bits = "".join(format(int(v), f"0{depth}b") for v in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def photograph(name, side):
    image = Image.open(pathlib.Path(skimage.__file__).parent / "data" / name).convert("RGB")
    image.thumbnail((side, side))
    return Image.fromarray(np.array(image))  # without the profile and comments of the file


def jpegs(photo):
    for quality in (30, 95):
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                expect(f"photo-{quality}-{subsampling}-{int(progressive)}.jpg",
                       saved(photo, format="JPEG", quality=quality, subsampling=subsampling, progressive=progressive))
    expect("grey.jpg", saved(photo.convert("L"), format="JPEG"))
    expect("cmyk.jpg", saved(photo.convert("CMYK"), format="JPEG", quality=95))
    noise = Image.fromarray(RNG.integers(0, 256, (37, 29, 4), dtype=np.uint8), "CMYK")
    expect("cmyk-noise.jpg", saved(noise, format="JPEG", quality=100))
    expect("rgb-stored.jpg", saved(photo, format="JPEG", keep_rgb=True))
    expect("restart.jpg", saved(photo, format="JPEG", restart_marker_rows=1))
    expect("one-pixel.jpg", saved(Image.new("RGB", (1, 1), (9, 200, 77)), format="JPEG"))
    small = photo.resize((40, 23))
    for orientation in range(0, 10):
        expect(f"exif-{orientation}.jpg", saved(small, format="JPEG", exif=exif(orientation)))
    expect("exif-long.jpg", saved(small, format="JPEG", exif=exif(6, "long")))
    expect("xmp.jpg", saved(small, format="JPEG", xmp=xmp(8)))
    expect("xmp-and-exif.jpg", saved(small, format="JPEG", xmp=xmp(8), exif=exif(3)))
    cmyk = saved(small.convert("CMYK"), format="JPEG", exif=exif(7))
    expect("cmyk-exif.jpg", cmyk)


def pngs(photo):
    small = photo.resize((45, 31))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = small.convert("L").convert(mode) if mode == "I;16" else small.convert(mode)
        if mode == "RGBA":
            image.putalpha(Image.fromarray(RNG.integers(0, 256, (31, 45), dtype=np.uint8)))
        expect(f"mode-{mode.replace(';', '')}.png", saved(image, format="PNG"))
    expect("palette-alpha.png", saved(small.convert("P"), format="PNG", transparency=bytes(range(256))))
    for key in (b"\0\xff\0", b"\xff\xff\0\xff"):  # one entry transparent
        expect(f"palette-key-{len(key)}.png", saved(small.convert("P"), format="PNG", transparency=key))
    expect("grey-key.png", saved(small.convert("L"), format="PNG", transparency=small.convert("L").getpixel((3, 4))))
    turned = small.convert("RGBA")
    turned.putalpha(Image.fromarray((np.add.outer(np.arange(31) * 5, np.arange(45) * 3) % 256).astype(np.uint8)))
    for orientation in range(2, 9):
        expect(f"exif-alpha-{orientation}.png", saved(turned, format="PNG", exif=exif(orientation)[6:]))
    expect("colour-key.png", saved(small, format="PNG", transparency=small.getpixel((0, 0))))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            width, height = 21, 19
            samples = RNG.integers(0, 2**depth, (height, width, channels[colour]))
            if colour == 0 and depth == 16:
                samples[::2] %= 400
            extra = chunk(b"PLTE", RNG.integers(0, 256, 3 * (2**depth - (depth == 8) * 56), dtype=np.uint8).tobytes()) if colour == 3 else b""
            if colour == 0:
                extra += chunk(b"tRNS", struct.pack(">H", 1))
            if colour == 3:
                extra += chunk(b"tRNS", b"\0\x80")
            rows = [r.astype(">u2").tobytes() if depth == 16 else packed(r.ravel(), depth) for r in samples]
            expect(f"raw-{colour}-{depth}.png", png(width, height, depth, colour, rows, extra))
            expect(f"raw-{colour}-{depth}-interlaced.png", png(width, height, depth, colour, adam7(samples, depth), extra, interlace=1))
    expect("gamma.png", png(2, 1, 8, 2, [bytes(range(90, 96))], chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"sRGB", b"\0")))
    rows = [np.array(small)[y].tobytes() for y in range(31)]
    for orientation in (1, 3, 5, 6, 8):
        expect(f"exif-{orientation}.png", png(45, 31, 8, 2, rows, chunk(b"eXIf", exif(orientation)[6:])))
    expect("exif-after.png", png(45, 31, 8, 2, rows, after=chunk(b"eXIf", exif(6)[6:])))
    expect("xmp.png", png(45, 31, 8, 2, rows, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(5, attribute=False))))
    profile = exif(7)
    text = f"\nexif\n{len(profile):8}\n{profile.hex()}\n".encode()
    expect("raw-profile.png", png(45, 31, 8, 2, rows, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))))
    expect("no-end.png", png(45, 31, 8, 2, rows)[:-12])
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 5000, zip=True)
    expect("text.png", saved(small, format="PNG", pnginfo=info))
    frames = [small, ImageOps.mirror(small)]
    expect("animated.png", saved(frames[0], format="PNG", save_all=True, append_images=frames[1:], duration=100))


def webps(photo):
    small = photo.resize((63, 41))
    alpha = small.convert("RGBA")
    alpha.putalpha(Image.fromarray(RNG.integers(0, 3, (41, 63), dtype=np.uint8) * 127))
    for name, image in (("rgb", photo), ("alpha", alpha)):
        for lossless in (False, True):
            expect(f"{name}-{int(lossless)}.webp", saved(image, format="WEBP", lossless=lossless, quality=70, exact=True))
    for orientation in (2, 6, 8):
        expect(f"exif-{orientation}.webp", saved(small, format="WEBP", exif=exif(orientation)))
    expect("xmp.webp", saved(small, format="WEBP", xmp=xmp(4)))
    frames = [alpha, ImageOps.flip(alpha), alpha]
    for lossless in (False, True):
        expect(f"animated-{int(lossless)}.webp", saved(frames[0], format="WEBP", save_all=True, append_images=frames[1:],
                                                       lossless=lossless, exact=True, duration=80))
    expect("one-pixel.webp", saved(Image.new("RGB", (1, 1), (9, 200, 77)), format="WEBP"))


def tiffs(photo):
    small = photo.resize((45, 31))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr"):
        image = small.convert("L").convert(mode) if mode in ("I;16", "I", "F") else small.convert(mode)
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            if compression == "tiff_lzw" and mode == "YCbCr":
                continue
            expect(f"{mode.replace(';', '')}-{compression}.tif", saved(image, format="TIFF", compression=compression))
    array = RNG.integers(-300, 70000, (31, 45)).astype(np.float32) / 100
    expect("float.tif", saved(Image.fromarray(array), format="TIFF", compression="tiff_lzw"))
    expect("int.tif", saved(Image.fromarray(RNG.integers(-50, 600, (31, 45)).astype(np.int32)), format="TIFF", compression="tiff_lzw"))
    for compression in ("group3", "group4"):
        expect(f"{compression}.tif", saved(small.convert("1"), format="TIFF", compression=compression))
    for mode in ("L", "RGB"):
        expect(f"jpeg-{mode}.tif", saved(photo.convert(mode), format="TIFF", compression="jpeg"))
    for orientation in range(1, 9):
        expect(f"exif-{orientation}.tif", saved(small, format="TIFF", compression="tiff_lzw", tiffinfo={274: orientation}))
    handmade_tiffs()


def handmade_tiffs():
    def tiff(width, height, tags, strips, big=False):
        """Tags as {tag: (type, values)}; strips or tiles follow the directory."""
        order = ">" if big else "<"
        sizes = {1: "B", 2: "B", 3: "H", 4: "I"}
        tags = dict(tags) | {256: (4, [width]), 257: (4, [height])}
        where, counts = (324, 325) if 322 in tags else (273, 279)
        tags[counts] = (4, [len(s) for s in strips])
        tags[where] = (4, [0] * len(strips))
        directory = 8
        data_at = directory + 2 + 12 * len(tags) + 4
        payload = b""
        entries = []
        for tag in sorted(tags):
            if tag == where:
                entries.append((tag, None))
                continue
            kind, values = tags[tag]
            body = struct.pack(order + sizes[kind] * len(values), *values)
            if len(body) > 4:
                entries.append((tag, (kind, len(values), struct.pack(order + "I", data_at + len(payload)))))
                payload += body + b"\0" * (len(body) % 2)
            else:
                entries.append((tag, (kind, len(values), body.ljust(4, b"\0"))))
        table_at = data_at + len(payload)
        offsets = []
        at = table_at + (4 * len(strips) if len(strips) > 1 else 0)
        for strip in strips:
            offsets.append(at)
            at += len(strip)
        table = struct.pack(order + "I" * len(strips), *offsets)
        out = (b"MM" if big else b"II") + struct.pack(order + "HI", 42, directory) + struct.pack(order + "H", len(entries))
        for tag, entry in entries:
            if entry is None:
                field = table if len(strips) == 1 else struct.pack(order + "I", table_at)
                entry = (4, len(strips), field)
            out += struct.pack(order + "HHI", tag, entry[0], entry[1]) + entry[2]
        return out + b"\0\0\0\0" + payload + (table if len(strips) > 1 else b"") + b"".join(strips)

    width, height = 23, 17
    for bits in (1, 2, 4, 8):
        samples = RNG.integers(0, 2**bits, (height, width))
        body = b"".join(packed(row, bits) for row in samples)
        for photometric in (0, 1):
            expect(f"grey-{bits}-{photometric}.tif", tiff(width, height, {258: (3, [bits]), 262: (3, [photometric])}, [body]))
        colours = RNG.integers(0, 65536, 3 * 2**bits).tolist()
        expect(f"palette-{bits}.tif", tiff(width, height, {258: (3, [bits]), 262: (3, [3]), 320: (3, colours)}, [body]))
    deep = RNG.integers(0, 65536, (height, width, 4)).astype(np.uint16)
    deep[::2] %= 300
    for big in (False, True):
        kind = ">u2" if big else "<u2"
        grey = {258: (3, [16]), 262: (3, [1])}
        expect(f"grey16-{int(big)}.tif", tiff(width, height, grey, [deep[..., 0].astype(kind).tobytes()], big))
        rgb = {258: (3, [16] * 3), 262: (3, [2]), 277: (3, [3])}
        expect(f"rgb16-{int(big)}.tif", tiff(width, height, rgb, [deep[..., :3].astype(kind).tobytes()], big))
        rgba = {258: (3, [16] * 4), 262: (3, [2]), 277: (3, [4]), 338: (3, [2])}
        expect(f"rgba16-{int(big)}.tif", tiff(width, height, rgba, [deep.astype(kind).tobytes()], big))
        cmyk = {258: (3, [16] * 4), 262: (3, [5]), 277: (3, [4])}
        expect(f"cmyk16-{int(big)}.tif", tiff(width, height, cmyk, [deep.astype(kind).tobytes()], big))
    expect("white-is-zero-16.tif", tiff(width, height, {258: (3, [16]), 262: (3, [0])}, [deep[..., 0].astype("<u2").tobytes()]))
    colour = RNG.integers(0, 256, (height, width, 4), dtype=np.uint8)
    for extra in (0, 1, 2):
        tags = {258: (3, [8] * 4), 262: (3, [2]), 277: (3, [4]), 338: (3, [extra])}
        expect(f"extra-{extra}.tif", tiff(width, height, tags, [colour.tobytes()]))
    planes = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3]), 284: (3, [2])}
    expect("planar.tif", tiff(width, height, planes, [colour[..., c].tobytes() for c in range(3)]))
    strips = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3]), 278: (3, [5])}
    expect("strips.tif", tiff(width, height, strips, [colour[y:y + 5, :, :3].tobytes() for y in range(0, height, 5)]))
    tiles = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3]), 322: (3, [16]), 323: (3, [16])}
    padded = np.zeros((32, 32, 3), np.uint8)
    padded[:height, :width] = colour[..., :3]
    expect("tiles.tif", tiff(width, height, tiles, [padded[y:y + 16, x:x + 16].tobytes() for y in (0, 16) for x in (0, 16)]))
    reversed_bits = bytes(int(format(b, "08b")[::-1], 2) for b in packed(RNG.integers(0, 2, 24 * height), 1))
    expect("fill-order.tif", tiff(24, height, {258: (3, [1]), 262: (3, [1]), 266: (3, [2])}, [reversed_bits]))


def gif(width, height, frame, codes, palette=None, local=None, transparent=None, interlaced=False, background=0, bits=2):
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | (bits - 1) if palette else 0, background, 0) + (palette or b"")
    out += b"!\xfe\x05hello\0"
    if transparent is not None:
        out += b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    out += b"," + struct.pack("<HHHHB", *frame, (0x80 | (bits - 1) if local else 0) | (0x40 if interlaced else 0)) + (local or b"")
    return out + bytes([bits]) + codes + b"\0;"


def lzw(indices, bits, resets):
    """Plain LZW; `resets` clears the table now and then."""
    clear, stop = 1 << bits, (1 << bits) + 1
    stream, table, width = [], {}, bits + 1

    def emit(code):
        stream.extend((code >> i) & 1 for i in range(width))

    def reset():
        nonlocal table, width
        emit(clear)
        table, width = {(i,): i for i in range(clear)}, bits + 1
        return stop + 1

    free = reset()
    word = ()
    for n, index in enumerate(indices):
        if word + (index,) in table:
            word += (index,)
            continue
        emit(table[word])
        if free < 4096:
            table[word + (index,)] = free
            free += 1
            if free - 1 == 1 << width and width < 12:
                width += 1
        word = (index,)
        if resets and n % resets == 0:
            emit(table[word])
            free, word = reset(), ()
    if word:
        emit(table[word])
        if free == (1 << width) and width < 12:
            width += 1
    emit(stop)
    stream.extend([0] * (-len(stream) % 8))
    data = bytes(sum(stream[i + j] << j for j in range(8)) for i in range(0, len(stream), 8))
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))


def gifs(photo):
    expect("photo.gif", saved(photo.convert("P"), format="GIF"))
    expect("photo-plain.gif", saved(photo.convert("P"), format="GIF", interlace=0))
    expect("grey.gif", saved(photo.convert("L"), format="GIF"))
    expect("noise.gif", saved(Image.fromarray(RNG.integers(0, 256, (150, 170), dtype=np.uint8)), format="GIF"))
    frames = [photo.convert("P"), ImageOps.mirror(photo).convert("P")]
    expect("animated.gif", saved(frames[0], format="GIF", save_all=True, append_images=frames[1:], duration=50))
    palette = bytes([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    local = bytes(range(100, 112))
    for i, (width, height, frame) in enumerate([(9, 7, (0, 0, 9, 7)), (12, 11, (2, 3, 7, 5)), (5, 5, (2, 1, 9, 8)), (4, 30, (1, 1, 2, 27))]):
        codes = lzw(RNG.integers(0, 4, frame[2] * frame[3]).tolist(), 2, resets=11 * (i % 2))
        for interlaced in (False, True):
            for name, options in (("plain", {"palette": palette}), ("clear", {"palette": palette, "transparent": 2}),
                                  ("background", {"palette": palette, "background": 3}), ("local", {"palette": palette, "local": local}),
                                  ("only-local", {"local": local}), ("none", {}), ("none-clear", {"transparent": 1})):
                expect(f"made-{i}-{int(interlaced)}-{name}.gif", gif(width, height, frame, codes, interlaced=interlaced, **options))
    codes = lzw(RNG.integers(0, 4, 35).tolist(), 2, 0)
    expect("short-palette.gif", gif(7, 5, (0, 0, 7, 5), codes, palette=palette[:6], bits=2).replace(b"\x81\0\0", b"\x80\0\0", 1))
    full = RNG.integers(0, 4, 300 * 300).tolist()  # more codes than the table holds
    expect("full-table.gif", gif(300, 300, (0, 0, 300, 300), lzw(full, 2, 0), palette=palette))


def bmps(photo):
    small = photo.resize((45, 31))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        expect(f"{mode}.bmp", saved(small.convert(mode), format="BMP"))

    def bmp(width, height, bits, body, palette=b"", compression=0, masks=b"", colours=0):
        at = 14 + 40 + len(masks) + len(palette)
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colours, 0)
        return b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) + info + masks + palette + body

    width, height = 21, 13
    colours = RNG.integers(0, 256, 256 * 4, dtype=np.uint8).tobytes()
    for bits in (1, 4, 8):
        rows = [packed(RNG.integers(0, 2**bits, width), bits) for _ in range(height)]
        body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
        expect(f"palette-{bits}.bmp", bmp(width, height, bits, body, colours[:4 * 2**bits]))
        expect(f"palette-{bits}-down.bmp", bmp(width, -height, bits, body, colours[:4 * 2**bits]))
    body16 = b"".join(RNG.integers(0, 65536, width).astype("<u2").tobytes() + b"\0\0" for _ in range(height))
    expect("16-555.bmp", bmp(width, height, 16, body16))
    expect("16-565.bmp", bmp(width, height, 16, body16, compression=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
    body32 = RNG.integers(0, 256, width * height * 4, dtype=np.uint8).tobytes()
    expect("32.bmp", bmp(width, height, 32, body32))
    for i, masks in enumerate([(0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00), (0, 0, 0)]):
        expect(f"32-masks-{i}.bmp", bmp(width, height, 32, body32, compression=3, masks=struct.pack("<III", *masks)))
    rle8 = b"".join(bytes([5, 7, 3, 9, 0, 5, 1, 2, 3, 4, 5, 0, 8, 200, 0, 0]) for _ in range(height)) + b"\0\1"
    expect("rle8.bmp", bmp(width, height, 8, rle8, colours[:1024], compression=1))
    rle4 = b"".join(bytes([5, 0x71, 3, 0x92, 0, 5, 0x12, 0x34, 0x50, 0, 8, 0xAB, 0, 0]) for _ in range(height)) + b"\0\1"
    expect("rle4.bmp", bmp(width, height, 4, rle4, colours[:64], compression=2))
    core = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26 + 6) + struct.pack("<IHHHH", 12, width, height, 1, 1) + bytes(6)
    core = core[:26] + bytes([1, 2, 3, 200, 100, 50]) + b"".join(b"\xa5\x5a\xff\0" for _ in range(height))
    expect("core.bmp", core)


def main():
    global EXPECTED
    (OUT / "files").mkdir(exist_ok=True)
    EXPECTED = open(OUT / "expected.bin", "wb")
    photo = photograph("astronaut.png", 200)
    for file in sorted((pathlib.Path(skimage.__file__).parent / "data").glob("*")):
        if file.suffix in (".png", ".jpg", ".gif"):
            expect("sample-" + file.name, file.read_bytes())
    jpegs(photo)
    pngs(photo)
    webps(photo)
    tiffs(photo)
    gifs(photo)
    bmps(photo)
    expect("plain.ppm", saved(photo, format="PPM"))
    expect("wrong-suffix.png", saved(photo, format="JPEG"))
    expect("wrong-suffix.jpg", saved(photo, format="PNG"))
    EXPECTED.close()
    (OUT / "index.json").write_text(json.dumps(INDEX))


main()
