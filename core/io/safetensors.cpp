#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>

#include "fovea/error.h"

namespace fovea {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxMetadata = 100'000;

/// Reads the header from parser events: no document is built, so a hostile header cannot fill the memory.
class HeaderReader {
public:
    explicit HeaderReader(const std::string& source) : m_source(source) {}

    SafetensorsHeader header;

    bool null() { return unexpected("null"); }
    bool boolean(bool) { return unexpected("a boolean"); }
    bool binary(json::binary_t&) { return unexpected("binary data"); }
    bool number_float(json::number_float_t, const std::string& text) {
        return unexpected("the number " + text.substr(0, 40));
    }
    bool number_integer(json::number_integer_t value) {
        return unexpected("the number " + std::to_string(value));
    }

    bool number_unsigned(json::number_unsigned_t value) {
        if (m_level != Level::List) return unexpected("the number " + std::to_string(value));
        if (value > static_cast<std::uint64_t>(INT64_MAX))
            return unexpected("the number " + std::to_string(value));
        if (m_list.size() >= (m_field == "shape" ? kMaxRank : 2))
            fail(m_field == "shape"
                     ? "expected at most " + std::to_string(kMaxRank) + " axes in shape, found more"
                     : "expected 2 data_offsets, found more");
        m_list.push_back(static_cast<std::int64_t>(value));
        return true;
    }

    bool string(std::string& value) {
        if (m_level == Level::Metadata) {
            if (header.metadata.size() >= kMaxMetadata)
                fail("expected at most " + std::to_string(kMaxMetadata) + " metadata entries, found more");
            if (!header.metadata.emplace(m_field, std::move(value)).second) failTwice(m_field);
            return true;
        }
        if (m_level != Level::Tensor || m_field != "dtype") return unexpected("a string");
        const auto dtype = dtypeFromSafetensorsName(value);
        if (!dtype) fail("expected a known dtype, found \"" + value.substr(0, 40) + "\"");
        tensor().dtype = *dtype;
        return true;
    }

    bool start_object(std::size_t) {
        switch (m_level) {
            case Level::Outside:
                m_level = Level::Root;
                return true;
            case Level::Root:
                break;
            default:
                return unexpected("an object");
        }
        if (m_isMetadata) {
            m_level = Level::Metadata;
            return true;
        }
        m_level = Level::Tensor;
        m_seenDtype = m_seenShape = m_seenOffsets = false;
        return true;
    }

    bool start_array(std::size_t) {
        if (m_level != Level::Tensor || (m_field != "shape" && m_field != "data_offsets"))
            return unexpected("a list");
        m_level = Level::List;
        m_list.clear();
        return true;
    }

    bool key(std::string& name) {
        if (m_level == Level::Root) {
            m_isMetadata = name == "__metadata__";
            if (m_isMetadata) {
                if (m_seenMetadata) failTwice(name);
                m_seenMetadata = true;
                m_field = name;
                return true;
            }
            if (name.size() > kMaxNameBytes)
                fail("expected tensor names of at most " + std::to_string(kMaxNameBytes) + " bytes, found " +
                     std::to_string(name.size()));
            if (header.tensors.size() >= kMaxTensors)
                fail("expected at most " + std::to_string(kMaxTensors) + " tensors, found more");
            header.tensors.emplace_back().name = name;
            m_field.clear();
            return true;
        }
        if (m_level == Level::Tensor) {
            bool* seen = name == "dtype"          ? &m_seenDtype
                         : name == "shape"        ? &m_seenShape
                         : name == "data_offsets" ? &m_seenOffsets
                                                  : nullptr;
            if (seen == nullptr)
                fail("expected the keys dtype, shape and data_offsets, found \"" + name.substr(0, 40) + "\"");
            if (*seen) failTwice(name);
            *seen = true;
        }
        m_field = std::move(name);
        return true;
    }

    bool end_object() {
        if (m_level == Level::Tensor && !(m_seenDtype && m_seenShape && m_seenOffsets))
            fail(std::string("expected the keys dtype, shape and data_offsets, found no ") +
                 (!m_seenDtype   ? "dtype"
                  : !m_seenShape ? "shape"
                                 : "data_offsets"));
        m_level = m_level == Level::Root ? Level::Outside : Level::Root;
        return true;
    }

    bool end_array() {
        m_level = Level::Tensor;
        if (m_field == "shape") {
            tensor().shape = m_list;
            return true;
        }
        if (m_list.size() != 2) fail("expected 2 data_offsets, found " + std::to_string(m_list.size()));
        tensor().begin = static_cast<std::uint64_t>(m_list[0]);
        tensor().end = static_cast<std::uint64_t>(m_list[1]);
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
        throw Error(
            m_source + ": the header is not valid JSON (at byte " + std::to_string(position) + " of it)",
            "The file is damaged or no safetensors file; copy or download it again.");
    }

private:
    enum class Level { Outside, Root, Metadata, Tensor, List };

    TensorInfo& tensor() { return header.tensors.back(); }

