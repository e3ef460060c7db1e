#include "batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <set>

#include "content_key.h"
#include "fovea/error.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxManifestBytes = std::uintmax_t{64} << 20;

bool isPicture(const fs::path& file) {
    static const std::set<std::string> suffixes = {".png", ".jpg", ".jpeg", ".webp", ".gif",
                                                   ".bmp", ".tif", ".tiff", ".ppm"};
    std::string suffix = file.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return suffixes.count(suffix) != 0;
}

std::string safeName(const std::string& text) {
    std::string name;
    for (const char c : text) {
        const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ||
                           static_cast<unsigned char>(c) >= 0x80;
        name += plain ? c : '_';
    }
    while (!name.empty() && name.front() == '.') name.erase(0, 1);
    return name.empty() ? "item" : name.substr(0, 128);
}

// Gives every item a name of its own: later ones of the same name get a number.
class Names {
public:
    std::string unique(const std::string& wanted) {
        const std::string base = safeName(wanted);
        std::string name = base;
        for (int i = 2; !m_taken.insert(name).second; ++i) name = fmt::format("{}-{}", base, i);
        return name;
    }

private:
    std::set<std::string> m_taken;
};

Session withImage(const Session& session, const std::string& image) {
    Session one = session;
    one.input.images = {image};
    one.input.tensors.clear();
    return one;
}

std::string readText(const fs::path& file) {
    std::error_code error;
    const auto bytes = fs::file_size(file, error);
    if (error || !fs::is_regular_file(file))
        throw Error(file.string() + ": expected a CSV file, found " +
                    (error ? "none: " + error.message() : "something else"),
                    "Give the path of a CSV file with a column \"image\".");
    if (bytes > kMaxManifestBytes) throw Error(file.string() + ": expected at most 64 MiB",
                                               "Divide it into several manifests.");
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

std::vector<BatchItem> batchOfFolder(const Session& session, const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> files;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        if (it->is_regular_file(error) && isPicture(it->path()) &&
            !it->path().filename().string().starts_with("."))
            files.push_back(it->path());
    if (error) throw Error("--images " + folder.string() + ": cannot be read: " + error.message(),
                           "Give the path of a folder of pictures that you may read.");
    if (files.empty())
        throw Error("--images " + folder.string() + ": expected picture files, found none",
                    "png, jpg, webp, gif, bmp, tif and ppm files are looked for, in this folder alone");
    std::sort(files.begin(), files.end());
    Names names;
    std::vector<BatchItem> items;
    for (const fs::path& file : files)
        items.push_back({names.unique(file.stem().string()), withImage(session, file.generic_string())});
    return items;
}

std::vector<BatchItem> batchOfManifest(const Session& session, const fs::path& manifest) {
    const auto rows = parseCsv(readText(manifest), manifest.string());
    if (rows.empty())
        throw Error(manifest.string() + ": expected a header line with a column \"image\", found nothing",
                    "Write the columns' names in the first line.");
    const auto& header = rows.front();
    const auto columnOf = [&](const char* name) {
        return std::find(header.begin(), header.end(), name) - header.begin();
    };
    const auto columns = static_cast<std::ptrdiff_t>(header.size());
    const auto image = columnOf("image"), name = columnOf("name"), seed = columnOf("seed");
    if (image == columns)
        throw Error(fmt::format("{}: expected a column \"image\", found {}", manifest.string(),
                                fmt::join(header, ", ")),
                    "Name the column of the pictures image.");
    Names names;
    std::vector<BatchItem> items;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        const auto fail = [&](const std::string& what) {
            throw Error(fmt::format("{}: row {}: {}", manifest.string(), i + 1, what),
                        "Correct that row of the manifest.");
        };
        const auto& row = rows[i];
        if (row.size() != header.size())
            fail(fmt::format("expected {} fields, found {}", header.size(), row.size()));
        std::string file = row[static_cast<std::size_t>(image)];
        if (file.empty()) fail("expected the name of a picture, found nothing");
        const bool scene = file.starts_with("scene:");
        if (!scene && fs::path(file).is_relative())
            file = (manifest.parent_path() / file).lexically_normal().generic_string();
        const std::string given = name < columns ? row[static_cast<std::size_t>(name)] : "";
        const std::string own = scene ? "scene-" + file.substr(6) : fs::path(file).stem().string();
        BatchItem item{names.unique(given.empty() ? own : given), withImage(session, file)};
        if (seed < columns && !row[static_cast<std::size_t>(seed)].empty()) {
            const std::string& text = row[static_cast<std::size_t>(seed)];
            const auto [rest, problem] =
                std::from_chars(text.data(), text.data() + text.size(), item.session.seed);
            if (problem != std::errc() || rest != text.data() + text.size())
                fail("seed: expected a whole number, found \"" + text + "\"");
        }
        items.push_back(std::move(item));
    }
    if (items.empty())
        throw Error(manifest.string() + ": expected at least one row below the header, found none",
                    "Write a row for every picture.");
    return items;
}

Shard Shard::parse(const std::string& text) {
    Shard shard;
    const std::size_t slash = std::min(text.find('/'), text.size());
    const char* middle = text.data() + slash;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), middle, shard.index);
    const auto second = slash < text.size() ? std::from_chars(middle + 1, end, shard.count) : first;
    const bool read = slash < text.size() && first.ec == std::errc() && first.ptr == middle &&
                      second.ec == std::errc() && second.ptr == end;
    if (!read || shard.count < 1 || shard.index < 1 || shard.index > shard.count)
        throw Error("--shard " + text + ": expected I/N with I from 1 to N", "for instance --shard 2/4",
                    ErrorCode::Usage);
    return shard;
}

std::string resumeKey(const Session& session) {
    std::string text = content_key::ofModel(session.model) + "\n" + content_key::ofInput(session.input) +
                       "\n" + FOVEA_VERSION;
    std::uint64_t hash = hashOf(session);
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return fmt::format("{:016x}", hash);
}

std::vector<std::vector<std::string>> parseCsv(const std::string& text, const std::string& source) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> row;
    std::string field;
    bool quoted = false, any = false;
    const auto endField = [&] { row.push_back(std::move(field)), field.clear(); };
    const auto endRow = [&] {
        if (any || !row.empty()) endField(), rows.push_back(std::move(row));
        row.clear(), any = false;
    };
    for (std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c != '"') {
                field += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                field += '"', ++i;
            } else {
                quoted = false;
            }
        } else if (c == '"' && field.empty()) {
            quoted = any = true;
        } else if (c == ',') {
            endField(), any = true;
        } else if (c == '\n') {
            endRow();
        } else if (c != '\r') {
            field += c, any = true;
        }
    }
    if (quoted) throw Error(source + ": expected a closing quote, found the end of the file",
                            "Close the quote; a quote inside of one is written twice.");
    endRow();
    return rows;
}

}  // namespace fovea
