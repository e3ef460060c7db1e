#include "io/pickle.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "io/unpickler.h"
#include "io/zip_reader.h"
#include "text/utf8.h"

namespace fovea {
namespace {

constexpr const char* kDamaged = "The file is damaged or incomplete; copy or download it again.";
// A few bytes could otherwise ask for any amount of memory.
constexpr std::int64_t kMaxExpandedBytes = std::int64_t{64} << 20;
using Id = Unpickler::Id;
using Kind = Unpickler::Kind;

/// Where the bytes of each storage key lie in the file.
struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
};
using Extents = std::map<std::string, Extent, std::less<>>;

/// Fills in byte range and strides of a tensor, checked against its storage.
TensorInfo locate(const Unpickler& pickle, const Unpickler::Tensor& tensor, std::string name,
                  const Extents& extents, const std::string& source) {
    const auto fail = [&](const std::string& what) {
        throw Error(source + ": tensor \"" + name + "\": " + what, kDamaged);
    };
    const Unpickler::Storage& storage = pickle.storage(tensor.storage);
    const auto extent = extents.find(storage.key);
    if (extent == extents.end()) fail("its data are not in the file");
    const std::int64_t item = itemSize(storage.dtype);
    if (static_cast<std::uint64_t>(storage.numel) > extent->second.bytes / static_cast<std::uint64_t>(item))
        fail("expected " + std::to_string(storage.numel) + " elements of " +
             std::string(displayName(storage.dtype)) + " in its storage, found " +
             std::to_string(extent->second.bytes) + " bytes");

    TensorInfo info;
    info.name = std::move(name);
    info.dtype = storage.dtype;
    info.shape = tensor.shape;
    const std::int64_t bytes = checkedBytes(tensor.shape, item);
    if (bytes < 0) fail("the shape " + shapeText(tensor.shape) + " is larger than any file");
    if (bytes == 0) {
        info.begin = info.end = extent->second.begin;
        return info;
    }
    std::int64_t last = tensor.offset;
    bool contiguous = true;
    std::int64_t dense = 1;
    for (std::size_t axis = tensor.shape.size(); axis-- > 0;) {
        const std::int64_t steps = tensor.shape[axis] - 1;
        if (steps == 0) continue;
        if (tensor.strides[axis] > (INT64_MAX - last) / steps)
            fail("its strides " + shapeText(tensor.strides) + " overflow");
        last += steps * tensor.strides[axis];
        contiguous = contiguous && tensor.strides[axis] == dense;
        dense *= tensor.shape[axis];
    }
    if (last >= storage.viewNumel)
        fail("expected its elements within a storage of " + std::to_string(storage.viewNumel) +
             ", found element " + std::to_string(last));
    if (!contiguous) info.strides = tensor.strides;
    info.begin =
        extent->second.begin + static_cast<std::uint64_t>((storage.viewOffset + tensor.offset) * item);
    info.end = extent->second.begin + static_cast<std::uint64_t>((storage.viewOffset + last + 1) * item);
    return info;
}

/// Bytes that a tensor takes beyond what lies in the file once its repeated elements (stride 0) are copied.
std::int64_t expandedBytes(const TensorInfo& tensor) {
    const std::int64_t all = checkedBytes(tensor.shape, itemSize(tensor.dtype));
    return std::max<std::int64_t>(0, all - static_cast<std::int64_t>(tensor.end - tensor.begin));
}

bool holdsTensors(const Unpickler& pickle, const Unpickler::Value& dict) {
    const auto& items = pickle.items(dict);
    for (std::size_t i = 1; i < items.size(); i += 2)
        if (pickle.value(items[i]).kind == Kind::Tensor) return true;
    return false;
}

/// The dictionary of weights: the root, or what it keeps under one of the usual names.
Unpickler::Value weightDictionary(const Unpickler& pickle, Id root, const std::string& source) {
    Unpickler::Value dict = pickle.value(root);
    for (int level = 0; level < 3 && dict.kind == Kind::Dict && !holdsTensors(pickle, dict); ++level) {
        std::optional<Id> inner;
        for (const char* key : {"state_dict", "model", "module", "ema", "model_state_dict", "teacher"}) {
            inner = pickle.lookUp(dict, key);
            if (inner && pickle.value(*inner).kind == Kind::Dict) break;
            inner.reset();
        }
        if (!inner) break;
        dict = pickle.value(*inner);
    }
    if (dict.kind != Kind::Dict || !holdsTensors(pickle, dict))
        throw Error(source + ": expected a dictionary of tensors (a state_dict), found none",
                    "Save model.state_dict() with torch.save, or convert the file to safetensors.");
    return dict;
}

std::vector<TensorInfo> collect(const Unpickler& pickle, Id root, const Extents& extents,
                                const std::string& source) {
    const Unpickler::Value dict = weightDictionary(pickle, root, source);
    const auto& items = pickle.items(dict);
    std::vector<TensorInfo> tensors;
    std::unordered_set<std::string_view> seen;
    std::int64_t expanded = 0;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
        const auto& key = pickle.value(items[i]);
        const auto& value = pickle.value(items[i + 1]);
        if (value.kind != Kind::Tensor) continue;
        if (key.kind != Kind::Text || key.text.size() > kMaxNameBytes || !text::isUtf8(key.text))
            throw Error(source + ": expected tensor names of at most " + std::to_string(kMaxNameBytes) +
                            " bytes of UTF-8, found something else",
                        kDamaged);
        if (!seen.insert(key.text).second)
            throw Error(source + ": names the tensor \"" + std::string(key.text) + "\" twice", kDamaged);
        if (tensors.size() >= kMaxTensors)
            throw Error(source + ": expected at most " + std::to_string(kMaxTensors) + " tensors",
                        "Fetch the file again: no model's file looks like this.");
        tensors.push_back(locate(pickle, pickle.tensor(value), std::string(key.text), extents, source));
        expanded += expandedBytes(tensors.back());
        if (expanded > kMaxExpandedBytes)
            throw Error(source + ": tensor \"" + tensors.back().name + "\": expected at most " +
                            std::to_string(kMaxExpandedBytes) + " bytes of repeated elements, found shape " +
                            shapeText(tensors.back().shape) + " with strides " +
                            shapeText(tensors.back().strides),
                        kDamaged);
    }
    const auto wrapped = [](const TensorInfo& tensor) { return tensor.name.starts_with("module."); };
    if (std::all_of(tensors.begin(), tensors.end(), wrapped))
        for (TensorInfo& tensor : tensors) tensor.name.erase(0, 7);
    return tensors;
}

