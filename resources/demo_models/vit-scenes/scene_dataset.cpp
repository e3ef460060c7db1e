// Writes many scenes into one raw file or pipe, for the trainer beside it. It needs nothing but core's
// scenes:
//   g++ -std=c++20 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -pthread
//       -I core/include -I core scene_dataset.cpp core/scenes/*.cpp -o scene_dataset
//   scene_dataset FIRST_SEED COUNT SIDE GRID THREADS FILE|-      scenes
//   scene_dataset names                                          the labels' names, one a line
// A record is: label (uint16, little endian), target coverage of each patch in 255ths (uint8 [GRID, GRID]),
// image (uint8 [SIDE, SIDE, 3]). Records follow the seeds in order; COUNT 0 goes on until the reader closes
// the pipe.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "fovea/scenes.h"

namespace {

struct Job {
    std::uint64_t firstSeed = 0;
    std::uint64_t count = 0;
    int side = 224, grid = 14, threads = 1;
};

std::size_t recordBytes(const Job& job) {
    return 2 + static_cast<std::size_t>(job.grid) * job.grid +
           static_cast<std::size_t>(job.side) * job.side * 3;
}

void writeRecord(const Job& job, std::uint64_t seed, unsigned char* out) {
    fovea::SceneOptions options;
    options.seed = seed;
    options.width = options.height = job.side;
    const fovea::Scene scene = fovea::makeScene(options);
    const int label = fovea::sceneLabel(scene);
    out[0] = static_cast<unsigned char>(label & 255);
    out[1] = static_cast<unsigned char>(label >> 8);
    out += 2;
    for (const float share : fovea::sceneCoverage(scene, scene.target, job.grid, job.grid)) {
        *out++ = static_cast<unsigned char>(share * 255.0f + 0.5f);
    }
    std::memcpy(out, scene.image.rgb.data(), scene.image.rgb.size());
}

void fill(const Job& job, std::uint64_t first, std::uint64_t count, std::vector<unsigned char>& buffer) {
    buffer.resize(count * recordBytes(job));
    std::atomic<std::uint64_t> next{0};
    std::vector<std::jthread> workers;
    for (int t = 0; t < job.threads; ++t) {
        workers.emplace_back([&] {
            for (std::uint64_t i = next++; i < count; i = next++) {
                writeRecord(job, first + i, buffer.data() + i * recordBytes(job));
            }
        });
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "names") == 0) {
        for (int i = 0; i < fovea::kSceneClasses; ++i) std::puts(fovea::sceneClassName(i).c_str());
        return 0;
    }
    if (argc != 7) {
        std::fprintf(stderr, "usage: scene_dataset names | FIRST_SEED COUNT SIDE GRID THREADS FILE|-\n");
        return 2;
    }
    try {
        Job job{std::stoull(argv[1]), std::stoull(argv[2]), std::stoi(argv[3]), std::stoi(argv[4]),
                std::stoi(argv[5])};
        const bool endless = job.count == 0;
        std::FILE* file = std::strcmp(argv[6], "-") == 0 ? stdout : std::fopen(argv[6], "wb");
        if (!file) throw std::runtime_error(std::string("cannot write ") + argv[6]);
        constexpr std::uint64_t kBatch = 1024;
        std::vector<unsigned char> buffers[2];
        std::future<bool> written;
        for (std::uint64_t done = 0, turn = 0; endless || done < job.count; ++turn) {
            const std::uint64_t count = endless ? kBatch : std::min(kBatch, job.count - done);
            std::vector<unsigned char>& buffer = buffers[turn % 2];
            fill(job, job.firstSeed + done, count, buffer);
            if (written.valid() && !written.get()) return endless ? 0 : 1;
            written = std::async(std::launch::async, [&buffer, file] {
                return std::fwrite(buffer.data(), 1, buffer.size(), file) == buffer.size();
            });
            done += count;
        }
        const bool good = !written.valid() || written.get();
        return std::fclose(file) == 0 && good ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "scene_dataset: %s\n", e.what());
        return 1;
    }
}
