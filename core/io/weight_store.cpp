#include "io/weight_store.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <array>
#include <cstring>

#include "fovea/error.h"
#include "io/checkpoint_file.h"

namespace fovea {
namespace {

/// A tensor that aliases the mapping and keeps it alive.
at::Tensor alias(const std::shared_ptr<const MappedFile>& file, const TensorInfo& info, at::ScalarType type) {
    const auto release = [file](void*) {};
    std::byte* data = file->data() + info.begin;
    const auto options = at::TensorOptions().dtype(type);
    if (info.contiguous()) return at::from_blob(data, info.shape, release, options);
    return at::from_blob(data, info.shape, info.strides, release, options);
}

/// A copy, for data that no element type's alignment allows to use in place.
at::Tensor copyOf(const std::byte* data, const TensorInfo& info, at::ScalarType type) {
    const auto bytes = static_cast<std::size_t>(info.end - info.begin);
    const auto options = at::TensorOptions().dtype(type);
    at::Tensor flat = at::empty({static_cast<std::int64_t>(bytes) / itemSize(info.dtype)}, options);
    std::memcpy(flat.data_ptr(), data, bytes);
    return info.contiguous() ? flat.view(info.shape) : flat.as_strided(info.shape, info.strides);
}

/// Element types that torch computes with only after widening. Safetensors only: always contiguous.
template <typename Stored, typename Wide, typename Convert>
at::Tensor widen(const std::byte* data, const TensorInfo& info, at::ScalarType type, Convert convert) {
    at::Tensor out = at::empty(info.shape, at::TensorOptions().dtype(type));
    auto* target = static_cast<Wide*>(out.data_ptr());
    const std::int64_t count = info.numel();
    for (std::int64_t i = 0; i < count; ++i) {
        Stored value;
        std::memcpy(&value, data + i * static_cast<std::int64_t>(sizeof(Stored)), sizeof(Stored));
        target[i] = convert(value);
    }
    return out;
}

bool isFloat8(Dtype dtype) {
    return static_cast<int>(dtype) >= static_cast<int>(Dtype::F8E4M3);
}

void refuseQuantised(const std::vector<TensorInfo>& tensors, const std::string& source) {
    constexpr std::array<std::string_view, 7> marks{
        ".qweight", ".qzeros", ".absmax", ".quant_map", ".SCB", ".weight_format", ".weight_scale_inv"};
    for (const TensorInfo& tensor : tensors)
        for (std::string_view mark : marks)
            if (std::string_view(tensor.name).ends_with(mark))
                throw Error(source + ": tensor \"" + tensor.name +
                                "\": expected weights in fp32, fp16 or bf16, found a quantised checkpoint",
                            "Use the unquantised checkpoint of the model.");
}

}  // namespace

at::ScalarType toScalarType(Dtype dtype) {
    switch (dtype) {
        case Dtype::Bool:
            return at::kBool;
        case Dtype::U8:
            return at::kByte;
        case Dtype::I8:
            return at::kChar;
        case Dtype::I16:
            return at::kShort;
        case Dtype::U16:
        case Dtype::I32:
            return at::kInt;
        case Dtype::U32:
        case Dtype::U64:
        case Dtype::I64:
            return at::kLong;
        case Dtype::F16:
            return at::kHalf;
        case Dtype::BF16:
            return at::kBFloat16;
        case Dtype::F64:
            return at::kDouble;
        case Dtype::C64:
            return at::kComplexFloat;
        case Dtype::F32:
        case Dtype::F8E4M3:
        case Dtype::F8E5M2:
        case Dtype::F8E8M0:
        case Dtype::F8E4M3Fnuz:
        case Dtype::F8E5M2Fnuz:
            return at::kFloat;
    }
    throw Error("toScalarType: unknown element type", {}, ErrorCode::Internal);
}

std::shared_ptr<const WeightStore> WeightStore::open(const ResolvedModel& model) {
    if (!model.missingFiles.empty()) {
        std::string names;
        for (std::size_t i = 0; i < std::min<std::size_t>(model.missingFiles.size(), 4); ++i)
            names += (i == 0 ? "" : ", ") + model.missingFiles[i];
        if (model.missingFiles.size() > 4) names += ", ...";
        throw Error(model.folder.string() + ": the download is incomplete: expected " +
                        std::to_string(model.weightFiles.size() + model.missingFiles.size()) +
                        " weight files, missing " + std::to_string(model.missingFiles.size()) + ": " + names,
                    "Fetch the model again: hf download continues where it stopped.");
    }
    if (model.weightFiles.empty())
        throw Error(model.reference + ": expected at least one weight file, found none", {},
                    ErrorCode::Internal);

    std::shared_ptr<WeightStore> store(new WeightStore);
    for (const auto& path : model.weightFiles) store->addFile(path, model.weightFormat);
    if (model.weightFormat == WeightFormat::Pickle && model.format == ModelFormat::Transformers)
        store->m_notices.push_back("weights read from " + model.weightFiles.front().filename().string() +
                                   ": the folder has no safetensors");
    return store;
}

void WeightStore::addFile(const std::filesystem::path& path, WeightFormat format) {
    CheckpointFile checkpoint = openCheckpointFile(path, format);
    refuseQuantised(checkpoint.tensors, path.string());
    m_files.push_back(checkpoint.file);
    for (auto& [key, value] : checkpoint.metadata) m_metadata.emplace(key, value);
    std::size_t widened = 0;
    for (TensorInfo& tensor : checkpoint.tensors) {
        const auto [found, added] = m_byName.emplace(tensor.name, m_tensors.size());
        if (!added)
            throw Error(path.string() + ": tensor \"" + tensor.name + "\": expected in one file, found in " +
                            file(found->second).filename().string() + " too",
                        "The checkpoint mixes files of two downloads; fetch it again.");
        widened += tensor.dtype == Dtype::U16 || tensor.dtype == Dtype::U32 || isFloat8(tensor.dtype) ? 1 : 0;
        m_fileOf.push_back(m_files.size() - 1);
        m_tensors.push_back(std::move(tensor));
    }
    if (widened > 0)
        m_notices.push_back(std::to_string(widened) + " tensors of " + path.filename().string() +
                            " have an element type that is widened when read (uint16, uint32, 8-bit float)");
}

std::optional<std::size_t> WeightStore::find(const std::string& name) const {
    const auto found = m_byName.find(name);
    return found == m_byName.end() ? std::nullopt : std::optional(found->second);
}

const std::filesystem::path& WeightStore::file(std::size_t tensor) const {
    return m_files[m_fileOf.at(tensor)]->path();
}

at::Tensor WeightStore::get(const std::string& name) const {
    const auto tensor = find(name);
    if (!tensor) throw Error("tensor \"" + name + "\" is in none of the weight files",
                             "fovea-cli info lists the tensors that are missing.");
    return get(*tensor);
}

at::Tensor WeightStore::get(std::size_t tensor) const {
    const TensorInfo& info = m_tensors.at(tensor);
    const auto& mapped = m_files[m_fileOf[tensor]];
    const at::ScalarType type = toScalarType(info.dtype);
    if (info.numel() == 0) return at::empty(info.shape, at::TensorOptions().dtype(type));
    mapped->requireUnchanged();
    const std::byte* data = mapped->data() + info.begin;
    if (isFloat8(info.dtype)) {
        std::array<float, 256> table{};
        for (std::size_t i = 0; i < table.size(); ++i)
            table[i] = decodeFloat8(info.dtype, static_cast<std::uint8_t>(i));
        return widen<std::uint8_t, float>(data, info, type,
                                          [&table](std::uint8_t bits) { return table[bits]; });
    }
    switch (info.dtype) {
        case Dtype::U16:
            return widen<std::uint16_t, std::int32_t>(data, info, type,
                                                      [](std::uint16_t v) { return std::int32_t{v}; });
        case Dtype::U32:
            return widen<std::uint32_t, std::int64_t>(data, info, type,
                                                      [](std::uint32_t v) { return std::int64_t{v}; });
        case Dtype::U64:
            return widen<std::uint64_t, std::int64_t>(data, info, type, [&](std::uint64_t value) {
                if (value > static_cast<std::uint64_t>(INT64_MAX))
                    throw Error(file(tensor).string() + ": tensor \"" + info.name +
                                "\": expected values below 2^63, found " + std::to_string(value),
                                "The file is damaged; fetch it again.");
                return static_cast<std::int64_t>(value);
            });
        default:
            break;
    }
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(itemSize(info.dtype)) == 0;
    return aligned ? alias(mapped, info, type) : copyOf(data, info, type);
}

}  // namespace fovea
