#include <doctest/doctest.h>

#include <cstdlib>

#include "builders.h"
#include "fovea/error.h"
#include "fovea/model_reference.h"
#include "io/hf_cache.h"
#include "support.h"

namespace fovea::test {
namespace {

const std::string kConfig = R"({"model_type":"vit","architectures":["ViTModel"]})";
const std::string kWeights =
    safetensorsFile(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd");

/// A cache entry as huggingface_hub lays it out: blobs, and snapshots of links to them.
void addSnapshot(const fs::path& entry, const std::string& commit,
                 const std::map<std::string, std::string>& files) {
    for (const auto& [name, bytes] : files) {
        const std::string blob = std::to_string(std::hash<std::string>{}(bytes));
        writeBytes(entry / "blobs" / blob, bytes);
        fs::create_directories(entry / "snapshots" / commit);
        fs::create_symlink("../../blobs/" + blob, entry / "snapshots" / commit / name);
    }
}

const CachedModel& named(const std::vector<CachedModel>& models, const std::string& name) {
    for (const CachedModel& model : models)
        if (model.name == name) return model;
    throw std::runtime_error("not listed: " + name);
}

}  // namespace

TEST_CASE("a model is found in the cache by name: refs/main, else the newest snapshot, else a revision") {
    TemporaryFolder cache;
    const fs::path entry = cache / "models--org--name";
    addSnapshot(entry, "aaaa", {{"config.json", kConfig}, {"model.safetensors", kWeights}});
    addSnapshot(entry, "bbbb", {{"config.json", kConfig}, {"model.safetensors", kWeights}});
    const ModelSearch search{cache.path(), {}};

    fs::last_write_time(entry / "snapshots" / "aaaa",
                        fs::file_time_type::clock::now() - std::chrono::hours(1));
    CHECK(resolveModel("org/name", search).revision == "bbbb");
    writeBytes(entry / "refs" / "main", "aaaa\n");
    const ResolvedModel model = resolveModel("org/name", search);
    CHECK(model.revision == "aaaa");
    CHECK(model.displayName == "org/name");
    CHECK(model.format == ModelFormat::Transformers);
    CHECK(model.weightFormat == WeightFormat::Safetensors);
    REQUIRE(model.weightFiles.size() == 1);
    CHECK(readBytes(model.weightFiles[0]) == kWeights);
    CHECK(resolveModel("org/name@bbbb", search).revision == "bbbb");
    CHECK(resolveModel(entry.string(), search).weightFiles.size() == 1);

    addSnapshot(cache / "models--single", "cccc",
                {{"config.json", kConfig}, {"model.safetensors", kWeights}});
    CHECK(resolveModel("single", search).revision == "cccc");

    writeBytes(entry / "refs" / "main", "../../../elsewhere");
    CHECK(resolveModel("org/name", search).revision == "bbbb");
    CHECK_THROWS_WITH_AS(resolveModel("org/name@none", search), doctest::Contains("no such revision"), Error);
    CHECK_THROWS_WITH_AS(resolveModel("org/other", search), doctest::Contains(cache.path().string().c_str()),
                         Error);
    for (const char* name : {"../models--org--name", "org/..", "org/na/me", "org/", "/", "org/name@../x"})
        CHECK_THROWS_AS(resolveModel(name, search), Error);
    try {
        resolveModel("org/other", search);
    } catch (const Error& error) {
        CHECK(error.hint().find("hf download org/other") != std::string::npos);
    }
}

TEST_CASE("links of a snapshot may lead only into the blobs of its own entry") {
    TemporaryFolder cache;
    const ModelSearch search{cache.path(), {}};
    const fs::path entry = cache / "models--org--name";
    addSnapshot(entry, "aaaa", {{"config.json", kConfig}});
    writeBytes(cache / "secret", kWeights);
    const fs::path weights = entry / "snapshots" / "aaaa" / "model.safetensors";
    fs::create_symlink("../../../secret", weights);
    CHECK_THROWS_WITH_AS(resolveModel("org/name", search), doctest::Contains("symbolic link"), Error);
    fs::remove(weights);
    writeBytes(cache / "models--other--model" / "blobs" / "1", kWeights);
    fs::create_symlink("../../../models--other--model/blobs/1", weights);
    CHECK_THROWS_WITH_AS(resolveModel("org/name", search), doctest::Contains("symbolic link"), Error);
    fs::remove(weights);
    fs::create_symlink("model.safetensors", weights);
    CHECK_THROWS_WITH_AS(resolveModel("org/name", search), doctest::Contains("leads back"), Error);
    fs::remove(weights);
    fs::copy_file(cache / "secret", weights);  // systems without links hold plain files
    CHECK(resolveModel("org/name", search).weightFiles.size() == 1);

    TemporaryFolder own;  // in a folder of one's own, a link to any regular file is fine
    writeBytes(own / "m/config.json", kConfig);
    fs::create_symlink(cache / "secret", own / "m/model.safetensors");
    CHECK(resolveModel((own / "m").string(), search).weightFiles.size() == 1);
}

TEST_CASE("the cache is listed with what is incomplete and why, and not touched") {
    TemporaryFolder cache;
    addSnapshot(cache / "models--org--good", "aaaa",
                {{"config.json", kConfig}, {"model.safetensors", kWeights}});
    addSnapshot(cache / "models--org--partial", "aaaa", {{"config.json", kConfig}});
    writeBytes(cache / "models--org--partial/blobs/77.incomplete", "x");
    addSnapshot(
        cache / "models--org--shards", "aaaa",
        {{"config.json", kConfig},
         {"model.safetensors.index.json", R"({"weight_map":{"w":"a.safetensors","v":"b.safetensors"}})"},
         {"a.safetensors", kWeights}});
    addSnapshot(cache / "models--org--short", "aaaa",
                {{"config.json", kConfig}, {"model.safetensors", kWeights}});
    writeBytes(cache / "models--org--short/trees/aaaa.json",
               R"({"format_version":1,"files":{"model.safetensors":{"size":4000}}})");
    fs::create_directories(cache / "models--org--empty/snapshots");
    writeBytes(cache / "models--org--file", "not a folder");
    fs::create_directories(cache / "datasets--org--data");

    std::set<std::string> before;
    for (const auto& item : fs::recursive_directory_iterator(cache.path()))
        before.insert(item.path().string());
    const auto models = listCachedModels(cache.path());
    std::set<std::string> after;
    for (const auto& item : fs::recursive_directory_iterator(cache.path()))
        after.insert(item.path().string());
    CHECK(before == after);

    REQUIRE(models.size() == 5);
    CHECK(models[0].name == "org/empty");
    const CachedModel& good = named(models, "org/good");
    CHECK(good.complete);
    CHECK(good.modelType == "vit");
    CHECK(good.bytes == kConfig.size() + kWeights.size());
    CHECK(named(models, "org/partial").problem.find("incomplete") != std::string::npos);
    CHECK(named(models, "org/shards").problem.find("1 weight file") != std::string::npos);
    CHECK(named(models, "org/short").problem.find("of 4000 bytes") != std::string::npos);
    CHECK_FALSE(named(models, "org/empty").complete);
    CHECK(listCachedModels(cache / "nowhere").empty());
}

TEST_CASE("weights are looked for in the order of the reference, safetensors first") {
    TemporaryFolder folder;
    writeBytes(folder / "config.json", kConfig);
    const auto found = [&] {
        return resolveModel(folder.path().string(), {}).weightFiles[0].filename().string();
    };
    writeBytes(folder / "unrelated.safetensors", "x");
    writeBytes(folder / "pytorch_model.bin", "x");
    CHECK(found() == "pytorch_model.bin");
    CHECK(resolveModel(folder.path().string(), {}).weightFormat == WeightFormat::Pickle);
    writeBytes(folder / "model.fp16.safetensors", kWeights);
    CHECK(found() == "model.fp16.safetensors");
    writeBytes(folder / "s.safetensors", kWeights);
    writeBytes(folder / "model.safetensors.index.json", R"({"weight_map":{"w":"s.safetensors"}})");
    CHECK(found() == "s.safetensors");
    writeBytes(folder / "model.safetensors", kWeights);
    CHECK(found() == "model.safetensors");
}

TEST_CASE("formats of folders: timm, a diffusers component, a pipeline, a trace") {
    TemporaryFolder folder;
    writeBytes(folder / "timm/config.json", R"({"architecture":"vit_tiny_patch16_224","pretrained_cfg":{}})");
    writeBytes(folder / "timm/model.safetensors", kWeights);
    CHECK(resolveModel((folder / "timm").string(), {}).format == ModelFormat::Timm);
    writeBytes(folder / "unet/config.json", R"({"_class_name":"UNet2DConditionModel"})");
    writeBytes(folder / "unet/diffusion_pytorch_model.safetensors", kWeights);
    CHECK(resolveModel((folder / "unet").string(), {}).format == ModelFormat::DiffusersComponent);
    writeBytes(folder / "model_index.json", R"({"_class_name":"StableDiffusionPipeline"})");
    CHECK(resolveModel(folder.path().string(), {}).format == ModelFormat::DiffusersPipeline);
    writeBytes(folder / "t.safetensors", safetensorsFile(R"({"__metadata__":{"fovea.version":"1"}})"));
    CHECK(resolveModel((folder / "t.safetensors").string(), {}).format == ModelFormat::Trace);
}

TEST_CASE("demo models come from the resources; an unknown one lists those there are") {
    TemporaryFolder resources;
    writeBytes(resources / "demo_models/vit-scenes/config.json", kConfig);
    writeBytes(resources / "demo_models/vit-scenes/model.safetensors", kWeights);
    const ModelSearch search{{}, resources.path()};
    CHECK(resolveModel("demo:vit", search).displayName == "demo:vit");
    CHECK(resolveModel("demo:vit-scenes", search).weightFiles.size() == 1);
    for (const char* name : {"demo:", "demo:..", "demo:../demo_models/vit-scenes", "demo:other"}) {
        CAPTURE(std::string(name));
        CHECK_THROWS_AS(resolveModel(name, search), Error);
    }
    CHECK_FALSE(resourcesFolder().empty());
}

#ifndef _WIN32
TEST_CASE("the environment names the cache in the reference's order") {
    const std::vector<const char*> names{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME",
                                         "HOME"};
    std::map<std::string, std::string> kept;
    for (const char* name : names) {
        if (const char* value = std::getenv(name)) kept[name] = value;
        ::setenv(name, (std::string("/at/") + name).c_str(), 1);
    }
    const auto cache = [] { return ModelSearch::fromEnvironment().hubCache.string(); };
    CHECK(cache() == "/at/HF_HUB_CACHE");
    ::unsetenv("HF_HUB_CACHE");
    CHECK(cache() == "/at/HUGGINGFACE_HUB_CACHE");
    ::unsetenv("HUGGINGFACE_HUB_CACHE");
    CHECK(cache() == "/at/HF_HOME/hub");
    ::unsetenv("HF_HOME");
    CHECK(cache() == "/at/XDG_CACHE_HOME/huggingface/hub");
    ::unsetenv("XDG_CACHE_HOME");
    CHECK(cache() == "/at/HOME/.cache/huggingface/hub");
    for (const char* name : names) ::unsetenv(name);
    for (const auto& [name, value] : kept) ::setenv(name.c_str(), value.c_str(), 1);
}
#endif

}  // namespace fovea::test
