#include "io/unpickler.h"

#include <array>
#include <cstdio>

#include "io/tensor_info.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxPickledValues = 4'000'000;
constexpr std::size_t kMaxItems = 16'000'000;
constexpr std::uint64_t kMaxOperations = 64'000'000;
constexpr std::size_t kMaxGlobalBytes = 200;

struct StorageType {
    std::string_view global;
    Dtype dtype;
};
constexpr std::array<StorageType, 10> kStorageTypes{{
    {"torch FloatStorage", Dtype::F32},
    {"torch DoubleStorage", Dtype::F64},
    {"torch HalfStorage", Dtype::F16},
    {"torch BFloat16Storage", Dtype::BF16},
    {"torch LongStorage", Dtype::I64},
    {"torch IntStorage", Dtype::I32},
    {"torch ShortStorage", Dtype::I16},
    {"torch CharStorage", Dtype::I8},
    {"torch ByteStorage", Dtype::U8},
    {"torch BoolStorage", Dtype::Bool},
}};

constexpr std::string_view kOrderedDict = "collections OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::string_view kSize = "torch Size";

std::string_view knownGlobal(std::string_view module, std::string_view name) {
    const std::string text = std::string(module) + " " + std::string(name);
    for (std::string_view known : {kOrderedDict, kRebuildTensor, kRebuildParameter, kSize})
        if (known == text) return known;
    for (const StorageType& type : kStorageTypes)
        if (type.global == text) return type.global;
    return {};
}

std::string hex(std::uint8_t byte) {
    char text[8];
    std::snprintf(text, sizeof text, "0x%02x", static_cast<unsigned>(byte));
    return text;
}

/// Text that may go into a message: printable ASCII only, shortened.
std::string printable(std::string_view text) {
    std::string out;
    for (char c : text.substr(0, 80)) out += c >= 0x20 && c < 0x7F ? c : '?';
    return out;
}

}  // namespace

void Unpickler::fail(const std::string& what) const {
    throw Error(m_source + ": " + what, "The file is damaged or was not written by torch.save.");
}

Unpickler::Id Unpickler::add(Value value) {
    if (m_values.size() >= kMaxPickledValues)
        fail("expected at most " + std::to_string(kMaxPickledValues) + " pickled values, found more");
    m_values.push_back(value);
    return static_cast<Id>(m_values.size() - 1);
}

Unpickler::Id Unpickler::addList(Kind kind, std::vector<Id> items) {
    m_lists.push_back(std::move(items));
    return add({kind, static_cast<std::uint32_t>(m_lists.size() - 1), 0, {}});
}

void Unpickler::push(Id id) {
    if (m_stack.size() >= kMaxPickledValues)
        fail("expected a pickle stack of at most " + std::to_string(kMaxPickledValues));
    m_stack.push_back(id);
}

Unpickler::Id Unpickler::pop() {
    const Id id = top();
    m_stack.pop_back();
    return id;
}

Unpickler::Id Unpickler::top() const {
    if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back()))
        fail("the pickle takes a value from an empty stack");
    return m_stack.back();
}

std::vector<Unpickler::Id> Unpickler::popToMark() {
    if (m_marks.empty()) fail("the pickle refers to a mark that is not there");
    const auto first = m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back());
    m_marks.pop_back();
    std::vector<Id> items(first, m_stack.end());
    m_stack.erase(first, m_stack.end());
    return items;
}

void Unpickler::append(Id container, std::span<const Id> items) {
    m_items += items.size();
    if (m_items > kMaxItems)
        fail("expected at most " + std::to_string(kMaxItems) + " container items, found more");
    auto& list = m_lists[m_values[container].index];
    list.insert(list.end(), items.begin(), items.end());
}

void Unpickler::extend(std::span<const Id> items, Kind kind) {
    const Id container = top();
    if (m_values[container].kind != kind)
        fail(kind == Kind::Dict ? "the pickle sets items of something that is no dictionary"
                                : "the pickle appends to something that is no list");
    if (kind == Kind::Dict && items.size() % 2 != 0) fail("the pickle sets a key without a value");
    append(container, items);
}

