#include "capture_union.h"

#include <algorithm>

namespace fovea {
namespace {

bool listsAll(const std::vector<std::string>& have, const std::vector<std::string>& want) {
    return std::all_of(want.begin(), want.end(), [&](const std::string& pattern) {
        return std::find(have.begin(), have.end(), pattern) != have.end();
    });
}

}  // namespace

CaptureRequest united(const CaptureRequest& a, const CaptureRequest& b) {
    CaptureRequest out = a;
    out.qkv |= b.qkv, out.lse |= b.lse, out.probs |= b.probs, out.stats |= b.stats;
    out.headOutput |= b.headOutput, out.attentionOutput |= b.attentionOutput, out.hidden |= b.hidden,
        out.output |= b.output, out.input |= b.input, out.allLogits |= b.allLogits;
    if (!a.wantsSites()) {
        out.sites = b.sites;
    } else if (b.wantsSites()) {
        // An empty list means all sites.
        if (a.sites.empty() || b.sites.empty()) {
            out.sites.clear();
        } else {
            for (const std::string& pattern : b.sites)
                if (!listsAll(out.sites, {pattern})) out.sites.push_back(pattern);
        }
    }
    std::sort(out.sites.begin(), out.sites.end());
    for (const std::string& pattern : b.taps)
        if (!listsAll(out.taps, {pattern})) out.taps.push_back(pattern);
    std::sort(out.taps.begin(), out.taps.end());
    return out;
}

bool covers(const CaptureRequest& have, const CaptureRequest& want) {
    const auto has = [](bool mine, bool wanted) { return mine || !wanted; };
    if (!has(have.hidden, want.hidden) || !has(have.output, want.output) || !has(have.input, want.input) ||
        !has(have.allLogits, want.allLogits))
        return false;
    if (!listsAll(have.taps, want.taps)) return false;
    if (!want.wantsSites()) return true;
    const bool sites = have.sites.empty() || (!want.sites.empty() && listsAll(have.sites, want.sites));
    return have.wantsSites() && sites && has(have.attentionOutput, want.attentionOutput) &&
           has(have.headOutput, want.headOutput);
}

Needs united(const Needs& a, const Needs& b) {
    return {united(a.capture, b.capture), a.attentionGradients || b.attentionGradients,
            a.classifier || b.classifier, a.gradientRuns || b.gradientRuns};
}

}  // namespace fovea
