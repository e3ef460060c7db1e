#include "fovea/capture.h"

#include <algorithm>

#include "fovea/attention_site.h"
#include "fovea/error.h"

namespace fovea {
namespace {

bool* flagOf(CaptureRequest& request, const std::string& word) {
    if (word == "qkv") return &request.qkv;
    if (word == "lse") return &request.lse;
    if (word == "probs") return &request.probs;
    if (word == "stats") return &request.stats;
    if (word == "attention_output") return &request.attentionOutput;
    if (word == "hidden") return &request.hidden;
    if (word == "output") return &request.output;
    if (word == "input") return &request.input;
    return nullptr;
}

}  // namespace

bool CaptureRequest::wants(const std::string& address) const {
    if (!wantsSites()) return false;
    return sites.empty() || std::any_of(sites.begin(), sites.end(), [&](const std::string& glob) {
               return matchesGlob(glob, address);
           });
}

bool CaptureRequest::wantsTap(std::string_view name) const {
    return std::any_of(taps.begin(), taps.end(),
                       [&](const std::string& glob) { return matchesGlob(glob, name); });
}

CaptureRequest CaptureRequest::parse(const std::string& keep) {
    CaptureRequest request;
    request.output = false;
    std::size_t begin = 0;
    while (begin <= keep.size()) {
        const std::size_t end = std::min(keep.find(',', begin), keep.size());
        std::string word = keep.substr(begin, end - begin);
        std::erase(word, ' ');
        if (bool* flag = flagOf(request, word)) {
            *flag = true;
        } else {
            throw Error("--keep: there is nothing called \"" + word + "\" to keep",
                        "known: probs, qkv, lse, stats, attention_output, hidden, output, input",
                        ErrorCode::Usage);
        }
        begin = end + 1;
    }
    request.allLogits = request.output;
    return request;
}

}  // namespace fovea
