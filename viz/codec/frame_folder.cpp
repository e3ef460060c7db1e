#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "film.h"
#include "fovea/error.h"
#include "fovea/viz/image_file.h"
#include "fovea/viz/video_file.h"

namespace fovea::viz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFrames = 1 << 20;

bool isDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// The number that begins at `at`, without leading zeros; `at` goes behind it.
std::string_view numberAt(std::string_view text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const std::size_t begin = at;
    while (at < text.size() && isDigit(text[at])) ++at;
    return text.substr(begin, at - begin);
}

// frame2 before frame10.
bool inOrder(const std::string& a, const std::string& b) {
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        if (isDigit(a[i]) && isDigit(b[j])) {
            const std::string_view x = numberAt(a, i), y = numberAt(b, j);
            if (x.size() != y.size()) return x.size() < y.size();
            if (x != y) return x < y;
        } else if (a[i] != b[j]) {
            return a[i] < b[j];
        } else {
            ++i, ++j;
        }
    }
    return std::pair(a.size() - i, std::string_view(a)) < std::pair(b.size() - j, std::string_view(b));
}

bool isPictureName(const fs::path& file) {
    std::string suffix = file.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    static constexpr std::string_view known[] = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif"};
    return std::find(std::begin(known), std::end(known), suffix) != std::end(known);
}

class FrameFolder : public VideoSource {
public:
    explicit FrameFolder(const fs::path& folder) : m_folder(folder) {
        std::error_code error;
        for (fs::directory_iterator it(folder, error), end; !error && it != end && m_names.size() < kMostFrames; it.increment(error))
            if (isPictureName(it->path()) && it->is_regular_file(error)) m_names.push_back(it->path().filename().string());
        if (m_names.empty())
            throw Error(folder.string() + ": expected a folder of pictures as the frames of a film, found none in it",
                        "Frames are PNG, JPEG, WebP, BMP, TIFF, PPM or GIF files, in the order of their names.");
        std::sort(m_names.begin(), m_names.end(), inOrder);
    }

    VideoTiming timing() const override {
        VideoTiming timing;
        timing.totalFrames = static_cast<std::int64_t>(m_names.size());
        return timing;
    }

    std::vector<Pixels> frames(const std::vector<std::int64_t>& indices, const JobContext& job) override {
        FrameList list(m_folder.string(), indices.size());
        double done = 0;
        for (const std::int64_t index : indices) {
            const fs::path file = m_folder / m_names.at(static_cast<std::size_t>(index));
            job.progress(done++ / static_cast<double>(indices.size()), "reading " + file.string());
            Pixels frame = readImage(file);
            list.requireSize(frame.width, frame.height);
            list.add(std::move(frame));
        }
        return list.take();
    }

private:
    fs::path m_folder;
    std::vector<std::string> m_names;
};

}  // namespace

std::unique_ptr<VideoSource> openFrameFolder(const fs::path& folder) { return std::make_unique<FrameFolder>(folder); }

std::unique_ptr<VideoSource> openVideo(const fs::path& file) {
    std::error_code error;
    if (fs::is_directory(file, error)) return openFrameFolder(file);
    if (!fs::is_regular_file(file, error))
        throw Error(file.string() + ": expected a film, or a folder of pictures, found neither",
                    "Give the path of a film, or of a folder of numbered pictures.");
    return openFilm(file);
}

}  // namespace fovea::viz