std::vector<TensorInfo> readZipForm(std::span<const std::byte> file, const std::string& source) {
    const std::vector<ZipEntry> entries = readZipDirectory(file, source);
    const ZipEntry* pickleEntry = nullptr;
    for (const ZipEntry& entry : entries)
        if (entry.name.ends_with("/data.pkl") &&
            (!pickleEntry || entry.name.size() < pickleEntry->name.size()))
            pickleEntry = &entry;
    if (pickleEntry == nullptr)
        throw Error(source + ": expected a torch.save archive with data.pkl, found a zip archive without it",
                    "Open a weight file written by torch.save, or safetensors.");
    const std::string prefix = pickleEntry->name.substr(0, pickleEntry->name.size() - 8);
    Extents extents;
    for (const ZipEntry& entry : entries) {
        if (!entry.name.starts_with(prefix)) continue;
        const std::string_view name = std::string_view(entry.name).substr(prefix.size());
        if (name == "constants.pkl" || name.starts_with("code/"))
            throw Error(source + ": expected weights, found a TorchScript program, which is not run",
                        "Save model.state_dict() instead of a scripted module.");
        const bool data = name.starts_with("data/");
        if ((data || name == "data.pkl" || name == "byteorder") && !entry.stored)
            throw Error(source + ": expected uncompressed archive members, found \"" + entry.name +
                            "\" compressed or encrypted",
                        "Save the weights again with torch.save.");
        if (name == "byteorder") {
            const auto order =
                file.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.size));
            const std::string_view text(reinterpret_cast<const char*>(order.data()), order.size());
            if (text != "little")
                throw Error(source + ": expected little-endian weights, found another byte order");
        }
        if (data) extents[std::string(name.substr(5))] = {entry.offset, entry.size};
    }
    Unpickler pickle(source);
    ByteReader reader(file.subspan(static_cast<std::size_t>(pickleEntry->offset),
                                   static_cast<std::size_t>(pickleEntry->size)),
                      source);
    const Id root = pickle.load(reader);
    return collect(pickle, root, extents, source);
}

std::vector<TensorInfo> readLegacyForm(std::span<const std::byte> file, const std::string& source) {
    Unpickler pickle(source);
    ByteReader reader(file, source);
    constexpr std::string_view magic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
    const auto first = pickle.value(pickle.load(reader));
    if (first.kind != Kind::BigInt || first.text != magic)
        throw Error(source + ": expected a file written by torch.save, found another pickle",
                    "Save model.state_dict() with torch.save, or convert the file to safetensors.");
    const auto protocol = pickle.value(pickle.load(reader));
    if (protocol.kind != Kind::Int || protocol.integer != 1001)
        throw Error(source + ": expected torch.save protocol 1001, found another", kDamaged);
    const Id system = pickle.load(reader);
    const auto little = pickle.lookUp(pickle.value(system), "little_endian");
    if (little && pickle.value(*little).integer == 0)
        throw Error(source + ": expected little-endian weights, found another byte order");
    const Id root = pickle.load(reader);
    const auto keys = pickle.value(pickle.load(reader));
    if (keys.kind != Kind::List)
        throw Error(source + ": expected a list of storage keys, found something else", kDamaged);

    std::map<std::string_view, std::int64_t> itemBytes;
    for (std::uint32_t i = 0; i < pickle.storageCount(); ++i)
        itemBytes[pickle.storage(i).key] = itemSize(pickle.storage(i).dtype);
    Extents extents;
    for (Id id : pickle.items(keys)) {
        const auto& key = pickle.value(id);
        const auto known = key.kind == Kind::Text ? itemBytes.find(key.text) : itemBytes.end();
        if (known == itemBytes.end()) throw Error(source + ": lists a storage that no tensor uses", kDamaged);
        const std::uint64_t count = reader.u64();
        if (count > reader.remaining() / static_cast<std::uint64_t>(known->second))
            throw Error(source + ": expected " + std::to_string(count) +
                            " elements of a storage, found the end of the file",
                        kDamaged);
        const std::uint64_t bytes = count * static_cast<std::uint64_t>(known->second);
        extents[std::string(key.text)] = {reader.position(), bytes};
        reader.skip(bytes);
    }
    return collect(pickle, root, extents, source);
}

}  // namespace

std::vector<TensorInfo> readPickledTensors(std::span<const std::byte> file, const std::string& source) {
    const bool zip = file.size() >= 4 && file[0] == std::byte{'P'} && file[1] == std::byte{'K'};
    return zip ? readZipForm(file, source) : readLegacyForm(file, source);
}

}  // namespace fovea
