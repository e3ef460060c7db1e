#include "io/trace_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "fovea/error.h"
#include "io/number_formats.h"

namespace fovea {
namespace {

/// Takes "wordVALUE/" off the front of a name.
std::optional<std::string_view> takePrefix(std::string_view& name, std::string_view word) {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos || !name.starts_with(word)) return std::nullopt;
    const std::string_view value = name.substr(word.size(), slash - word.size());
    if (value.empty()) return std::nullopt;
    return value;
}

void takeNumber(std::string_view& name, std::string_view word, std::optional<int>& out) {
    const auto value = takePrefix(name, word);
    int number = 0;
    if (!value) return;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (error != std::errc{} || end != value->data() + value->size() || number < 0) return;
    out = number;
    name.remove_prefix(word.size() + value->size() + 1);
}

}  // namespace

TraceName TraceName::parse(std::string_view name) {
    TraceName parts;
    takeNumber(name, "step", parts.step);
    if (const auto branch = takePrefix(name, "branch")) {
        parts.branch = std::string(*branch);
        name.remove_prefix(6 + branch->size() + 1);
    }
    takeNumber(name, "image", parts.image);
    takeNumber(name, "tile", parts.tile);
    parts.path = std::string(name);
    return parts;
}

std::string TraceName::prefix() const {
    std::string out;
    if (step) {
        std::array<char, 32> digits{};
        std::snprintf(digits.data(), digits.size(), "step%04d/", *step);
        out += digits.data();
    }
    if (branch) out += "branch" + *branch + "/";
    if (image) out += "image" + std::to_string(*image) + "/";
    if (tile) out += "tile" + std::to_string(*tile) + "/";
    return out;
}

std::string TraceName::text() const {
    return prefix() + path;
}

std::shared_ptr<const TraceFile> TraceFile::open(const std::filesystem::path& path) {
    auto trace = std::make_shared<TraceFile>();
    trace->m_file = MappedFile::open(path);
    trace->m_header = parseSafetensors(trace->m_file->bytes(), path.string());
    if (trace->m_header.metadata.count("fovea.version") == 0)
        throw Error(
            path.string() + ": expected a trace (metadata fovea.version), found another safetensors file",
            "Record one with fovea-cli trace.");
    for (std::size_t i = 0; i < trace->m_header.tensors.size(); ++i)
        trace->m_byName.emplace(trace->m_header.tensors[i].name, i);
    return trace;
}

const TensorInfo* TraceFile::find(const std::string& name) const {
    const auto found = m_byName.find(name);
    return found == m_byName.end() ? nullptr : &m_header.tensors[found->second];
}

std::string TraceFile::metadata(const std::string& key) const {
    const auto found = m_header.metadata.find(key);
    return found == m_header.metadata.end() ? "" : found->second;
}

const TensorInfo& TraceFile::require(const std::string& name) const {
    const TensorInfo* info = find(name);
    if (info == nullptr) throw Error(path().string() + ": the trace holds no tensor \"" + name + "\"",
                                     "Record it: fovea-cli trace --keep takes a list of quantities.");
    return *info;
}

Array TraceFile::read(const std::string& name) const {
    const TensorInfo& info = require(name);
    m_file->requireUnchanged();
    Array array(info.shape);
    const auto bytes = m_file->bytes().subspan(static_cast<std::size_t>(info.begin),
                                               static_cast<std::size_t>(info.end - info.begin));
    toFloats(info.dtype, bytes, array.values, path().string() + ": " + name);
    return array;
}

Array TraceFile::read(const std::string& name, std::int64_t begin, std::int64_t end) const {
    const TensorInfo& info = require(name);
    if (info.shape.empty() || begin < 0 || end < begin || end > info.shape[0])
        throw Error(path().string() + ": " + name + ": expected a part of " + shapeText(info.shape) +
                        ", found rows " + std::to_string(begin) + " to " + std::to_string(end),
                    {}, ErrorCode::Internal);
    m_file->requireUnchanged();
    std::vector<std::int64_t> shape = info.shape;
    shape[0] = end - begin;
    Array array(shape);
    const std::uint64_t row =
        info.shape[0] == 0 ? 0 : (info.end - info.begin) / static_cast<std::uint64_t>(info.shape[0]);
    const auto first = static_cast<std::size_t>(info.begin + row * static_cast<std::uint64_t>(begin));
    const auto bytes = m_file->bytes().subspan(
        first, static_cast<std::size_t>(row * static_cast<std::uint64_t>(end - begin)));
    toFloats(info.dtype, bytes, array.values, path().string() + ": " + name);
    return array;
}

SafetensorsEntry floatEntry(std::string name, std::vector<std::int64_t> shape, std::span<const float> values,
                            Dtype stored) {
    if (stored == Dtype::F32)
        return SafetensorsEntry::fromBytes(std::move(name), stored, std::move(shape), std::as_bytes(values));
    if (stored != Dtype::F16 && stored != Dtype::BF16)
        throw Error("floatEntry: cannot store floats as " + std::string(displayName(stored)), {},
                    ErrorCode::Internal);
    return {std::move(name), stored, std::move(shape), [values, stored](const SafetensorsEntry::Sink& sink) {
                std::array<std::uint16_t, 4096> piece{};
                for (std::size_t begin = 0; begin < values.size(); begin += piece.size()) {
                    const auto part = values.subspan(begin, std::min(piece.size(), values.size() - begin));
                    for (std::size_t i = 0; i < part.size(); ++i)
                        piece[i] = stored == Dtype::F16 ? floatToHalf(part[i]) : floatToBfloat16(part[i]);
                    sink(std::as_bytes(std::span(piece).first(part.size())));
                }
            }};
}

}  // namespace fovea