    std::string where() const {
        if (m_isMetadata || header.tensors.empty()) return m_source + ": header: ";
        return m_source + ": tensor \"" + header.tensors.back().name + "\": ";
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw Error(where() + what, "The file is damaged; copy or download it again.");
    }
    [[noreturn]] void failTwice(const std::string& key) const {
        fail("the key \"" + key.substr(0, 80) + "\" occurs twice");
    }
    bool unexpected(const std::string& found) const {
        std::string expected = "an object";
        if (m_level == Level::Metadata) expected = "a string for \"" + m_field.substr(0, 80) + "\"";
        if (m_level == Level::List) expected = "non-negative 63-bit integers in " + m_field;
        if (m_level == Level::Tensor)
            expected = m_field == "dtype" ? "a string for dtype" : "a list for " + m_field;
        fail("expected " + expected + ", found " + found);
    }

    const std::string& m_source;
    Level m_level = Level::Outside;
    std::string m_field;
    std::vector<std::int64_t> m_list;
    bool m_isMetadata = false;
    bool m_seenMetadata = false;
    bool m_seenDtype = false;
    bool m_seenShape = false;
    bool m_seenOffsets = false;
};

std::uint64_t readLittle64(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i)
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(i)]);
    return value;
}

void requireUniqueNames(const std::vector<TensorInfo>& tensors, const std::string& source) {
    std::vector<std::string_view> names;
    names.reserve(tensors.size());
    for (const TensorInfo& tensor : tensors) names.push_back(tensor.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
        throw Error(source + ": the header names the tensor \"" + std::string(*twice) + "\" twice",
                    "The file is damaged; copy or download it again.");
}

/// Tensors must tile the data buffer exactly: no hole, no overlap, sizes as shape and dtype say.
void requireTiling(std::vector<TensorInfo>& tensors, std::uint64_t dataBytes, const std::string& source) {
    std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t previous = 0;
    for (const TensorInfo& tensor : tensors) {
        const auto fail = [&](const std::string& what) {
            throw Error(source + ": tensor \"" + tensor.name + "\": " + what,
                        "The file is damaged; copy or download it again.");
        };
        if (tensor.begin != previous)
            fail("expected its data at offset " + std::to_string(previous) + ", found " +
                 std::to_string(tensor.begin) +
                 (tensor.begin < previous ? " (tensors overlap)" : " (a hole between tensors)"));
        if (tensor.end < tensor.begin)
            fail("expected data_offsets in order, found [" + std::to_string(tensor.begin) + ", " +
                 std::to_string(tensor.end) + "]");
        if (tensor.end > dataBytes)
            fail("expected its data within " + std::to_string(dataBytes) + " bytes, found an end of " +
                 std::to_string(tensor.end) + " (the file is truncated or the offsets are wrong)");
        const std::int64_t bytes = checkedBytes(tensor.shape, itemSize(tensor.dtype));
        if (bytes < 0) fail("the shape " + shapeText(tensor.shape) + " is larger than any file");
        if (static_cast<std::uint64_t>(bytes) != tensor.end - tensor.begin)
            fail("shape " + shapeText(tensor.shape) + " of " + std::string(safetensorsName(tensor.dtype)) +
                 " needs " + std::to_string(bytes) + " bytes, found " +
                 std::to_string(tensor.end - tensor.begin));
        previous = tensor.end;
    }
    if (previous != dataBytes)
        throw Error(source + ": expected " + std::to_string(previous) + " bytes of tensor data, found " +
                        std::to_string(dataBytes),
                    "The file is damaged; copy or download it again.");
}

}  // namespace

SafetensorsHeader parseSafetensors(std::span<const std::byte> file, const std::string& source) {
    static_assert(std::endian::native == std::endian::little, "weights are read in place, as little-endian");
    if (file.size() < 8)
        throw Error(source + ": expected a safetensors file of at least 8 bytes, found " +
                        std::to_string(file.size()),
                    "The file is damaged or incomplete; copy or download it again.");
    const std::uint64_t headerBytes = readLittle64(file);
    if (headerBytes > kMaxHeaderBytes || headerBytes > file.size() - 8)
        throw Error(source + ": expected a safetensors header of at most " +
                        std::to_string(std::min<std::uint64_t>(kMaxHeaderBytes, file.size() - 8)) +
                        " bytes, found " + std::to_string(headerBytes),
                    "The file is damaged, incomplete or no safetensors file.");
    const auto text = std::string_view(reinterpret_cast<const char*>(file.data()) + 8, headerBytes);
    if (!text.starts_with('{'))
        throw Error(source + ": expected a safetensors header that starts with '{', found something else",
                    "The file is damaged or no safetensors file.");

    HeaderReader reader(source);
    if (!json::sax_parse(text.begin(), text.end(), &reader))
        throw Error(source + ": the header is not valid JSON",
                    "The file is damaged or no safetensors file; copy or download it again.");
    SafetensorsHeader header = std::move(reader.header);
    requireUniqueNames(header.tensors, source);
    requireTiling(header.tensors, file.size() - 8 - headerBytes, source);
    for (TensorInfo& tensor : header.tensors) {
        tensor.begin += 8 + headerBytes;
        tensor.end += 8 + headerBytes;
    }
    return header;
}

}  // namespace fovea
