#include "text/pieces.h"

#include <algorithm>

namespace fovea::text {
namespace {

/// Joins each range to the one before it where join(range, the one before matched) says so.
template <typename Range, typename Join>
std::vector<Match> joined(const Range& matches, Join join) {
    std::vector<Match> out;
    bool previous = false;
    for (const Match& match : matches) {
        if (join(match.matched, previous) && !out.empty()) {
            out.back().begin = std::min(out.back().begin, match.begin);
            out.back().end = std::max(out.back().end, match.end);
        } else {
            out.push_back(match);
        }
        previous = match.matched;
    }
    return out;
}

}  // namespace

std::vector<Match> rangesAfterSplit(std::span<const Match> matches, SplitBehavior behavior) {
    const auto firstOfRun = [](bool matched, bool previous) { return matched && !previous; };
    std::vector<Match> out;
    switch (behavior) {
        case SplitBehavior::Isolated:
            return {matches.begin(), matches.end()};
        case SplitBehavior::Removed:
            std::copy_if(matches.begin(), matches.end(), std::back_inserter(out),
                         [](const Match& match) { return !match.matched; });
            return out;
        case SplitBehavior::Contiguous:
            return joined(matches, [](bool matched, bool previous) { return matched == previous; });
        case SplitBehavior::MergedWithPrevious:
            return joined(matches, firstOfRun);
        case SplitBehavior::MergedWithNext: {
            const std::vector<Match> reversed(matches.rbegin(), matches.rend());
            out = joined(reversed, firstOfRun);
            std::reverse(out.begin(), out.end());
            return out;
        }
    }
    return out;
}

Pieces::Pieces(AlignedText text) : m_text(std::move(text)) {
    add(m_pieces, 0, static_cast<std::uint32_t>(m_text.text.size()), -1);
}

std::string_view Pieces::textOf(const Piece& piece) const {
    return std::string_view(m_text.text).substr(piece.begin, piece.end - piece.begin);
}

Alignment Pieces::original(std::uint32_t begin, std::uint32_t end) const {
    if (m_text.align.empty()) return {};
    const auto last = static_cast<std::uint32_t>(m_text.align.size()) - 1;
    const std::uint32_t first = m_text.align[std::min(begin, last)].begin;
    if (end <= begin) return {first, first};
    return {first, std::max(first, m_text.align[std::min(end - 1, last)].end)};
}

void Pieces::add(std::vector<Piece>& pieces, std::uint32_t begin, std::uint32_t end, int token) const {
    if (begin < end) pieces.push_back({begin, end, m_text.align[begin].begin, token});
}

void Pieces::split(const Find& find, SplitBehavior behavior) {
    std::vector<Piece> pieces;
    pieces.reserve(m_pieces.size());
    std::vector<Match> matches;
    for (const Piece& piece : m_pieces) {
        if (piece.token >= 0) {
            pieces.push_back(piece);
            continue;
        }
        matches.clear();
        find(textOf(piece), matches);
        if (behavior == SplitBehavior::Isolated) {
            for (const Match& m : matches) add(pieces, piece.begin + m.begin, piece.begin + m.end, -1);
        } else {
            for (const Match& m : rangesAfterSplit(matches, behavior))
                add(pieces, piece.begin + m.begin, piece.begin + m.end, -1);
        }
    }
    m_pieces = std::move(pieces);
}

void Pieces::splitTokens(const std::function<void(std::string_view, std::vector<Found>&)>& find) {
    std::vector<Piece> pieces;
    std::vector<Found> found;
    for (const Piece& piece : m_pieces) {
        if (piece.token >= 0) {
            pieces.push_back(piece);
            continue;
        }
        found.clear();
        find(textOf(piece), found);
        for (const Found& part : found) add(pieces, piece.begin + part.begin, piece.begin + part.end, part.token);
    }
    m_pieces = std::move(pieces);
}

void Pieces::rewrite(const Rewrite& change) {
    AlignedText out, scratch;
    out.text.reserve(m_text.text.size());
    out.align.reserve(m_text.text.size());
    std::vector<Piece> pieces;
    pieces.reserve(m_pieces.size());
    for (const Piece& piece : m_pieces) {
        const auto alignment = m_text.align.begin();
        const auto begin = static_cast<std::uint32_t>(out.text.size());
        if (piece.token >= 0) {
            out.text += textOf(piece);
            out.align.insert(out.align.end(), alignment + piece.begin, alignment + piece.end);
        } else {
            scratch.text = textOf(piece);
            scratch.align.assign(alignment + piece.begin, alignment + piece.end);
            scratch.origin = piece.origin;
            change(scratch);
            out.text += scratch.text;
            out.align.insert(out.align.end(), scratch.align.begin(), scratch.align.end());
        }
        const auto end = static_cast<std::uint32_t>(out.text.size());
        if (begin < end) pieces.push_back({begin, end, piece.origin, piece.token});
    }
    m_text = std::move(out);
    m_pieces = std::move(pieces);
}

}  // namespace fovea::text
