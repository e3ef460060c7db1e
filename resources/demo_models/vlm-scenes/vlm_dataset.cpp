// Scenes with questions for the trainer beside it, which compiles it with ask.cpp, scene_records.cpp and core/scenes:
//   vlm_dataset tables                                    every question "q KIND TEXT", answer "a TEXT", "k KIND"
//   vlm_dataset FIRST_SEED COUNT SIDE GRID THREADS FILE|- scenes; COUNT 0 goes on until the reader closes the pipe
// A record, records following the seeds in order (bytes; kNone = 255 where there is nothing):
//   0    object count, target, least gap and least visible share of the naming (ask.h)
//   4    [9] class, [9] centre x and [9] centre y in 255ths of the side, [9] patch nearest the centre that shows it
//   40   [9] objects from left to right
//   49   [18] questions: kind, text (2, little endian), answer, object
//   139  [9, GRID * GRID] share of each patch that the object covers, in 255ths
//   then the image [SIDE, SIDE, 3]
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "ask.h"
#include "scene_records.h"

namespace {

constexpr int kMost = 9;
constexpr std::size_t kHead = 49 + 5 * ask::kSlots;

using records::byteOf;
using records::Job;

std::size_t recordBytes(const Job& job) { return kHead + kMost * job.cells() + job.imageBytes(); }

// Two of three scenes are as the program draws them (4 to 9 objects), one has 2 to 5; half have brackets.
fovea::SceneOptions optionsOf(std::uint64_t seed, int side) {
    fovea::SceneOptions options;
    options.seed = seed;
    options.width = options.height = side;
    if (seed % 3 == 0) options.minObjects = 2, options.maxObjects = 5;
    if (seed % 2 == 0) options.mark = fovea::SceneMark::None;
    return options;
}

// The patch that the object covers most of, of those nearest its centre.
std::size_t anchorOf(const std::vector<float>& coverage, const fovea::SceneObject& o, const Job& job) {
    std::size_t best = ask::kNone;
    float least = 1e9f;
    for (std::size_t i = 0; i < coverage.size(); ++i) {
        if (coverage[i] < 0.3f) continue;
        const float patch = static_cast<float>(job.side) / static_cast<float>(job.grid);
        const float dx =
            (static_cast<float>(i % static_cast<std::size_t>(job.grid)) + 0.5f) * patch - o.centerX;
        const float dy =
            (static_cast<float>(i / static_cast<std::size_t>(job.grid)) + 0.5f) * patch - o.centerY;
        if (dx * dx + dy * dy < least) least = dx * dx + dy * dy, best = i;
    }
    return best;
}

void writeRecord(const Job& job, std::uint64_t seed, unsigned char* out) {
    const fovea::Scene scene = fovea::makeScene(optionsOf(seed, job.side));
    const ask::Naming naming = ask::namingOf(scene);
    const auto side = static_cast<float>(job.side);
    std::memset(out, ask::kNone, kHead);
    std::memset(out + kHead, 0, kMost * job.cells());
    out[0] = static_cast<unsigned char>(scene.objects.size());
    out[1] = static_cast<unsigned char>(scene.target);
    out[2] = static_cast<unsigned char>(naming.gap);
    out[3] = static_cast<unsigned char>(naming.visible);
    for (const fovea::SceneObject& o : scene.objects) {
        const auto i = static_cast<std::size_t>(o.depth);
        const std::vector<float> coverage = fovea::sceneCoverage(scene, o.depth, job.grid, job.grid);
        out[4 + i] = static_cast<unsigned char>(fovea::sceneClass(o.shape, o.color));
        out[13 + i] = byteOf(o.centerX / side);
        out[22 + i] = byteOf(o.centerY / side);
        out[31 + i] = static_cast<unsigned char>(anchorOf(coverage, o, job));
        out[40 + i] = static_cast<unsigned char>(naming.order[i]);
        for (std::size_t c = 0; c < coverage.size(); ++c)
            out[kHead + i * job.cells() + c] = byteOf(coverage[c]);
    }
    unsigned char* slot = out + 49;
    for (const ask::Question& q : ask::questionsOf(scene)) {
        slot[0] = q.kind;
        slot[1] = static_cast<unsigned char>(q.text & 255);
        slot[2] = static_cast<unsigned char>(q.text >> 8);
        slot[3] = static_cast<unsigned char>(q.answer);
        slot[4] = q.object;
        slot += 5;
    }
    std::memcpy(out + kHead + kMost * job.cells(), scene.image.rgb.data(), scene.image.rgb.size());
}

void writeTables() {
    for (const auto& [kind, text] : ask::questionTexts()) std::printf("q %d %s\n", kind, text.c_str());
    for (const std::string& text : ask::answerTexts()) std::printf("a %s\n", text.c_str());
    for (int k = 0; k < ask::kKinds; ++k) std::printf("k %s\n", ask::kindName(k));
}

}  // namespace

int main(int argc, char** argv) {
    return records::run({"vlm_dataset", "tables", writeTables, recordBytes, writeRecord}, argc, argv);
}
