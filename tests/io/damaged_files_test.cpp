// Every damaged or hostile input is a clear error: no crash, no hang, little memory, nothing written.
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <set>

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/stat.h>
#endif

#include "builders.h"
#include "fovea/error.h"
#include "io/checkpoint_file.h"
#include "io/trace_file.h"
#include "io/weight_store.h"
#include "support.h"

namespace fovea::test {
namespace {

/// What an input looks like on disk: files by relative path, links by relative path.
struct Layout {
    std::map<std::string, std::string> files;
    std::map<std::string, std::string> links;  // link -> target, relative to the link
    std::string open;                          // what is opened, relative; "" is the folder
};

struct Damaged {
    const char* name;
    const char* says;  // a part of the message
    Layout layout;
};

const std::string kConfig = R"({"model_type":"vit","architectures":["ViTModel"],"hidden_size":8})";
const std::string kData24(24, '\1');

std::string tensorHeader(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

Layout weights(const std::string& bytes) {
    return {{{"config.json", kConfig}, {"model.safetensors", bytes}}, {}, ""};
}
Layout header(const std::string& text, const std::string& data = kData24) {
    return weights(safetensorsFile(text, data));
}
/// A header with more metadata entries than are read.
std::string manyEntries() {
    std::string text = R"({"__metadata__":{)";
    for (int i = 0; i < 100'001; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
    return text + R"(},"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})";
}
Layout pickled(const std::string& bytes) {
    return {{{"w.pth", bytes}}, {}, "w.pth"};
}
Layout zipped(const PickledTensor& tensor, const std::string& data = kData24) {
    return pickled(torchZip(pickleDict({tensor}), {{"0", data}}));
}
Layout opcodes(const std::string& code) {
    return pickled(torchZip(std::string("\x80\x02", 2) + code, {{"0", kData24}}));
}
Layout config(const std::string& text) {
    return {{{"config.json", text},
             {"model.safetensors", safetensorsFile(tensorHeader("\"F32\"", "[6]", "[0,24]"), kData24)}},
            {},
            ""};
}
Layout index(const std::string& text) {
    return {{{"config.json", kConfig}, {"model.safetensors.index.json", text}, {"outside.safetensors", "x"}},
            {},
            ""};
}
PickledTensor with(void (*change)(PickledTensor&)) {
    PickledTensor tensor;
    change(tensor);
    return tensor;
}

std::vector<Damaged> damagedInputs() {
    const std::string good = tensorHeader("\"F32\"", "[2,3]", "[0,24]");
    const std::string nested = std::string(200000, '[');
    std::vector<Damaged> all{
        // safetensors
        {"empty file", "at least 8 bytes", weights("")},
        {"seven bytes", "at least 8 bytes", weights("1234567")},
        {"header length beyond the file", "header of at most", weights(little(1000, 8) + good)},
        {"header length of 2^64 - 1", "header of at most", weights(std::string(8, '\xff') + good)},
        {"header length that overflows when 8 is added", "header of at most",
         weights(little(~std::uint64_t{0} - 7, 8) + good)},
        {"zero header", "starts with '{'", weights(little(0, 8))},
        {"header is a list", "starts with '{'", header("[1,2]")},
        {"header starts with a space", "starts with '{'", header(" " + good)},
        {"header is cut", "not valid JSON", header(good.substr(0, 30))},
        {"header has text behind", "not valid JSON", header(good + "x")},
        {"header is not UTF-8", "not valid JSON",
         header("{\"w\xff\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}}")},
        {"deeply nested header", "expected an object", header("{\"w\":" + nested)},
        {"data cut by one byte", "truncated", header(good, kData24.substr(1))},
        {"data with one byte more", "tensor data", header(good, kData24 + "x")},
        {"no tensor but data", "tensor data", header("{}")},
        {"unknown dtype", "known dtype", header(tensorHeader("\"F33\"", "[6]", "[0,24]"))},
        {"sub-byte dtype", "known dtype", header(tensorHeader("\"F4\"", "[48]", "[0,24]"))},
        {"dtype is a number", "a string for dtype", header(tensorHeader("7", "[6]", "[0,24]"))},
        {"dtype is null", "a string for dtype", header(tensorHeader("null", "[6]", "[0,24]"))},
        {"negative size", "non-negative", header(tensorHeader("\"F32\"", "[-6]", "[0,24]"))},
        {"fractional size", "non-negative", header(tensorHeader("\"F32\"", "[6.0]", "[0,24]"))},
        {"size is a text", "non-negative", header(tensorHeader("\"F32\"", "[\"6\"]", "[0,24]"))},
        {"size of 2^63", "non-negative", header(tensorHeader("\"F32\"", "[9223372036854775808]", "[0,24]"))},
        {"sizes whose product overflows", "larger than any file",
         header(tensorHeader("\"F32\"", "[4294967296,4294967296,4294967296]", "[0,24]"))},
        {"overflow hidden by an empty axis", "larger than any file",
         header(tensorHeader("\"F32\"", "[0,9223372036854775807,9223372036854775807]", "[0,24]"))},
        {"nine axes", "at most 8 axes", header(tensorHeader("\"F32\"", "[1,1,1,1,1,1,1,1,6]", "[0,24]"))},
        {"shape is no list", "a list for shape", header(tensorHeader("\"F32\"", "6", "[0,24]"))},
        {"shape of another size than the data", "needs", header(tensorHeader("\"F32\"", "[2,4]", "[0,24]"))},
        {"dtype of another size than the data", "needs", header(tensorHeader("\"F16\"", "[2,3]", "[0,24]"))},
        {"offsets backwards", "needs", header(tensorHeader("\"F32\"", "[6]", "[0,0]"))},
        {"end before begin", "overlap",
         header(
             R"({"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[6],"data_offsets":[12,8]}})")},
        {"offsets beyond the file", "truncated", header(tensorHeader("\"F32\"", "[600]", "[0,2400]"))},
        {"offsets of 2^62", "truncated",
         header(tensorHeader("\"U8\"", "[4611686018427387904]", "[0,4611686018427387904]"))},
        {"one offset", "2 data_offsets", header(tensorHeader("\"F32\"", "[6]", "[0]"))},
        {"three offsets", "2 data_offsets", header(tensorHeader("\"F32\"", "[6]", "[0,24,24]"))},
        {"overlapping tensors", "overlap",
         header(
             R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}})")},
        {"many names for the same bytes", "overlap",
         header(
             R"({"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})")},
        {"hole between tensors", "hole",
         header(
             R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}})")},
        {"the same tensor twice", "twice",
         header(
             R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"w":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}})")},
        {"the same key twice in a tensor", "twice",
         header(R"({"w":{"dtype":"F32","dtype":"F32","shape":[6],"data_offsets":[0,24]}})")},
        {"metadata twice", "twice",
         header(
             R"({"__metadata__":{},"__metadata__":{},"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})")},
        {"metadata holds a number", "a string for",
         header(R"({"__metadata__":{"a":1},"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})")},
        {"tensor without offsets", "no data_offsets", header(R"({"w":{"dtype":"F32","shape":[6]}})")},
        {"more metadata than anybody writes", "metadata entries", header(manyEntries())},
        {"tensor with a strange key", "found \"stride\"",
         header(R"({"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24],"stride":[1]}})")},
        {"tensor is a number", "an object", header(R"({"w":3})")},
        {"very long name", "at most 1024 bytes",
         header("{\"" + std::string(5000, 'w') + R"(":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})")},
        {"Git LFS pointer", "Git LFS",
         weights("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")},
        {"web page", "web page", weights("<!DOCTYPE html><html>404</html>")},
        {"a pickle named safetensors", "header", weights(torchZip(pickleDict({{}}), {{"0", kData24}}))},
        // torch.save
        {"zip cut in the middle", "", pickled(torchZip(pickleDict({{}}), {{"0", kData24}}).substr(0, 120))},
        {"zip without data.pkl", "data.pkl", pickled(zipFile({{"archive/other", "x"}}))},
        {"zip member compressed", "compressed",
         pickled(zipFile({{"archive/data.pkl", pickleDict({{}}), 8}, {"archive/data/0", kData24}}))},
        {"zip member larger than the file", "expected 16777216 bytes",
         pickled(zipFile({{"archive/data.pkl", pickleDict({{}}), 0, 1 << 24}}))},
        {"zip member outside the file", "outside the file",
         pickled(zipFile({{"archive/data.pkl", "x", 0, 0xFFFFFFFF, 1 << 24}}))},
        {"zip member without local header", "local header",
         pickled(zipFile({{"archive/data.pkl", "x", 0, 0xFFFFFFFF, 3}}))},
        {"zip directory outside the file", "outside the file",
         pickled("PK" + std::string(30, '\0') + little(0x06054b50, 4) + little(0, 4) + little(1, 2) +
                 little(1, 2) + little(4000, 4) + little(9000, 4) + little(0, 2))},
        {"zip64 record outside the file", "",
         pickled("PK" + std::string(30, '\0') + little(0x07064b50, 4) + little(0, 4) + little(1u << 30, 8) +
                 little(1, 4) + little(0x06054b50, 4) + little(0, 4) + little(0xFFFF, 2) + little(0xFFFF, 2) +
                 little(0xFFFFFFFF, 4) + little(0xFFFFFFFF, 4) + little(0, 2))},
        {"big-endian weights", "byte order",
         pickled(zipFile({{"archive/data.pkl", pickleDict({{}})},
                          {"archive/byteorder", "big"},
                          {"archive/data/0", kData24}}))},
        {"storage that is not there", "not in the file", zipped(with([](PickledTensor& t) { t.key = "7"; }))},
        {"storage key that climbs", "not in the file",
         zipped(with([](PickledTensor& t) { t.key = "../../etc/passwd"; }))},
        {"storage shorter than it says", "found 20 bytes", zipped({}, kData24.substr(4))},
        {"storage of negative size", "non-negative", zipped(with([](PickledTensor& t) { t.numel = -1; }))},
        {"storage of 2^62 elements", "found 24 bytes",
         zipped(with([](PickledTensor& t) { t.numel = std::int64_t{1} << 62; }))},
        {"unknown storage type", "refused to load",
         zipped(with([](PickledTensor& t) { t.storage = "QInt8Storage"; }))},
        {"tensor beyond its storage", "found element 7",
         zipped(with([](PickledTensor& t) { t.offset = 2; }))},
        {"strides beyond the storage", "found element",
         zipped(with([](PickledTensor& t) { t.stride = {100, 1}; }))},
        {"strides that overflow", "overflow", zipped(with([](PickledTensor& t) {
             t.stride = {INT64_MAX, INT64_MAX};
             t.size = {3, 3};
         }))},
        {"negative stride", "non-negative", zipped(with([](PickledTensor& t) { t.stride = {-3, 1}; }))},
        {"negative offset", "non-negative", zipped(with([](PickledTensor& t) { t.offset = -1; }))},
        {"sizes that overflow behind zero strides", "larger than any file", zipped(with([](PickledTensor& t) {
             t.size = {INT64_MAX, INT64_MAX};
             t.stride = {0, 0};
         }))},
        {"a few bytes repeated to 128 MiB", "repeated elements", zipped(with([](PickledTensor& t) {
             t.size = {4096, 8192};
             t.stride = {0, 0};
         }))},
        {"more strides than sizes", "strides", zipped(with([](PickledTensor& t) { t.stride = {3, 1, 1}; }))},
        {"nine axes in a pickle", "at most 8 axes", zipped(with([](PickledTensor& t) {
             t.size = std::vector<std::int64_t>(9, 1);
             t.stride = t.size;
         }))},
        {"calls os.system", "posix.system",
         opcodes("cposix\nsystem\n" + pickleText("echo hostile > hostile_ran") + "\x85R.")},
        {"calls builtins.eval through the stack", "builtins.eval",
         opcodes(pickleText("builtins") + pickleText("eval") + "\x93" + pickleText("1") + "\x85R.")},
        {"calls an old-style instance", "opcode 0x69", opcodes("(ios\nsystem\n.")},
        {"extension registry", "opcode 0x82", opcodes("\x82\x01.")},
        {"text persistent id", "opcode 0x50", opcodes("Pid\n.")},
        {"pops from an empty stack", "empty stack", opcodes("a.")},
        {"mark that is not there", "mark", opcodes("t.")},
        {"memo that is not there", "memo entry 9", opcodes("h\x09.")},
        {"pickle without end", "end of the data", opcodes("}")},
        {"text longer than the file", "end of the data", opcodes("X" + little(0x7FFFFFFF, 4) + "abc")},
        {"global without end of line", "global", opcodes("c" + std::string(4000, 'a'))},
        {"call of a text", "rebuild functions", opcodes(pickleText("x") + ")R.")},
        {"rebuild without arguments", "fewer", opcodes("ctorch._utils\n_rebuild_tensor_v2\n)R.")},
        {"rebuild of a number", "a storage",
         opcodes("ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x01K\x01K\x01tR.")},
        {"sets items of a list", "dictionary", opcodes("](K\x01K\x02u.")},
        {"key without a value", "without a value", opcodes("}(K\x01u.")},
        {"pickle of a number", "dictionary of tensors", opcodes("K\x01.")},
        {"dictionary without tensors", "dictionary of tensors", opcodes("}(" + pickleText("a") + "K\x01u.")},
        {"a list that holds itself", "dictionary of tensors",
         opcodes("]q\x01h\x01"
                 "a.")},
        {"a dictionary that holds itself", "dictionary of tensors",
         opcodes("}q\x01(" + pickleText("model") + "h\x01u.")},
        {"the same tensor twice in a pickle", "twice",
         pickled(torchZip(pickleDict({{}, {}}), {{"0", kData24}}))},
        {"tensor name that is not UTF-8", "UTF-8",
         zipped(with([](PickledTensor& t) { t.name = "w\xc0\x80"; }))},
        {"five million lists", "pickled values", opcodes(std::string(5'000'000, ']') + ".")},
        {"five million marks", "", opcodes(std::string(5'000'000, '(') + ".")},
        {"pickle protocol 0", "", pickled("(dp0\nS'a'\nI1\ns.")},
        {"legacy with another magic number", "written by torch.save",
         pickled(std::string("\x80\x02", 2) + "K\x01.")},
        {"legacy cut in its data", "end of the file",
         pickled(torchLegacy(pickleDict({{}}), {{"0", kData24}})
                     .substr(0, torchLegacy(pickleDict({{}}), {{"0", kData24}}).size() - 3))},
        {"legacy storage nobody uses", "no tensor uses",
         pickled(torchLegacy(pickleDict({{}}), {{"1", kData24}}))},
        {"legacy without its storage", "not in the file", pickled(torchLegacy(pickleDict({{}}), {}))},
        // configurations
        {"empty config", "not valid JSON", config("")},
        {"config is a list", "JSON object", config("[]")},
        {"config is cut", "not valid JSON", config(kConfig.substr(0, 20))},
        {"config with NaN", "NaN", config(R"({"model_type":"vit","layer_norm_eps":NaN})")},
        {"config with -Infinity", "Infinity", config(R"({"model_type":"vit","layer_norm_eps":-Infinity})")},
        {"config with 1e999", "not valid JSON", config(R"({"model_type":"vit","layer_norm_eps":1e999})")},
        {"config with a key twice", "twice", config(R"({"model_type":"vit","model_type":"bert"})")},
        {"config with comments", "not valid JSON", config("{\"model_type\":\"vit\" /* x */}")},
        {"config nested 200,000 deep", "nested", config("{\"a\":" + nested)},
        {"config of two million values", "values", config([] {
             std::string t = "{\"model_type\":\"vit\",\"a\":[";
             for (int i = 0; i < 2'000'000; ++i) t += "1,";
             return t + "1]}";
         }())},
        {"config of 17 MiB", "bytes of JSON",
         config("{\"model_type\":\"" + std::string(17 << 20, 'a') + "\"}")},
        {"config that is not UTF-8", "not valid JSON", config("{\"model_type\":\"v\xff\"}")},
        {"config says nothing", "model_type", config("{}")},
        {"model_type is a number", "a text", config(R"({"model_type":3})")},
        {"architectures is a text", "a list of texts",
         config(R"({"model_type":"vit","architectures":"ViTModel"})")},
        {"config with remote code", "auto_map",
         config(R"({"model_type":"vit","auto_map":{"AutoModel":"x.Y"}})")},
        {"quantised config", "gptq",
         config(R"({"model_type":"vit","quantization_config":{"quant_method":"gptq"}})")},
        {"quantised weights", "quantised",
         header(R"({"layer.qweight":{"dtype":"I32","shape":[6],"data_offsets":[0,24]}})")},
        // folders and indices
        {"empty folder", "config.json", {{{"readme.txt", "x"}}, {}, ""}},
        {"no weights", "expected weights", {{{"config.json", kConfig}}, {}, ""}},
        {"index is a list", "weight_map", index("[]")},
        {"index without map", "weight_map", index("{}")},
        {"index with an empty map", "at least one", index(R"({"weight_map":{}})")},
        {"index with a number for a file", "file name", index(R"({"weight_map":{"w":1}})")},
        {"index with ..", "bare name", index(R"({"weight_map":{"w":"../outside.safetensors"}})")},
        {"index with an absolute path", "bare name", index(R"({"weight_map":{"w":"/etc/passwd"}})")},
        {"index with a subfolder", "bare name", index(R"({"weight_map":{"w":"a/b.safetensors"}})")},
        {"index with a backslash", "bare name", index(R"({"weight_map":{"w":"..\\outside.safetensors"}})")},
        {"index with a drive", "bare name", index(R"({"weight_map":{"w":"C:outside.safetensors"}})")},
        {"index with a NUL", "bare name", index("{\"weight_map\":{\"w\":\"a\\u0000b\"}}")},
        {"index with an empty name", "bare name", index(R"({"weight_map":{"w":""}})")},
        {"index with the folder itself", "bare name", index(R"({"weight_map":{"w":"."}})")},
        {"index with a missing shard", "incomplete",
         index(R"({"weight_map":{"w":"model-00001-of-00002.safetensors"}})")},
        {"index of a key twice", "twice", index(R"({"weight_map":{"w":"a","w":"b"}})")},
        {"shard that is a folder",
         "regular file",
         {{{"config.json", kConfig},
           {"model.safetensors.index.json", R"({"weight_map":{"w":"s.safetensors"}})"},
           {"s.safetensors/x", "x"}},
          {},
          ""}},
        {"the same tensor in two shards",
         "one file",
         {{{"config.json", kConfig},
           {"model.safetensors.index.json", R"({"weight_map":{"w":"a.safetensors","v":"b.safetensors"}})"},
           {"a.safetensors", safetensorsFile(good, kData24)},
           {"b.safetensors", safetensorsFile(good, kData24)}},
          {},
          ""}},
        {"shard that links out of the folder",
         "symbolic link",
         {{{"m/config.json", kConfig},
           {"m/model.safetensors.index.json", R"({"weight_map":{"w":"s.safetensors"}})"},
           {"secret", safetensorsFile(good, kData24)}},
          {{"m/s.safetensors", "../secret"}},
          "m"}},
        {"weights that link to themselves",
         "leads back",
         {{{"config.json", kConfig}}, {{"model.safetensors", "model.safetensors"}}, ""}},
        {"weights that link in a circle",
         "leads back",
         {{{"config.json", kConfig}},
          {{"model.safetensors", "a"}, {"a", "b"}, {"b", "model.safetensors"}},
          ""}},
        {"weights that link to nothing",
         "incomplete",
         {{{"config.json", kConfig}}, {{"model.safetensors", "../blobs/0123"}}, ""}},
        {"config that links to itself",
         "leads back",
         {{{"model.safetensors", "x"}}, {{"config.json", "config.json"}}, ""}},
        {"folder that links to itself", "leads back", {{}, {{"m", "m"}}, "m"}},
        {"weights are a folder",
         "expected weights",
         {{{"config.json", kConfig}, {"model.safetensors/x", "x"}}, {}, ""}},
        {"nothing there", "no such folder", {{}, {}, "missing/folder"}},
        {"lone file of unknown names",
         "recognises",
         {{{"w.safetensors", safetensorsFile(good, kData24)}}, {}, "w.safetensors"}},
        {"lone transformer without positions",
         "pos_embed",
         {{{"w.safetensors",
            safetensorsFile(
                R"({"patch_embed.proj.weight":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}})",
                kData24)}},
          {},
          "w.safetensors"}},
    };
    return all;
}

