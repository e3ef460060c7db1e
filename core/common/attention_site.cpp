#include "fovea/attention_site.h"

namespace fovea {

const char* siteKindName(SiteKind kind) {
    switch (kind) {
        case SiteKind::Self: return "self";
        case SiteKind::Cross: return "cross";
        case SiteKind::Joint: return "joint";
        case SiteKind::Channel: return "channel";
    }
    return "self";
}

std::string AttentionSite::address() const {
    std::string text = stage + "." + std::to_string(block) + "." + siteKindName(kind);
    if (!name.empty()) text += "." + name;
    return text;
}

// Greedy matching with one saved position of the last '*': linear in practice, never recursive.
bool matchesGlob(std::string_view pattern, std::string_view address) {
    if (pattern.empty()) return false;
    std::size_t p = 0, a = 0, star = std::string_view::npos, resume = 0;
    while (a < address.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = a;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == address[a])) {
            ++p;
            ++a;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            a = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace fovea
