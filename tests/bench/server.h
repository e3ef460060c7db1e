#pragma once

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

// What the measured halves of the benchmarks share. bench_common.py asks them: one JSON object a line in, {"do": WORK, ...},
// and one a line out.
namespace fovea::bench {

using Clock = std::chrono::steady_clock;

inline double milliseconds(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// A field of this process's memory in bytes, "VmHWM:" for its peak; 0 where the system does not tell.
/// getrusage() would count the peak of the process that started this one.
inline std::int64_t processMemory(const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field)) return std::stoll(line.substr(field.size())) * 1024;
    return 0;
}

/// main() of a server: a Bench is made of the three arguments that `usage` names, and replies until the input ends.
template <typename Bench>
int serve(int argc, char** argv, const char* usage) {
    if (argc != 4) {
        std::cerr << "usage: " << usage << "\n";
        return 2;
    }
    try {
        Bench bench(argv + 1);
        for (std::string line; std::getline(std::cin, line);)
            std::cout << bench.reply(nlohmann::json::parse(line)) << std::endl;
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 1;
    }
}

}  // namespace fovea::bench