void lay(const fs::path& folder, const Layout& layout) {
    for (const auto& [name, bytes] : layout.files) writeBytes(folder / name, bytes);
    for (const auto& [name, target] : layout.links) {
        fs::create_directories((folder / name).parent_path());
        fs::create_symlink(target, folder / name);
    }
}

std::set<std::string> listing(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        names.insert(entry.path().string() + (!entry.is_symlink() && entry.is_regular_file()
                                                  ? ":" + std::to_string(entry.file_size())
                                                  : ""));
    return names;
}

long peakKilobytes() {
#ifdef _WIN32
    return 0;
#else
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
#endif
}

/// All that loading a model does before its family takes over.
void load(const std::string& reference) {
    const ResolvedModel model = resolveModel(reference, {});
    const ConfigView view = readModelConfig(model);
    identifyModel(model, view);
    const auto store = WeightStore::open(model);
    for (std::size_t i = 0; i < store->tensors().size(); ++i) store->get(i);
}

}  // namespace

TEST_CASE("at least sixty kinds of damaged input give an error that names what is wrong") {
    const auto inputs = damagedInputs();
    CHECK(inputs.size() >= 60);
    std::set<std::string> names;
    TemporaryFolder folder;
    const long before = peakKilobytes();
    for (const Damaged& input : inputs) {
        CAPTURE(std::string(input.name));
        CHECK(names.insert(input.name).second);
        const fs::path place = folder / "case";
        fs::remove_all(place);
        fs::create_directories(place);
        lay(place, input.layout);
        const auto listed = listing(place);
        const auto start = std::chrono::steady_clock::now();
        std::string message;
        try {
            load((place / input.layout.open).string());
        } catch (const Error& error) {
            message = error.what();
            CHECK(error.code() == ErrorCode::Input);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        CAPTURE(message);
        CHECK_FALSE(message.empty());
        CHECK(message.find(input.says) != std::string::npos);
        CHECK(message.size() < 1000);
        CHECK(message.find(place.string()) != std::string::npos);
        CHECK(took.count() < 5.0);
        CHECK(listing(place) == listed);
    }
    const long grown = peakKilobytes() - before;
    MESSAGE(inputs.size() << " kinds, peak memory grown by " << grown / 1024 << " MiB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(grown < 512 * 1024);
#endif
}

TEST_CASE("pipes and devices are refused without waiting") {
#ifndef _WIN32
    TemporaryFolder folder;
    const fs::path pipe = folder / "w.safetensors";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THROWS_AS(load(pipe.string()), Error);
    CHECK_THROWS_AS(MappedFile::open(pipe), Error);
    CHECK_THROWS_AS(MappedFile::open("/dev/zero"), Error);
    CHECK_THROWS_AS(load("/dev/null"), Error);
#endif
}

TEST_CASE("a file that shrinks while it is open is noticed") {
    TemporaryFolder folder;
    const fs::path file = folder / "w.safetensors";
    writeBytes(file, safetensorsFile(tensorHeader("\"F32\"", "[2,3]", "[0,24]"), kData24));
    ResolvedModel model;
    model.weightFormat = WeightFormat::Safetensors;
    model.weightFiles = {file};
    const auto store = WeightStore::open(model);
    CHECK(store->get("w").numel() == 6);
    fs::resize_file(file, 40);
    CHECK_THROWS_WITH_AS(store->get("w"), doctest::Contains("changed while it was open"), Error);
}

TEST_CASE("a trace must be a trace") {
    TemporaryFolder folder;
    const fs::path file = folder / "t.safetensors";
    writeBytes(file, safetensorsFile(tensorHeader("\"F32\"", "[2,3]", "[0,24]"), kData24));
    CHECK_THROWS_WITH_AS(TraceFile::open(file), doctest::Contains("fovea.version"), Error);
    writeBytes(
        file,
        safetensorsFile(
            R"({"__metadata__":{"fovea.version":"0.1.0"},"c":{"dtype":"C64","shape":[3],"data_offsets":[0,24]}})",
            kData24));
    CHECK_THROWS_WITH_AS(TraceFile::open(file)->read("c"), doctest::Contains("complex64"), Error);
    CHECK_THROWS_AS(TraceFile::open(file)->read("d"), Error);
}

}  // namespace fovea::test