void Unpickler::memoize(std::uint64_t slot) {
    if (m_memo.size() >= kMaxPickledValues) fail("expected at most " + std::to_string(kMaxPickledValues) + " memo entries");
    m_memo[slot] = top();
}

void Unpickler::recall(std::uint64_t slot) {
    const auto found = m_memo.find(slot);
    if (found == m_memo.end())
        fail("the pickle recalls memo entry " + std::to_string(slot) + ", which is not there");
    push(found->second);
}

void Unpickler::pushGlobal(std::string_view module, std::string_view name) {
    const std::string_view known =
        knownGlobal(module.substr(0, kMaxGlobalBytes), name.substr(0, kMaxGlobalBytes));
    if (known.empty())
        throw Error(m_source + ": refused to load the Python object " + printable(module) + "." +
                        printable(name) + ": a weight file may hold only tensors and plain containers",
                    "Save model.state_dict() alone, or convert the file to safetensors.");
    push(add({Kind::Global, 0, 0, known}));
}

std::int64_t Unpickler::integer(Id id, const char* what) const {
    const Value& value = m_values[id];
    if (value.kind != Kind::Int) fail(std::string("expected an integer for a tensor's ") + what);
    if (value.integer < 0)
        fail(std::string("expected a non-negative ") + what + ", found " + std::to_string(value.integer));
    return value.integer;
}

std::vector<std::int64_t> Unpickler::integers(Id id, const char* what) const {
    const Value& value = m_values[id];
    if (value.kind != Kind::Tuple) fail(std::string("expected a tuple for a tensor's ") + what);
    const auto& list = items(value);
    if (list.size() > kMaxRank)
        fail("expected at most " + std::to_string(kMaxRank) + " axes, found " + std::to_string(list.size()));
    std::vector<std::int64_t> numbers;
    for (Id item : list) numbers.push_back(integer(item, what));
    return numbers;
}

Unpickler::Id Unpickler::rebuildTensor(const std::vector<Id>& arguments) {
    if (arguments.size() < 4) fail("expected a tensor's storage, offset, size and stride, found fewer");
    const Value& storage = m_values[arguments[0]];
    if (storage.kind != Kind::Storage) fail("expected a storage for a tensor, found something else");
    Tensor tensor;
    tensor.storage = storage.index;
    tensor.offset = integer(arguments[1], "offset");
    tensor.shape = integers(arguments[2], "size");
    tensor.strides = integers(arguments[3], "stride");
    if (tensor.shape.size() != tensor.strides.size())
        fail("a tensor has " + std::to_string(tensor.shape.size()) + " sizes but " +
             std::to_string(tensor.strides.size()) + " strides");
    m_tensors.push_back(std::move(tensor));
    return add({Kind::Tensor, static_cast<std::uint32_t>(m_tensors.size() - 1), 0, {}});
}

Unpickler::Id Unpickler::orderedDict(const std::vector<Id>& arguments) {
    const Id dict = addList(Kind::Dict, {});
    if (arguments.empty()) return dict;
    const Value pairs = m_values[arguments[0]];
    if (arguments.size() != 1 || pairs.kind != Kind::List)
        fail("expected a list of pairs for an OrderedDict");
    for (Id pair : items(pairs)) {
        const Value& value = m_values[pair];
        if ((value.kind != Kind::Tuple && value.kind != Kind::List) || items(value).size() != 2)
            fail("expected a list of pairs for an OrderedDict");
        append(dict, items(value));
    }
    return dict;
}

