#include "scene_records.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace records {
namespace {

void fill(const Generator& generator, const Job& job, std::uint64_t first, std::uint64_t count,
          std::vector<unsigned char>& buffer) {
    const std::size_t bytes = generator.recordBytes(job);
    buffer.resize(count * bytes);
    std::atomic<std::uint64_t> next{0};
    std::vector<std::jthread> workers;
    for (int t = 0; t < job.threads; ++t) {
        workers.emplace_back([&] {
            for (std::uint64_t i = next++; i < count; i = next++)
                generator.writeRecord(job, first + i, buffer.data() + i * bytes);
        });
    }
}

bool writeAll(const Generator& generator, const Job& job, std::FILE* file) {
    constexpr std::uint64_t kBatch = 1024;
    const bool endless = job.count == 0;
    std::vector<unsigned char> buffers[2];
    std::future<bool> written;
    for (std::uint64_t done = 0, turn = 0; endless || done < job.count; ++turn) {
        const std::uint64_t count = endless ? kBatch : std::min(kBatch, job.count - done);
        std::vector<unsigned char>& buffer = buffers[turn % 2];
        fill(generator, job, job.firstSeed + done, count, buffer);
        if (written.valid() && !written.get()) return endless;
        written = std::async(std::launch::async, [&buffer, file] {
            return std::fwrite(buffer.data(), 1, buffer.size(), file) == buffer.size();
        });
        done += count;
    }
    return !written.valid() || written.get();
}

}  // namespace

int run(const Generator& generator, int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], generator.listing) == 0) {
        generator.list();
        return 0;
    }
    if (argc != 7) {
        std::fprintf(stderr, "usage: %s %s | FIRST_SEED COUNT SIDE GRID THREADS FILE|-\n", generator.name,
                     generator.listing);
        return 2;
    }
    try {
        const Job job{std::stoull(argv[1]), std::stoull(argv[2]), std::stoi(argv[3]), std::stoi(argv[4]),
                      std::stoi(argv[5])};
        std::FILE* file = std::strcmp(argv[6], "-") == 0 ? stdout : std::fopen(argv[6], "wb");
        if (!file) throw std::runtime_error(std::string("cannot write ") + argv[6]);
        const bool good = writeAll(generator, job, file);
        return std::fclose(file) == 0 && good ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", generator.name, e.what());
        return 1;
    }
}

}  // namespace records
