// Scenes for the trainer beside it, which compiles it with scene_records.cpp and core/scenes:
//   scene_dataset FIRST_SEED COUNT SIDE GRID THREADS FILE|-      scenes
//   scene_dataset names                                          the labels' names, one a line
// A record is: label (uint16, little endian), target coverage of each patch in 255ths (uint8 [GRID, GRID]),
// image (uint8 [SIDE, SIDE, 3]). Records follow the seeds in order; COUNT 0 goes on until the reader closes
// the pipe.
#include <cstdio>
#include <cstring>

#include "fovea/scenes.h"
#include "scene_records.h"

namespace {

std::size_t recordBytes(const records::Job& job) { return 2 + job.cells() + job.imageBytes(); }

void writeRecord(const records::Job& job, std::uint64_t seed, unsigned char* out) {
    fovea::SceneOptions options;
    options.seed = seed;
    options.width = options.height = job.side;
    const fovea::Scene scene = fovea::makeScene(options);
    const int label = fovea::sceneLabel(scene);
    out[0] = static_cast<unsigned char>(label & 255);
    out[1] = static_cast<unsigned char>(label >> 8);
    out += 2;
    for (const float share : fovea::sceneCoverage(scene, scene.target, job.grid, job.grid)) *out++ = records::byteOf(share);
    std::memcpy(out, scene.image.rgb.data(), scene.image.rgb.size());
}

void writeNames() {
    for (int i = 0; i < fovea::kSceneClasses; ++i) std::puts(fovea::sceneClassName(i).c_str());
}

}  // namespace

int main(int argc, char** argv) {
    return records::run({"scene_dataset", "names", writeNames, recordBytes, writeRecord}, argc, argv);
}
