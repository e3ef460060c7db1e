// Films: files by OpenCV, folders of frames, and what is neither.
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>

#include "fovea/error.h"
#include "fovea/ppm.h"
#include "fovea/viz/video_file.h"

using namespace fovea;

namespace {

namespace fs = std::filesystem;

fs::path emptyFolder(const std::string& name) {
    const fs::path folder = fs::temp_directory_path() / "fovea-film-test" / name;
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
}

Pixels frameOf(int index, int width, int height) {
    Pixels p(width, height);
    for (std::size_t i = 0; i < p.rgb.size(); ++i) p.rgb[i] = static_cast<std::uint8_t>(i * 5 + static_cast<std::size_t>(index) * 31);
    return p;
}

/// Chunks of a RIFF file.
class Riff {
public:
    void word(std::uint32_t value, int bytes = 4) {
        for (int i = 0; i < bytes; ++i) m_bytes.push_back(static_cast<char>(value >> (8 * i)));
    }
    void text(const std::string& value) { m_bytes += value; }
    std::size_t begin(const std::string& name, const std::string& kind = "") {
        text(name);
        word(0);
        const std::size_t at = m_bytes.size();
        text(kind);
        return at;
    }
    void end(std::size_t at) {
        const std::size_t size = m_bytes.size() - at;
        for (std::size_t i = 0; i < 4; ++i) m_bytes[at - 4 + i] = static_cast<char>(size >> (8 * i));
        if (size % 2) m_bytes += '\0';
    }
    void write(const fs::path& file) const { std::ofstream(file, std::ios::binary).write(m_bytes.data(), static_cast<std::streamsize>(m_bytes.size())); }

private:
    std::string m_bytes;
};

/// An AVI of uncompressed frames: every pixel comes back as it went in.
void writeAvi(const fs::path& file, const std::vector<Pixels>& frames, int fps, std::uint32_t said) {
    const auto width = static_cast<std::uint32_t>(frames[0].width), height = static_cast<std::uint32_t>(frames[0].height);
    const std::uint32_t row = (width * 3 + 3) / 4 * 4;
    Riff riff;
    const auto whole = riff.begin("RIFF", "AVI ");
    const auto header = riff.begin("LIST", "hdrl");
    const auto main = riff.begin("avih");
    for (const std::uint32_t value : {1000000U / static_cast<std::uint32_t>(fps), 0U, 0U, 0x10U, said, 0U, 1U, row * height, width, height, 0U, 0U, 0U, 0U}) riff.word(value);
    riff.end(main);
    const auto stream = riff.begin("LIST", "strl");
    const auto about = riff.begin("strh", "vids");
    for (const std::uint32_t value : {0U, 0U, 0U, 0U, 1U, static_cast<std::uint32_t>(fps), 0U, said, row * height, 0U, 0U, 0U, 0U}) riff.word(value);
    riff.end(about);
    const auto format = riff.begin("strf");
    for (const std::uint32_t value : {40U, width, height}) riff.word(value);
    riff.word(1, 2);
    riff.word(24, 2);
    for (const std::uint32_t value : {0U, row * height, 0U, 0U, 0U, 0U}) riff.word(value);
    riff.end(format);
    riff.end(stream);
    riff.end(header);
    const auto movie = riff.begin("LIST", "movi");
    for (const Pixels& frame : frames) {
        const auto chunk = riff.begin("00db");
        for (int y = frame.height - 1; y >= 0; --y) {
            for (int x = 0; x < frame.width; ++x)
                for (const int channel : {2, 1, 0}) riff.word(frame.at(x, y)[channel], 1);
            riff.word(0, static_cast<int>(row - width * 3));
        }
        riff.end(chunk);
    }
    riff.end(movie);
    riff.end(whole);
    riff.write(file);
}

std::string refusal(const fs::path& file) {
    try {
        viz::openVideo(file)->frames({0}, {});
    } catch (const Error& e) {
        CHECK(!e.hint().empty());
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("frames of a film come by index, pixel for pixel") {
    const fs::path folder = emptyFolder("avi");
    std::vector<Pixels> frames;
    for (int i = 0; i < 9; ++i) frames.push_back(frameOf(i, 33, 18));
    writeAvi(folder / "film.avi", frames, 5, 9);
    const auto film = viz::openVideo(folder / "film.avi");
    CHECK(film->timing().totalFrames == 9);
    CHECK(film->timing().fps == doctest::Approx(5));
    CHECK(film->timing().duration == doctest::Approx(1.8));
    for (int again = 0; again < 2; ++again) {
        const auto taken = film->frames({0, 3, 4, 8}, {});
        REQUIRE(taken.size() == 4);
        CHECK(taken[0].rgb == frames[0].rgb);
        CHECK(taken[1].rgb == frames[3].rgb);
        CHECK(taken[2].rgb == frames[4].rgb);
        CHECK(taken[3].rgb == frames[8].rgb);
    }
}

TEST_CASE("a film that ends early says how long it is") {
    const fs::path folder = emptyFolder("short");
    writeAvi(folder / "film.avi", {frameOf(0, 16, 8), frameOf(1, 16, 8), frameOf(2, 16, 8)}, 10, 50);
    const auto film = viz::openVideo(folder / "film.avi");
    const auto said = film->timing().totalFrames;
    const auto taken = film->frames({0, 2, 40}, {});
    if (said > 40) CHECK(taken.size() == 2);
    CHECK(film->timing().totalFrames == 3);
    CHECK(film->timing().duration == doctest::Approx(0.3));
}

TEST_CASE("a folder of pictures is a film, its numbers in order") {
    const fs::path folder = emptyFolder("frames");
    for (const int i : {1, 2, 10, 11}) writePpm(folder / ("f" + std::to_string(i) + ".ppm"), frameOf(i, 12, 7));
    std::ofstream(folder / "notes.txt") << "no frame";
    const auto film = viz::openVideo(folder);
    CHECK(film->timing().totalFrames == 4);
    CHECK(film->timing().fps == 0);
    const auto taken = film->frames({1, 2}, {});
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].rgb == frameOf(2, 12, 7).rgb);
    CHECK(taken[1].rgb == frameOf(10, 12, 7).rgb);
    writePpm(folder / "f3.ppm", frameOf(3, 12, 8));
    CHECK_THROWS_WITH_AS(viz::openVideo(folder)->frames({1, 2}, {}), doctest::Contains("one size"), Error);
}

TEST_CASE("what is no film is refused") {
    const fs::path folder = emptyFolder("none");
    CHECK(refusal(folder).find("folder of pictures") != std::string::npos);
    std::ofstream(folder / "text.mp4") << "hello";
    CHECK(refusal(folder / "text.mp4").find("expected a film") != std::string::npos);
    std::ofstream(folder / "empty.avi").flush();
    CHECK(refusal(folder / "empty.avi").find("expected a film") != std::string::npos);
    CHECK_THROWS_AS(viz::openVideo(folder / "missing.mp4"), Error);
    std::stop_source stop;
    stop.request_stop();
    writeAvi(folder / "film.avi", {frameOf(0, 16, 8)}, 10, 1);
    CHECK_THROWS_AS(viz::openVideo(folder / "film.avi")->frames({0}, JobContext(stop.get_token())), Cancelled);
}
