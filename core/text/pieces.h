#pragma once

#include <functional>
#include <vector>

#include "text/aligned_text.h"

namespace fovea::text {

/// What a split does with the matches of its pattern.
enum class SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

/// A part of the text: plain, or an added token that nothing changes any more.
struct Piece {
    std::uint32_t begin = 0, end = 0;  ///< bytes of the normalized text
    std::uint32_t origin = 0;          ///< where the piece starts in the original text
    int token = -1;                    ///< id of the added token, -1 for plain text
};

/// A text cut into pieces; normalizers rewrite the plain ones, pre-tokenizers cut them further.
class Pieces {
public:
    explicit Pieces(AlignedText text);

    using Find = std::function<void(std::string_view, std::vector<Match>&)>;
    /// Cuts every plain piece at the matches that find appends. Empty pieces vanish.
    void split(const Find& find, SplitBehavior behavior);

    using Rewrite = std::function<void(AlignedText&)>;
    /// Rewrites every plain piece. Pieces that become empty vanish.
    void rewrite(const Rewrite& change);

    /// A token found in a plain piece.
    struct Found {
        std::uint32_t begin = 0, end = 0;
        int token = -1;
    };
    /// Cuts plain pieces at tokens; find returns ordered ranges that cover the piece's text.
    void splitTokens(const std::function<void(std::string_view, std::vector<Found>&)>& find);

    const std::vector<Piece>& all() const { return m_pieces; }
    std::string_view textOf(const Piece& piece) const;
    /// The original bytes of a range of the normalized text.
    Alignment original(std::uint32_t begin, std::uint32_t end) const;

private:
    void add(std::vector<Piece>& pieces, std::uint32_t begin, std::uint32_t end, int token) const;

    AlignedText m_text;
    std::vector<Piece> m_pieces;
};

/// The ranges that remain of matches under a behaviour.
std::vector<Match> rangesAfterSplit(std::span<const Match> matches, SplitBehavior behavior);

}  // namespace fovea::text
