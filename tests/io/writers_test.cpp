#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "builders.h"
#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/csv.h"
#include "io/file_identity.h"
#include "io/npz.h"
#include "io/number_formats.h"
#include "io/sha256.h"
#include "io/trace_file.h"
#include "io/zip_reader.h"
#include "support.h"

namespace fovea::test {
namespace {

/// Runs a Python program of the test environment; false where there is none.
bool python(const std::string& code, const fs::path& script) {
    const char* interpreter = std::getenv("FOVEA_TEST_PYTHON");
    if (interpreter == nullptr) {
        MESSAGE("skipped: set FOVEA_TEST_PYTHON to a Python with numpy and safetensors");
        return false;
    }
    writeBytes(script, code);
    std::string command("\"");
    command.append(interpreter).append("\" \"").append(script.string()).append("\"");
    CHECK(std::system(command.c_str()) == 0);
    return true;
}

std::vector<std::string> filesIn(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    return names;
}

Array counting(std::vector<std::int64_t> shape) {
    Array array(std::move(shape));
    for (std::size_t i = 0; i < array.values.size(); ++i) array.values[i] = static_cast<float>(i) * 0.1F - 1;
    return array;
}

}  // namespace

TEST_CASE("traces are written as the reference package reads them, and read back") {
    TemporaryFolder folder;
    const fs::path file = folder / "t.safetensors";
    const Array probs = counting({2, 3, 5});
    const Array scalar = counting({});
    const Array none = counting({0, 4});
    std::vector<SafetensorsEntry> entries;
    entries.push_back(floatEntry("vision.0.self/probs", probs.shape, probs.values));
    entries.push_back(floatEntry("half", probs.shape, probs.values, Dtype::F16));
    entries.push_back(floatEntry("bf", probs.shape, probs.values, Dtype::BF16));
    entries.push_back(floatEntry("scalar", {}, scalar.values));
    entries.push_back(floatEntry("none", {0, 4}, none.values));
    writeSafetensors(file, std::move(entries),
                     {{"fovea.version", "0.1.0"}, {"fovea.token_map", "{\"é\":\"\\n\"}"}});
    CHECK(filesIn(folder.path()) == std::vector<std::string>{"t.safetensors"});

    const auto trace = TraceFile::open(file);
    CHECK(trace->read("vision.0.self/probs") == probs);
    CHECK(trace->read("scalar") == scalar);
    CHECK(trace->read("none").shape == std::vector<std::int64_t>{0, 4});
    const Array part = trace->read("vision.0.self/probs", 1, 2);
    CHECK(part.shape == std::vector<std::int64_t>{1, 3, 5});
    CHECK(part.values == std::vector<float>(probs.values.begin() + 15, probs.values.end()));
    const Array half = trace->read("half");
    for (std::size_t i = 0; i < half.values.size(); ++i)
        CHECK(std::abs(half.values[i] - probs.values[i]) <= 0.001F);
    CHECK(trace->metadata("fovea.token_map") == "{\"é\":\"\\n\"}");
    CHECK(trace->metadata("none").empty());
    CHECK_THROWS_AS(trace->read("vision.0.self/probs", 1, 3), Error);

    const std::string bytes = readBytes(file);
    std::uint64_t header = 0;
    for (int i = 7; i >= 0; --i)
        header = header << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    CHECK(header % 8 == 0);
    python(
        "import numpy as np\n"
        "from safetensors import safe_open\n"
        "from safetensors.numpy import load_file\n"
        "path = r'" +
            file.string() +
            "'\n"
            "want = (np.arange(30, dtype=np.float32) * np.float32(0.1) - 1).reshape(2, 3, 5)\n"
            "with safe_open(path, 'pt') as f:\n"
            "    assert f.metadata()['fovea.token_map'] == '{\"é\":\"\\\\n\"}', f.metadata()\n"
            "    import torch\n"
            "    t = torch.from_numpy(want)\n"
            "    assert torch.equal(f.get_tensor('vision.0.self/probs'), t)\n"
            "    assert torch.equal(f.get_tensor('half'), t.half())\n"
            "    assert torch.equal(f.get_tensor('bf'), t.bfloat16())\n"
            "    assert f.get_tensor('scalar').shape == () and f.get_tensor('none').shape == (0, 4)\n",
        folder / "check.py");
}

TEST_CASE("names in traces: prefixes in order, each only where it applies") {
    for (const char* text : {"vision.0.self/probs", "step0003/branchcond/image1/tile12/vision.0.self/q",
                             "image0/hidden/vision/3", "step12345/output/logits", "input/pixel_values",
                             "image_embeds/x", "steps/x", "branch"}) {
        CAPTURE(std::string(text));
        CHECK(TraceName::parse(text).text() == text);
    }
    const TraceName name = TraceName::parse("step0003/branchcond/image1/tile12/vision.0.self/q");
    CHECK(name.step == 3);
    CHECK(name.branch == "cond");
    CHECK(name.image == 1);
    CHECK(name.tile == 12);
    CHECK(name.path == "vision.0.self/q");
    CHECK(TraceName::parse("image_embeds/x").image == std::nullopt);
}

TEST_CASE("NPY and NPZ as numpy reads them") {
    TemporaryFolder folder;
    const Array matrix = counting({3, 4});
    const Array vector = counting({5});
    const Array scalar = counting({});
    const Array none = counting({2, 0});
    writeNpy(folder / "m.npy", matrix);
    writeNpz(folder / "all.npz",
             {{"matrix", &matrix}, {"vision.0.self/probs", &vector}, {"scalar", &scalar}, {"none", &none}});
    const std::string first = readBytes(folder / "all.npz");
    writeNpz(folder / "all.npz",
             {{"matrix", &matrix}, {"vision.0.self/probs", &vector}, {"scalar", &scalar}, {"none", &none}});
    CHECK(readBytes(folder / "all.npz") == first);
    const auto members = readZipDirectory(std::as_bytes(std::span(first.data(), first.size())), "all.npz");
    CHECK(members.size() == 4);
    writeNpz(folder / "texts.npz", {{"vector", &vector}}, {{"words", {"a", "", "caf\xC3\xA9 \xF0\x9F\x98\x80", "\xFF"}}, {"nothing", {}}, {"empty", {""}}});
    CHECK_THROWS_AS(writeNpz(folder / "twice.npz", {{"a", &matrix}, {"a", &vector}}), Error);
    CHECK_THROWS_AS(writeNpz(folder / "twice.npz", {{"a", &matrix}}, {{"a", {"b"}}}), Error);
    CHECK_FALSE(fs::exists(folder / "twice.npz"));
    python(
        "import numpy as np, zipfile\n"
        "folder = r'" +
            folder.path().string() +
            "'\n"
            "count = lambda *s: (np.arange(int(np.prod(s)), dtype=np.float32) * np.float32(0.1) - "
            "1).reshape(s)\n"
            "m = np.load(folder + '/m.npy')\n"
            "assert m.dtype == np.float32 and np.array_equal(m, count(3, 4)), m\n"
            "assert zipfile.ZipFile(folder + '/all.npz').testzip() is None\n"
            "z = np.load(folder + '/all.npz')\n"
            "assert sorted(z.files) == ['matrix', 'none', 'scalar', 'vision.0.self/probs'], z.files\n"
            "assert np.array_equal(z['vision.0.self/probs'], count(5)) and z['scalar'].shape == () and "
            "z['none'].shape == (2, 0)\n"
            "assert zipfile.ZipFile(folder + '/texts.npz').testzip() is None\n"
            "z = np.load(folder + '/texts.npz')\n"
            "assert z['words'].tolist() == ['a', '', 'caf\\u00e9 \\U0001F600', '\\ufffd'], z['words']\n"
            "assert z['words'].dtype == '<U6' and z['nothing'].shape == (0,) and z['empty'].tolist() == ['']\n"
            "assert np.array_equal(z['vector'], count(5))\n",
        folder / "check.py");
}

TEST_CASE("CSV fields are quoted as RFC 4180 says and numbers read back exactly") {
    Table table;
    table.columns = {{"token", ""}, {"mass", "probability"}};
    table.rows = {{std::string("a,b"), 0.1},
                  {std::string("say \"hi\""), 1e-300},
                  {std::string("two\nlines"), std::nan("")},
                  {std::string(" é "), -std::numeric_limits<double>::infinity()}};
    CHECK(csvText(table) ==
          "token,mass (probability)\r\n\"a,b\",0.1\r\n\"say \"\"hi\"\"\",1e-300\r\n\"two\nlines\",nan\r\n é "
          ",-inf\r\n");
    for (double value : {0.1, 1.0 / 3, 123456789.0, 5e-324, 1.7976931348623157e308})
        CHECK(std::strtod(csvNumber(value).c_str(), nullptr) == value);
    CHECK(csvNumber(12) == "12");
}

TEST_CASE("files appear complete or not at all") {
    TemporaryFolder folder;
    writeBytes(folder / "out.txt", "old");
    {
        AtomicFile file(folder / "out.txt");
        file.write(std::string_view("half"));
        CHECK(readBytes(folder / "out.txt") == "old");
        CHECK(filesIn(folder.path()).size() == 2);
    }
    CHECK(readBytes(folder / "out.txt") == "old");
    CHECK(filesIn(folder.path()).size() == 1);
    const SafetensorsEntry failing{
        "w", Dtype::F32, {4}, [](const SafetensorsEntry::Sink&) { throw Error("stopped"); }};
    CHECK_THROWS_AS(writeSafetensors(folder / "out.txt", {failing}), Error);
    const SafetensorsEntry wrong{"w", Dtype::F32, {4}, [](const SafetensorsEntry::Sink& sink) { sink({}); }};
    CHECK_THROWS_WITH_AS(writeSafetensors(folder / "out.txt", {wrong}),
                         doctest::Contains("expected 16 bytes, found 0"), Error);
    CHECK(readBytes(folder / "out.txt") == "old");
    CHECK(filesIn(folder.path()).size() == 1);
    writeFileAtomically(folder / "out.txt", "new");
    CHECK(readBytes(folder / "out.txt") == "new");
    fs::create_symlink("out.txt", folder / "link");
    writeFileAtomically(folder / "link", "newer");
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(readBytes(folder / "out.txt") == "newer");
    CHECK_THROWS_AS(writeFileAtomically(folder / "no/such/out.txt", "x"), Error);
    CHECK_THROWS_AS(writeFileAtomically(folder.path(), "x"), Error);
#ifndef _WIN32
    writeFileAtomically("/dev/null", "x");
    CHECK(fs::is_character_file("/dev/null"));
#endif
}

TEST_CASE("16-bit floats: exact to float, rounded to nearest even from it") {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = halfToFloat(half);
        if (!std::isnan(value)) REQUIRE(floatToHalf(value) == half);
        if (std::isnan(value)) REQUIRE(std::isnan(halfToFloat(floatToHalf(value))));
        const float brain = bfloat16ToFloat(half);
        if (!std::isnan(brain)) REQUIRE(floatToBfloat16(brain) == half);
    }
    CHECK(halfToFloat(floatToHalf(1.0F + 1.0F / 2048)) == 1.0F);
    CHECK(halfToFloat(floatToHalf(1.0F + 3.0F / 2048)) == 1.0F + 2.0F / 1024);
    CHECK(std::isinf(halfToFloat(floatToHalf(65520.0F))));
    CHECK(halfToFloat(floatToHalf(65519.0F)) == 65504.0F);
    CHECK(halfToFloat(floatToHalf(std::ldexp(1.0F, -25))) == 0.0F);
    CHECK(halfToFloat(floatToHalf(std::ldexp(1.5F, -25))) == std::ldexp(1.0F, -24));
    CHECK(std::isnan(bfloat16ToFloat(floatToBfloat16(std::nanf("")))));
}

