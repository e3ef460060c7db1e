#include "picture/deflate.h"

#include <algorithm>
#include <array>
#include <queue>
#include <vector>

namespace fovea::viz {
namespace {

constexpr int windowSize = 32768, hashBits = 15, maximumChain = 24;
constexpr int minimumMatch = 3, maximumMatch = 258;
constexpr std::size_t symbolsPerBlock = 1u << 16;
constexpr int endOfBlock = 256;

constexpr std::array<int, 29> lengthBase = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                            31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<int, 29> lengthBits = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                            2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<int, 30> distanceBase = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                              33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                              1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<int, 30> distanceBits = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                              6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

template <std::size_t N>
int bucket(const std::array<int, N>& bases, int value) {
    return static_cast<int>(std::upper_bound(bases.begin(), bases.end(), value) - bases.begin()) - 1;
}

/// A literal (distance 0) or a copy of `value` bytes.
struct Symbol {
    std::uint16_t value = 0, distance = 0;
};

class BitWriter {
public:
    explicit BitWriter(std::string& out) : m_out(out) {}
    void bits(std::uint32_t value, int count) {
        m_held |= static_cast<std::uint64_t>(value) << m_count;
        for (m_count += count; m_count >= 8; m_count -= 8, m_held >>= 8)
            m_out.push_back(static_cast<char>(m_held & 255));
    }
    void flush() {
        if (m_count > 0) m_out.push_back(static_cast<char>(m_held & 255));
        m_held = 0;
        m_count = 0;
    }

private:
    std::string& m_out;
    std::uint64_t m_held = 0;
    int m_count = 0;
};

/// A canonical Huffman code, its lengths limited as the format demands.
struct Code {
    std::vector<int> lengths;
    std::vector<std::uint32_t> codes;  // bit-reversed, ready to write

    Code(std::vector<std::uint32_t> frequencies, int limit)
        : lengths(frequencies.size(), 0), codes(frequencies.size(), 0) {
        // A decoder wants at least two codes; unused ones cost nothing.
        for (std::size_t i = 0, used = std::count_if(frequencies.begin(), frequencies.end(),
                                                     [](auto f) { return f > 0; });
             used < 2 && i < frequencies.size(); ++i)
            if (frequencies[i] == 0) {
                frequencies[i] = 1;
                ++used;
            }
        while (!assignLengths(frequencies, limit))
            for (auto& frequency : frequencies)
                if (frequency) frequency = (frequency + 1) / 2;  // flatter until the longest code fits
        assignCodes();
    }

private:
    bool assignLengths(const std::vector<std::uint32_t>& frequencies, int limit) {
        struct Node {
            std::uint64_t weight;
            int id;
            bool operator>(const Node& other) const {
                return std::pair(weight, id) > std::pair(other.weight, other.id);
            }
        };
        std::priority_queue<Node, std::vector<Node>, std::greater<>> queue;
        std::vector<int> parent(frequencies.size(), -1);
        for (std::size_t i = 0; i < frequencies.size(); ++i)
            if (frequencies[i]) queue.push({frequencies[i], static_cast<int>(i)});
        while (queue.size() > 1) {
            const Node a = queue.top();
            queue.pop();
            const Node b = queue.top();
            queue.pop();
            const int id = static_cast<int>(parent.size());
            parent.push_back(-1);
            parent[a.id] = parent[b.id] = id;
            queue.push({a.weight + b.weight, id});
        }
        std::vector<int> depth(parent.size(), 0);
        for (int i = static_cast<int>(parent.size()) - 1; i >= 0; --i)
            if (parent[i] >= 0) depth[i] = depth[parent[i]] + 1;
        for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = frequencies[i] ? depth[i] : 0;
        return *std::max_element(lengths.begin(), lengths.end()) <= limit;
    }

