#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fovea::test {

inline std::string little(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
    return out;
}

/// A safetensors file from any header text and data.
inline std::string safetensorsFile(const std::string& header, const std::string& data = {}) {
    return little(header.size(), 8) + header + data;
}

/// What the little pickle assembler writes for one tensor; every field may be wrong on purpose.
struct PickledTensor {
    std::string name = "w";
    std::string storage = "FloatStorage";
    std::string key = "0";
    std::int64_t numel = 6;
    std::int64_t offset = 0;
    std::vector<std::int64_t> size{2, 3};
    std::vector<std::int64_t> stride{3, 1};
};

inline std::string pickleText(const std::string& text) {
    return "X" + little(text.size(), 4) + text;
}

inline std::string pickleInteger(std::int64_t value) {
    if (value >= 0 && value < 256) return "K" + little(static_cast<std::uint64_t>(value), 1);
    return std::string("\x8a\x08", 2) + little(static_cast<std::uint64_t>(value), 8);
}

inline std::string pickleTuple(const std::vector<std::int64_t>& values) {
    std::string out = "(";
    for (std::int64_t value : values) out += pickleInteger(value);
    return out + "t";
}

inline std::string pickleTensor(const PickledTensor& tensor) {
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickleText("storage") + "ctorch\n" + tensor.storage +
           "\n" + pickleText(tensor.key) + pickleText("cpu") + pickleInteger(tensor.numel) + "tQ" +
           pickleInteger(tensor.offset) + pickleTuple(tensor.size) + pickleTuple(tensor.stride) + "\x89" +
           "ccollections\nOrderedDict\n)RtR";
}

inline std::string pickleDict(const std::vector<PickledTensor>& tensors) {
    std::string out = std::string("\x80\x02", 2) + "}(";
    for (const PickledTensor& tensor : tensors) out += pickleText(tensor.name) + pickleTensor(tensor);
    return out + "u.";
}

struct ZipMember {
    std::string name;
    std::string data;
    std::uint16_t method = 0;
    std::uint32_t size = 0xFFFFFFFF;    ///< written instead of the real one when not the default
    std::uint32_t offset = 0xFFFFFFFF;  ///< likewise
};

/// A zip archive of members as they are; checksums are zero, as no reader of ours looks at them.
inline std::string zipFile(const std::vector<ZipMember>& members) {
    std::string out;
    std::string directory;
    for (const ZipMember& member : members) {
        const std::uint64_t offset = member.offset == 0xFFFFFFFF ? out.size() : member.offset;
        const std::uint64_t size = member.size == 0xFFFFFFFF ? member.data.size() : member.size;
        const std::string common = little(0, 2) + little(member.method, 2) + little(0, 4) + little(0, 4) +
                                   little(size, 4) + little(size, 4) + little(member.name.size(), 2) +
                                   little(0, 2);
        directory += little(0x02014b50, 4) + little(20, 2) + little(20, 2) + common + little(0, 2) +
                     little(0, 2) + little(0, 2) + little(0, 4) + little(offset, 4) + member.name;
        out += little(0x04034b50, 4) + little(20, 2) + common + member.name + member.data;
    }
    const std::string end = little(0x06054b50, 4) + little(0, 4) + little(members.size(), 2) +
                            little(members.size(), 2) + little(directory.size(), 4) + little(out.size(), 4) +
                            little(0, 2);
    return out + directory + end;
}

/// A torch.save archive around a pickle.
inline std::string torchZip(const std::string& pickle,
                            const std::vector<std::pair<std::string, std::string>>& storages) {
    std::vector<ZipMember> members{{"archive/data.pkl", pickle}};
    for (const auto& [key, data] : storages) members.push_back({"archive/data/" + key, data});
    return zipFile(members);
}

/// The older form: five pickles, then the storages.
inline std::string torchLegacy(const std::string& pickle,
                               const std::vector<std::pair<std::string, std::string>>& storages,
                               std::int64_t itemBytes = 4) {
    const std::string proto("\x80\x02", 2);
    std::string out = proto + std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);
    out += proto + "M\xe9\x03.";
    out += proto + "}(" + pickleText("little_endian") + "\x88u.";
    out += pickle;
    out += proto + "](";
    for (const auto& [key, data] : storages) out += pickleText(key);
    out += "e.";
    for (const auto& [key, data] : storages)
        out += little(data.size() / static_cast<std::uint64_t>(itemBytes), 8) + data;
    return out;
}

}  // namespace fovea::test