TEST_CASE("identities of weight files") {
    const auto hash = [](const std::string& text) {
        return sha256Hex(std::as_bytes(std::span(text.data(), text.size())));
    };
    CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash(std::string(1000000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (std::size_t length : {55, 56, 63, 64, 65, 119, 120}) {
        Sha256 pieces;
        const std::string text(length, 'x');
        for (const char& c : text) pieces.update(std::as_bytes(std::span(&c, 1)));
        CHECK(pieces.hex() == hash(text));
    }
    TemporaryFolder folder;
    writeBytes(folder / "models--a/blobs/0123", "abc");
    fs::create_symlink("blobs/0123", folder / "models--a/w.bin");
    const FileIdentity identity = identifyFile(folder / "models--a/w.bin", HashDepth::Full);
    CHECK(identity.size == 3);
    CHECK(identity.blob == "0123");
    CHECK(identity.sha256 == hash("abc"));
    CHECK(identity.headerHash == hash("abc"));
    CHECK(identity.modified > 1'600'000'000);
    ResolvedModel model;
    model.reference = "org/name";
    model.weightFiles = {folder / "models--a/w.bin"};
    const auto json = modelIdentityJson(model);
    CHECK(json["files"][0]["blob"] == "0123");
    CHECK_FALSE(json["files"][0].contains("sha256"));
}

}  // namespace fovea::test