    void assignCodes() {
        std::array<int, 16> count{};
        for (int length : lengths) ++count[length];
        count[0] = 0;
        std::array<std::uint32_t, 16> next{};
        for (int bits = 1; bits < 16; ++bits) next[bits] = (next[bits - 1] + count[bits - 1]) << 1;
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            if (!lengths[i]) continue;
            const std::uint32_t code = next[lengths[i]]++;
            for (int bit = 0; bit < lengths[i]; ++bit)
                codes[i] |= ((code >> bit) & 1) << (lengths[i] - 1 - bit);
        }
    }
};

void writeBlock(BitWriter& out, const std::vector<Symbol>& symbols, bool last) {
    std::vector<std::uint32_t> literalCount(286, 0), distanceCount(30, 0), lengthCount(19, 0);
    literalCount[endOfBlock] = 1;
    for (const Symbol& s : symbols) {
        if (s.distance == 0) {
            ++literalCount[s.value];
        } else {
            ++literalCount[257 + bucket(lengthBase, s.value)];
            ++distanceCount[bucket(distanceBase, s.distance)];
        }
    }
    const Code literals(literalCount, 15), distances(distanceCount, 15);
    std::vector<int> lengths = literals.lengths;
    lengths.insert(lengths.end(), distances.lengths.begin(), distances.lengths.end());
    for (int length : lengths) ++lengthCount[length];
    const Code lengthCode(lengthCount, 7);

    constexpr std::array<int, 19> order = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    out.bits(last ? 1 : 0, 1);
    out.bits(2, 2);
    out.bits(286 - 257, 5);
    out.bits(30 - 1, 5);
    out.bits(19 - 4, 4);
    for (int symbol : order) out.bits(lengthCode.lengths[symbol], 3);
    for (int length : lengths) out.bits(lengthCode.codes[length], lengthCode.lengths[length]);
    for (const Symbol& s : symbols) {
        if (s.distance == 0) {
            out.bits(literals.codes[s.value], literals.lengths[s.value]);
            continue;
        }
        const int length = bucket(lengthBase, s.value), distance = bucket(distanceBase, s.distance);
        out.bits(literals.codes[257 + length], literals.lengths[257 + length]);
        out.bits(s.value - lengthBase[length], lengthBits[length]);
        out.bits(distances.codes[distance], distances.lengths[distance]);
        out.bits(s.distance - distanceBase[distance], distanceBits[distance]);
    }
    out.bits(literals.codes[endOfBlock], literals.lengths[endOfBlock]);
}

/// Greedy matching over hash chains.
class Matcher {
public:
    explicit Matcher(std::string_view data)
        : m_data(data), m_head(1 << hashBits, -1), m_previous(windowSize, -1) {}

    Symbol next(std::size_t at) const {
        Symbol best{static_cast<std::uint8_t>(m_data[at]), 0};
        const int room = static_cast<int>(std::min<std::size_t>(maximumMatch, m_data.size() - at));
        if (room < minimumMatch) return best;
        int longest = minimumMatch - 1;
        std::int64_t candidate = m_head[hash(at)];
        for (int step = 0; step < maximumChain && candidate >= 0; ++step) {
            if (static_cast<std::int64_t>(at) - candidate >= windowSize) break;
            int length = 0;
            while (length < room && m_data[candidate + length] == m_data[at + length]) ++length;
            if (length > longest) {
                longest = length;
                best = {static_cast<std::uint16_t>(length), static_cast<std::uint16_t>(at - candidate)};
                if (length == room) break;
            }
            candidate = m_previous[candidate % windowSize];
        }
        return best;
    }
    void insert(std::size_t at) {
        if (at + minimumMatch > m_data.size()) return;
        std::int64_t& head = m_head[hash(at)];
        m_previous[at % windowSize] = head;
        head = static_cast<std::int64_t>(at);
    }

private:
    std::uint32_t hash(std::size_t at) const {
        const auto byte = [&](std::size_t i) {
            return static_cast<std::uint32_t>(static_cast<std::uint8_t>(m_data[at + i]));
        };
        return ((byte(0) | byte(1) << 8 | byte(2) << 16) * 2654435761u) >> (32 - hashBits);
    }

    std::string_view m_data;
    std::vector<std::int64_t> m_head, m_previous;
};

std::uint32_t adler32(std::string_view data) {
    std::uint32_t a = 1, b = 0;
    for (const char c : data) {
        a = (a + static_cast<std::uint8_t>(c)) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

}  // namespace

std::string zlibCompressed(std::string_view data) {
    std::string out = "\x78\x9c";
    BitWriter writer(out);
    Matcher matcher(data);
    std::vector<Symbol> symbols;
    symbols.reserve(std::min(data.size(), symbolsPerBlock));
    for (std::size_t at = 0; at < data.size();) {
        const Symbol symbol = matcher.next(at);
        const std::size_t end = at + (symbol.distance ? symbol.value : 1);
        for (; at < end; ++at) matcher.insert(at);
        symbols.push_back(symbol);
        if (symbols.size() == symbolsPerBlock && at < data.size()) {
            writeBlock(writer, symbols, false);
            symbols.clear();
        }
    }
    writeBlock(writer, symbols, true);
    writer.flush();
    const std::uint32_t check = adler32(data);
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(check >> shift & 255));
    return out;
}

std::uint32_t crc32(std::string_view data) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
            made[i] = value;
        }
        return made;
    }();
    std::uint32_t crc = 0xFFFFFFFFu;
    for (const char c : data) crc = table[(crc ^ static_cast<std::uint8_t>(c)) & 255] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

}  // namespace fovea::viz
