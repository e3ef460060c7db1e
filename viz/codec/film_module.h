#pragma once

#include <cstdint>

// What the module fovea_film offers, in C. OpenCV and the some two hundred libraries behind it are loaded with it, when a
// film is opened: other runs of the programs do not pay for them. No call throws.

extern "C" {

/// Null where the file is no film that can be decoded. `frames` is what the file says, at most 0 where it does not.
void* foveaFilmOpen(const char* file, double* fps, std::int64_t* frames);
/// Goes to the next frame: 1, or 0 at the end.
int foveaFilmGrab(void* film);
/// Decodes that frame and gives its size: 1, or 0 where it cannot be decoded.
int foveaFilmDecode(void* film, int* width, int* height);
/// Copies it as upright RGB, width * height * 3 bytes.
void foveaFilmCopy(void* film, std::uint8_t* rgb);
void foveaFilmClose(void* film);
}
