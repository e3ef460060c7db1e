#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "fovea/video_source.h"

namespace fovea::viz {

/// A film file; throws Error (Input) for what is none and where the module fovea_film is not there.
std::unique_ptr<VideoSource> openFilm(const std::filesystem::path& file);

/// The pictures of a folder as frames; throws Error (Input) where it has none.
std::unique_ptr<VideoSource> openFrameFolder(const std::filesystem::path& folder);

/// Frames one after the other, all of the size of the first. Throws Error (Input) for one that differs, Error (Memory)
/// where `count` of them take more than 4 GiB; sizes are checked before their pixels are made.
class FrameList {
public:
    FrameList(std::string name, std::size_t count) : m_name(std::move(name)), m_count(count) {}

    void requireSize(std::int64_t width, std::int64_t height);
    void add(Pixels frame) { m_frames.push_back(std::move(frame)); }
    std::vector<Pixels> take() { return std::move(m_frames); }

private:
    std::string m_name;
    std::size_t m_count;
    std::int64_t m_width = 0, m_height = 0;
    std::vector<Pixels> m_frames;
};

}  // namespace fovea::viz
