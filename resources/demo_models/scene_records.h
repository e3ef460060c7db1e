#pragma once

#include <cstddef>
#include <cstdint>

// What the generators of the demo models' trainers share: a record a scene, made by several threads, in the order of the
// seeds, into a file or pipe.
namespace records {

/// Which scenes: square, of `side` pixels and `grid` patches a side.
struct Job {
    std::uint64_t firstSeed = 0;
    std::uint64_t count = 0;  ///< 0 goes on until the reader closes the pipe
    int side = 224, grid = 14, threads = 1;

    std::size_t cells() const { return static_cast<std::size_t>(grid) * static_cast<std::size_t>(grid); }
    std::size_t imageBytes() const { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3; }
};

/// One program.
struct Generator {
    const char* name;
    const char* listing;  ///< the command that list() answers
    void (*list)();
    std::size_t (*recordBytes)(const Job& job);
    void (*writeRecord)(const Job& job, std::uint64_t seed, unsigned char* out);
};

/// A share of 0 to 1 in 255ths.
inline unsigned char byteOf(float share) { return static_cast<unsigned char>(share * 255.0f + 0.5f); }

/// main() of a generator: LISTING, or FIRST_SEED COUNT SIDE GRID THREADS FILE|-. Gives the exit status.
int run(const Generator& generator, int argc, char** argv);

}  // namespace records