void Unpickler::reduce() {
    const Value arguments = m_values[pop()];
    const Value callable = m_values[pop()];
    if (callable.kind != Kind::Global || arguments.kind != Kind::Tuple)
        fail("the pickle calls something that is not one of torch's rebuild functions");
    const std::vector<Id> list = items(arguments);
    if (callable.text == kRebuildTensor) return push(rebuildTensor(list));
    if (callable.text == kOrderedDict) return push(orderedDict(list));
    if (list.empty()) fail("the pickle calls " + printable(callable.text) + " without arguments");
    if (callable.text == kRebuildParameter) return push(list[0]);
    if (callable.text == kSize && m_values[list[0]].kind == Kind::Tuple) return push(list[0]);
    fail("the pickle calls " + printable(callable.text) + ", which is not a function that rebuilds tensors");
}

void Unpickler::persistentLoad() {
    const Value id = m_values[pop()];
    const std::vector<Id> fields = id.kind == Kind::Tuple ? items(id) : std::vector<Id>{};
    const auto textAt = [&](std::size_t i) {
        return m_values[fields[i]].kind == Kind::Text ? m_values[fields[i]].text : "";
    };
    if (fields.size() < 5 || fields.size() > 6 || textAt(0) != "storage" ||
        m_values[fields[2]].kind != Kind::Text)
        fail("expected ('storage', type, key, location, size) for a tensor's data, found something else");
    Storage storage;
    bool known = false;
    for (const StorageType& type : kStorageTypes) {
        if (m_values[fields[1]].kind != Kind::Global || m_values[fields[1]].text != type.global) continue;
        storage.dtype = type.dtype;
        known = true;
    }
    if (!known) fail("expected one of torch's storage types, found something else");
    storage.key = textAt(2);
    storage.numel = integer(fields[4], "storage size");
    storage.viewNumel = storage.numel;
    if (fields.size() == 6 && m_values[fields[5]].kind == Kind::Tuple) {
        const auto& view = items(m_values[fields[5]]);
        if (view.size() != 3) fail("expected (key, offset, size) for a view of a storage");
        storage.viewOffset = integer(view[1], "view offset");
        storage.viewNumel = integer(view[2], "view size");
        if (storage.viewOffset > storage.numel || storage.viewNumel > storage.numel - storage.viewOffset)
            fail("a view of a storage lies outside it");
    }
    m_storages.push_back(storage);
    push(add({Kind::Storage, static_cast<std::uint32_t>(m_storages.size() - 1), 0, {}}));
}

