#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace fovea {

/// Keys and values that a generation has computed so far, per attention site; append-only but for truncation. Owned by
/// the generation, not by the model.
class KvCache {
public:
    /// `expected`: tokens that room is made for at once; more make it grow.
    explicit KvCache(std::int64_t expected) : m_expected(expected) {}

    /// All keys and values of a site, [1, kv_heads, tokens, dim]: views of the cache.
    struct View {
        at::Tensor key, value;
    };

    /// Adds keys and values of new tokens (their places in the sequence beside) and returns all of the site.
    View append(int site, const at::Tensor& key, const at::Tensor& value, const std::vector<int>& tokens);
    /// Holds keys and values that do not grow with the sequence, such as those of a picture; truncation leaves them.
    View keep(int site, const at::Tensor& key, const at::Tensor& value, const std::vector<int>& tokens);
    bool holds(int site) const { return m_sites.count(site) > 0; }
    /// What a site holds; an empty list for a site that holds nothing.
    const std::vector<int>& tokens(int site) const;
    View view(int site) const;

    /// Tokens of the sequence that every site has seen.
    std::int64_t length() const { return m_length; }
    /// Called when all sites of a pass of `count` tokens are in.
    void advance(std::int64_t count) { m_length += count; }
    /// Forgets tokens from place `length` on, also those of a pass that did not come to its end.
    void truncate(std::int64_t length);
    /// The same without tokens from place `length` on, to be gone on with: it shares what is there and copies it before
    /// it adds anything, so that this one and all views of it stay as they are.
    KvCache forked(std::int64_t length) const;
    /// Takes over what another cache holds of a site, without tokens from place `length` on; shared as by forked().
    void adopt(const KvCache& other, int site, std::int64_t length);
    std::uint64_t bytes() const;

private:
    struct Site {
        at::Tensor key, value;  // with room
        std::vector<int> tokens;
        bool fixed = false;
        bool shared = false;  ///< with another cache, which must not see what is added
    };
    static void cut(Site& site, std::int64_t length);
    at::Tensor grown(const Site& site, const at::Tensor& held, const at::Tensor& added) const;

    std::int64_t m_expected = 0;
    std::int64_t m_length = 0;
    std::map<int, Site> m_sites;
};

}  // namespace fovea
