#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/byte_reader.h"
#include "io/dtype.h"

namespace fovea {

/// Runs the opcodes of a pickle into a pool of plain values; knows a handful of torch's globals and calls
/// nothing. Values refer to each other by number, so that depth costs no recursion; texts are views into the
/// file.
class Unpickler {
public:
    enum class Kind : std::uint8_t {
        None,
        Bool,
        Int,
        BigInt,
        Float,
        Text,
        Tuple,
        List,
        Dict,
        Global,
        Storage,
        Tensor
    };
    using Id = std::uint32_t;

    struct Value {
        Kind kind = Kind::None;
        std::uint32_t index = 0;  ///< into lists (Tuple, List, Dict as key, value, ...), storages or tensors
        std::int64_t integer = 0;
        std::string_view text;  ///< of Text, Global ("module name") and the raw bytes of a BigInt
    };
    /// Elements kept under one key of the archive.
    struct Storage {
        std::string_view key;
        Dtype dtype = Dtype::F32;
        std::int64_t numel = 0;
        std::int64_t viewOffset = 0;  ///< of an old-style view, in elements of the storage with this key
        std::int64_t viewNumel = 0;
    };
    struct Tensor {
        std::uint32_t storage = 0;
        std::int64_t offset = 0;
        std::vector<std::int64_t> shape;
        std::vector<std::int64_t> strides;
    };

    explicit Unpickler(const std::string& source) : m_source(source) {}

    /// Reads one pickle from the reader's position, leaves the reader behind its STOP, and returns its value.
    Id load(ByteReader& reader);

    const Value& value(Id id) const { return m_values[id]; }
    /// Members of a Tuple, List, or Dict (alternating key and value).
    const std::vector<Id>& items(const Value& value) const { return m_lists[value.index]; }
    const Storage& storage(std::uint32_t index) const { return m_storages[index]; }
    std::size_t storageCount() const { return m_storages.size(); }
    const Tensor& tensor(const Value& value) const { return m_tensors[value.index]; }
    /// The value of a dictionary under a text key.
    std::optional<Id> lookUp(const Value& dict, std::string_view key) const;

private:
    [[noreturn]] void fail(const std::string& what) const;
    Id add(Value value);
    Id addList(Kind kind, std::vector<Id> items);
    void push(Id id);
    Id pop();
    Id top() const;
    std::vector<Id> popToMark();
    void append(Id container, std::span<const Id> items);
    void extend(std::span<const Id> items, Kind kind);
    void memoize(std::uint64_t slot);
    void recall(std::uint64_t slot);
    void pushGlobal(std::string_view module, std::string_view name);
    void reduce();
    void persistentLoad();
    Id rebuildTensor(const std::vector<Id>& arguments);
    Id orderedDict(const std::vector<Id>& arguments);
    bool step(ByteReader& reader);

    std::int64_t integer(Id id, const char* what) const;
    std::vector<std::int64_t> integers(Id id, const char* what) const;

    const std::string& m_source;
    std::vector<Value> m_values;
    std::vector<std::vector<Id>> m_lists;
    std::vector<Storage> m_storages;
    std::vector<Tensor> m_tensors;
    std::vector<Id> m_stack;
    std::vector<std::size_t> m_marks;
    std::unordered_map<std::uint64_t, Id> m_memo;
    std::uint64_t m_items = 0;
    std::uint64_t m_operations = 0;
};

}  // namespace fovea
