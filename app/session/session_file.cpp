#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "fovea/error.h"
#include "fovea/viz/picture_file.h"
#include "io/json_file.h"
#include "session.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

bool isScene(const std::string& image) {
    return image.starts_with("scene:");
}

bool isThere(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
}

std::string absolute(const std::string& path) {
    return fs::absolute(path).lexically_normal().generic_string();
}

// The session with every path changed, also in the session that it is compared with. A name such as org/name
// or demo:NAME is a path only where `isPath` says so.
template <typename Change, typename IsPath>
Session withPaths(Session session, const std::string& source, Change change, IsPath isPath) {
    for (std::string& image : session.input.images)
        if (!image.empty() && !isScene(image)) image = change(image);
    for (std::string* file : {&session.input.tensors, &session.input.chat, &session.input.video})
        if (!file->empty()) *file = change(*file);
    std::string& model = session.model.reference;
    if (!model.empty() && isPath(model)) model = change(model);
    for (AdapterChoice& adapter : session.model.adapters) adapter.folder = change(adapter.folder);
    if (const auto other = comparedWith(session, source))
        return comparing(session, withPaths(*other, source, change, isPath));
    return session;
}

// The first bytes of a file; fewer where it is shorter, none where it cannot be read.
std::string beginningOf(const fs::path& file) {
    std::string bytes(1024, '\0');
    std::ifstream stream(file, std::ios::binary);
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, stream.gcount())));
    return bytes;
}

bool isPicture(const fs::path& file) {
    const std::string bytes = beginningOf(file);
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    const bool markup = first != std::string::npos && bytes[first] == '<';
    return bytes.starts_with("\x89PNG") || bytes.starts_with("%PDF-") ||
           (markup && (bytes.find("<svg") != std::string::npos || bytes.compare(first, 5, "<?xml") == 0));
}

// Says what a session file is, where the parser would only say what is no JSON.
void requireDocument(const fs::path& file) {
    const std::string bytes = beginningOf(file);
    const std::size_t first = bytes.find_first_not_of(" \t\r\n");
    const bool byteOrderMark = bytes.starts_with("\xEF\xBB\xBF");
    if (bytes.empty() || byteOrderMark || (first != std::string::npos && bytes[first] == '{')) return;
    throw Error(file.string() + ": expected a session file (JSON, *.fovea.json), found another kind of file",
                isPicture(file) ? "fovea-cli run also opens pictures that Fovea wrote"
                                : "Save in the window writes one; fovea-cli run also opens PNG, SVG and PDF pictures that "
                                  "Fovea wrote");
}

}  // namespace

Session openDocument(const fs::path& file, std::vector<std::string>* notices) {
    if (isPicture(file)) {
        const auto text = viz::readDocument(file);
        if (text) return sessionFromText(*text, notices, file.string());
        throw Error(file.string() + ": expected a session file or a picture with its recipe, found a picture without one",
                    "PNG, SVG and PDF files that Fovea wrote hold their session, unless another program saved them again");
    }
    return readSession(file, notices);
}

Session readSession(const fs::path& file, std::vector<std::string>* notices) {
    requireDocument(file);
    const fs::path folder = file.parent_path();
    const auto fromFile = [&](const std::string& path) {
        return fs::path(path).is_absolute() ? path : (folder / path).lexically_normal().generic_string();
    };
    return withPaths(sessionFromJson(readJsonFile(file), notices, file.string()), file.string(), fromFile,
                     [&](const std::string& name) { return isThere(folder / name); });
}

void writeSession(const fs::path& file, const Session& session) {
    const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
    const auto fromFolder = [&](const std::string& path) {
        const fs::path whole = fs::absolute(path).lexically_normal();
        const fs::path relative = whole.lexically_relative(folder);
        return (relative.empty() ? whole : relative).generic_string();
    };
    const Session local = withPaths(session, file.string(), fromFolder, isThere);
    viz::writePictureFile(file,
                          toJson(local).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Session withAbsolutePaths(Session session) {
    return withPaths(std::move(session), "session", absolute, isThere);
}

}  // namespace fovea