bool Unpickler::step(ByteReader& reader) {
    if (++m_operations > kMaxOperations)
        fail("expected at most " + std::to_string(kMaxOperations) + " pickle operations");
    const auto pushInteger = [&](std::int64_t value) { push(add({Kind::Int, 0, value, {}})); };
    const auto pushText = [&](std::uint64_t bytes) { push(add({Kind::Text, 0, 0, reader.text(bytes)})); };
    const auto pushTuple = [&](std::size_t count) {
        std::vector<Id> items(count);
        for (std::size_t i = count; i-- > 0;) items[i] = pop();
        push(addList(Kind::Tuple, std::move(items)));
    };
    const auto line = [&] {
        std::string_view rest = reader.text(0);
        std::uint64_t length = 0;
        const std::uint64_t limit = std::min<std::uint64_t>(reader.remaining(), kMaxGlobalBytes);
        while (length < limit && rest.data()[length] != '\n') ++length;
        if (length == limit) fail("expected the name of a global, found no end of line");
        rest = reader.text(length);
        reader.skip(1);
        return rest;
    };

    const std::uint8_t opcode = reader.u8();
    switch (opcode) {
        case 0x80: {  // PROTO
            const std::uint8_t protocol = reader.u8();
            if (protocol < 2 || protocol > 5)
                fail("expected pickle protocol 2 to 5, found " + std::to_string(protocol));
            break;
        }
        case 0x95:
            reader.skip(8);
            break;  // FRAME
        case '.':
            return false;  // STOP
        case '(':
            m_marks.push_back(m_stack.size());
            if (m_marks.size() > kMaxPickledValues) fail("too many marks");
            break;
        case 'N':
            push(add({Kind::None, 0, 0, {}}));
            break;
        case 0x88:
            push(add({Kind::Bool, 0, 1, {}}));
            break;
        case 0x89:
            push(add({Kind::Bool, 0, 0, {}}));
            break;
        case 'J':
            pushInteger(static_cast<std::int32_t>(reader.u32()));
            break;
        case 'K':
            pushInteger(reader.u8());
            break;
        case 'M':
            pushInteger(reader.u16());
            break;
        case 0x8a: {  // LONG1
            const std::string_view raw = reader.text(reader.u8());
            if (raw.size() > 8) {
                push(add({Kind::BigInt, 0, 0, raw}));
                break;
            }
            std::uint64_t bits = !raw.empty() && (raw.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
            for (std::size_t i = raw.size(); i-- > 0;) bits = bits << 8 | static_cast<std::uint8_t>(raw[i]);
            pushInteger(static_cast<std::int64_t>(bits));
            break;
        }
        case 'G':
            reader.skip(8);
            push(add({Kind::Float, 0, 0, {}}));
            break;
        case 'X':
        case 'T':
            pushText(reader.u32());
            break;
        case 0x8c:
        case 'U':
            pushText(reader.u8());
            break;
        case ')':
            push(addList(Kind::Tuple, {}));
            break;
        case ']':
            push(addList(Kind::List, {}));
            break;
        case '}':
            push(addList(Kind::Dict, {}));
            break;
        case 0x85:
            pushTuple(1);
            break;
        case 0x86:
            pushTuple(2);
            break;
        case 0x87:
            pushTuple(3);
            break;
        case 't':
            push(addList(Kind::Tuple, popToMark()));
            break;
        case 'a': {
            const Id item = pop();
            extend({&item, 1}, Kind::List);
            break;
        }
        case 'e':
            extend(popToMark(), Kind::List);
            break;
        case 's': {
            const Id value = pop();
            const std::array<Id, 2> pair{pop(), value};
            extend(pair, Kind::Dict);
            break;
        }
        case 'u':
            extend(popToMark(), Kind::Dict);
            break;
        case 'q':
            memoize(reader.u8());
            break;
        case 'r':
            memoize(reader.u32());
            break;
        case 0x94:
            memoize(m_memo.size());
            break;
        case 'h':
            recall(reader.u8());
            break;
        case 'j':
            recall(reader.u32());
            break;
        case 'c': {  // GLOBAL
            const std::string_view module = line();
            pushGlobal(module, line());
            break;
        }
        case 0x93: {  // STACK_GLOBAL
            const Value name = m_values[pop()];
            const Value module = m_values[pop()];
            if (name.kind != Kind::Text || module.kind != Kind::Text)
                fail("expected the name of a global, found no text");
            pushGlobal(module.text, name.text);
            break;
        }
        case 'R':
        case 0x81:
            reduce();
            break;  // NEWOBJ of the classes we know equals a call
        case 'b':
            pop();
            top();
            break;  // BUILD: the state (_metadata, hooks) is not needed
        case 'Q':
            persistentLoad();
            break;
        default:
            fail("refused to run pickle opcode " + hex(opcode) + ", which plain weights do not use");
    }
    return true;
}

Unpickler::Id Unpickler::load(ByteReader& reader) {
    m_stack.clear();
    m_marks.clear();
    m_memo.clear();
    while (step(reader)) {
    }
    if (!m_marks.empty() || m_stack.size() != 1)
        fail("expected one value in the pickle, found " + std::to_string(m_stack.size()));
    return m_stack.back();
}

std::optional<Unpickler::Id> Unpickler::lookUp(const Value& dict, std::string_view key) const {
    if (dict.kind != Kind::Dict) return std::nullopt;
    const auto& list = items(dict);
    for (std::size_t i = 0; i + 1 < list.size(); i += 2)
        if (m_values[list[i]].kind == Kind::Text && m_values[list[i]].text == key) return list[i + 1];
    return std::nullopt;
}

}  // namespace fovea
