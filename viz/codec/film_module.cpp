// The module fovea_film: films by OpenCV.
#include "film_module.h"

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>

#include <cmath>
#include <cstdlib>
#include <memory>

namespace {

struct Film {
    cv::VideoCapture capture;
    cv::Mat frame;
};

Film& filmOf(void* film) { return *static_cast<Film*>(film); }

// FFmpeg's level -8 writes nothing; OpenCV takes it from the environment only.
void silenceFfmpeg() {
    constexpr const char* name = "OPENCV_FFMPEG_LOGLEVEL";
    if (std::getenv(name) != nullptr) return;
#ifdef _WIN32
    _putenv_s(name, "-8");
#else
    setenv(name, "-8", 0);
#endif
}

}  // namespace

void* foveaFilmOpen(const char* file, double* fps, std::int64_t* frames) {
    try {
        // What is wrong with a file is told by the error.
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        silenceFfmpeg();
        auto film = std::make_unique<Film>();
        // Other back ends take patterns of names and addresses of cameras.
        if (!film->capture.open(file, cv::CAP_FFMPEG)) return nullptr;
        *fps = film->capture.get(cv::CAP_PROP_FPS);
        const double count = film->capture.get(cv::CAP_PROP_FRAME_COUNT);
        *frames = std::isfinite(count) && count > 0 && count < 1e12 ? static_cast<std::int64_t>(count) : 0;
        return film.release();
    } catch (...) {
        return nullptr;
    }
}

int foveaFilmGrab(void* film) {
    try {
        return filmOf(film).capture.grab() ? 1 : 0;
    } catch (...) {
        return 0;
    }
}

int foveaFilmDecode(void* film, int* width, int* height) {
    try {
        cv::Mat& frame = filmOf(film).frame;
        if (!filmOf(film).capture.retrieve(frame) || frame.type() != CV_8UC3) return 0;
        *width = frame.cols;
        *height = frame.rows;
        return 1;
    } catch (...) {
        return 0;
    }
}

void foveaFilmCopy(void* film, std::uint8_t* rgb) {
    const cv::Mat& frame = filmOf(film).frame;
    for (int y = 0; y < frame.rows; ++y) {
        const std::uint8_t* bgr = frame.ptr(y);
        for (int x = 0; x < frame.cols; ++x, bgr += 3, rgb += 3) {
            rgb[0] = bgr[2];
            rgb[1] = bgr[1];
            rgb[2] = bgr[0];
        }
    }
}

void foveaFilmClose(void* film) { delete static_cast<Film*>(film); }
