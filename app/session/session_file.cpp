#include <fmt/format.h>

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

template <typename Change>
void changePaths(Session& session, Change change) {
    for (std::string& image : session.input.images)
        if (!image.empty() && !isScene(image)) image = change(image);
    if (!session.input.tensors.empty()) session.input.tensors = change(session.input.tensors);
}

std::string absolute(const std::string& path) {
    return fs::absolute(path).lexically_normal().generic_string();
}

}  // namespace

Session readSession(const fs::path& file, std::vector<std::string>* notices) {
    Session session = sessionFromJson(readJsonFile(file), notices, file.string());
    const fs::path folder = file.parent_path();
    const auto fromFile = [&](const std::string& path) {
        return fs::path(path).is_absolute() ? path : (folder / path).lexically_normal().generic_string();
    };
    changePaths(session, fromFile);
    // A name such as org/name or demo:NAME is a path only where one is there.
    std::string& model = session.model.reference;
    if (!model.empty() && isThere(folder / model)) model = fromFile(model);
    return session;
}

void writeSession(const fs::path& file, const Session& session) {
    const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
    const auto fromFolder = [&](const std::string& path) {
        const fs::path whole = fs::absolute(path).lexically_normal();
        const fs::path relative = whole.lexically_relative(folder);
        return (relative.empty() ? whole : relative).generic_string();
    };
    Session local = session;
    changePaths(local, fromFolder);
    if (!local.model.reference.empty() && isThere(local.model.reference))
        local.model.reference = fromFolder(local.model.reference);
    viz::writePictureFile(file,
                          toJson(local).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Session withAbsolutePaths(Session session) {
    changePaths(session, absolute);
    std::string& model = session.model.reference;
    if (!model.empty() && isThere(model)) model = absolute(model);
    return session;
}

}  // namespace fovea
