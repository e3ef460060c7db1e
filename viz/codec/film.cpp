#include "film.h"

#include <fmt/format.h>

#include <cmath>

#include "codec.h"
#include "film_module.h"
#include "fovea/error.h"
#include "io/loaded_module.h"
#include "io/program_folder.h"

namespace fovea::viz {
namespace {

constexpr std::int64_t kMostFrames = std::int64_t{1} << 24;

// The module fovea_film: beside the program, or in lib/fovea of an installation.
class Decoder {
public:
    Decoder() {
        const std::filesystem::path folder = programFolder();
        const LoadedModule module("fovea_film", {folder, folder / ".." / "lib" / "fovea"});
        module.find(open, "foveaFilmOpen");
        module.find(grab, "foveaFilmGrab");
        module.find(decode, "foveaFilmDecode");
        module.find(copy, "foveaFilmCopy");
        module.find(close, "foveaFilmClose");
    }
    bool complete() const { return open && grab && decode && copy && close; }

    decltype(&foveaFilmOpen) open = nullptr;
    decltype(&foveaFilmGrab) grab = nullptr;
    decltype(&foveaFilmDecode) decode = nullptr;
    decltype(&foveaFilmCopy) copy = nullptr;
    decltype(&foveaFilmClose) close = nullptr;
};

class Film : public VideoSource {
public:
    explicit Film(const std::filesystem::path& file) : m_name(file.string()), m_file(std::filesystem::absolute(file)) {
        if (!m_decoder.complete())
            throw Error(m_name + ": this build of Fovea reads no films (it was built without OpenCV)",
                        "Give the frames: a folder of pictures with --video, or single ones with --image.");
        reopen();
        if (std::isfinite(m_fps) && m_fps > 0 && m_fps < 1e5) m_timing.fps = m_fps;
        setTotal(m_said > 0 && m_said <= kMostFrames ? m_said : counted());
        if (m_timing.totalFrames == 0)
            throw Error(m_name + ": expected a film with at least one frame, found none", "The file is damaged or no film.");
    }

    VideoTiming timing() const override { return m_timing; }

    std::vector<Pixels> frames(const std::vector<std::int64_t>& indices, const JobContext& job) override {
        FrameList list(m_name, indices.size());
        reopen();
        for (const std::int64_t index : indices) {
            for (; m_at <= index; ++m_at) {
                job.progress(static_cast<double>(m_at) / static_cast<double>(indices.back() + 1), "reading " + m_name);
                if (m_decoder.grab(m_film.get())) continue;
                setTotal(m_at);
                return list.take();
            }
            int width = 0, height = 0;
            if (!m_decoder.decode(m_film.get(), &width, &height))
                throw Error(fmt::format("{}: frame {} cannot be decoded", m_name, index), "The file is damaged: copy it again.");
            list.requireSize(width, height);
            Pixels frame(width, height);
            m_decoder.copy(m_film.get(), frame.rgb.data());
            list.add(std::move(frame));
        }
        return list.take();
    }

private:
    void reopen() {
        m_film = {nullptr, m_decoder.close};
        m_at = 0;
        m_film.reset(m_decoder.open(m_file.string().c_str(), &m_fps, &m_said));
        if (!m_film)
            throw Error(m_name + ": expected a film, found a file that OpenCV cannot decode",
                        "Convert it to MP4 (H.264), or give a folder of frames.");
    }
    std::int64_t counted() {
        std::int64_t count = 0;
        while (count < kMostFrames && m_decoder.grab(m_film.get())) ++count;
        return count;
    }
    void setTotal(std::int64_t frames) {
        m_timing.totalFrames = frames;
        m_timing.duration = m_timing.fps > 0 ? static_cast<double>(frames) / m_timing.fps : 0;
    }

    std::string m_name;
    std::filesystem::path m_file;  ///< absolute, so that no address of a network can be meant
    Decoder m_decoder;
    VideoTiming m_timing;
    double m_fps = 0;
    std::int64_t m_said = 0, m_at = 0;
    std::unique_ptr<void, decltype(&foveaFilmClose)> m_film{nullptr, nullptr};
};

}  // namespace

void FrameList::requireSize(std::int64_t width, std::int64_t height) {
    constexpr double most = 4.0 * (1 << 30);
    checkSize({{}, m_name}, width, height);
    if (m_width == 0) {
        m_width = width;
        m_height = height;
        const double bytes = 3.0 * static_cast<double>(width) * static_cast<double>(height) * static_cast<double>(m_count);
        if (bytes > most)
            throw Error(fmt::format("{}: {} frames of {} x {} pixels take {:.1f} GiB, at most 4 are taken", m_name, m_count,
                                    width, height, bytes / (1 << 30)),
                        "Take fewer frames (num_frames or fps in video_preprocessor_config.json), or a smaller film.",
                        ErrorCode::Memory);
    }
    if (width != m_width || height != m_height)
        throw Error(fmt::format("{}: expected frames of one size, found {} x {} and {} x {}", m_name, m_width, m_height, width,
                                height),
                    "Give frames of one size.");
}

std::unique_ptr<VideoSource> openFilm(const std::filesystem::path& file) { return std::make_unique<Film>(file); }

}  // namespace fovea::viz
