#include <doctest/doctest.h>

#include <random>

#include "fovea/capture.h"

namespace fovea::test {

TEST_CASE("a size that is rounded up suffices when it is read again, and is hardly larger") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20000; ++i) {
        const std::uint64_t bytes = random() >> (4 + random() % 60);
        const std::uint64_t read = parseBytes(formatBytesUp(bytes));
        REQUIRE_MESSAGE(read >= bytes, bytes);
        REQUIRE_MESSAGE(read - bytes <= bytes / 5, bytes);
    }
    for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1023}, std::uint64_t{1} << 30})
        CHECK(parseBytes(formatBytesUp(bytes)) == bytes);
    CHECK(formatBytesUp(66841) == "65.3 KiB");
    CHECK(formatBytesUp(66900) == "65.4 KiB");
    CHECK(formatBytes(66900) == "65.3 KiB");
}

}  // namespace fovea::test
