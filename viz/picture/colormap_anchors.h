#pragma once

#include <cstdint>

namespace fovea::viz::anchors {

// Position (0..255) and RGB, one word each: 0xPPRRGGBB. Straight lines between them stay within one level (of
// 255) of the colour maps that matplotlib 3.11 has under these names; the positions are the fewest for which
// that holds.

constexpr std::uint32_t viridis[] = {0x00440154, 0x14481d6f, 0x2346307e, 0x3a3e4c8a, 0x5e2d718e,
                                     0x841f948c, 0x931fa287, 0xa22ab07f, 0xb344bf70, 0xc66ccd5a,
                                     0xdfaadc32, 0xedd0e11c, 0xf4e2e418, 0xfdf8e621, 0xfffde725};

constexpr std::uint32_t inferno[] = {0x00000004, 0x07030210, 0x16120a32, 0x23260c51, 0x2d380962,
                                     0x3a4d0d6c, 0x52741a6e, 0x69982766, 0x81bd3853, 0x97da4e3c,
                                     0xacef6c23, 0xc2fa9207, 0xc9fc9f07, 0xd2fcb014, 0xe1f8cd37,
                                     0xecf3e35a, 0xf5f2f27d, 0xfbf6fa96, 0xfffcffa4};

constexpr std::uint32_t magma[] = {0x00000004, 0x0703030f, 0x140e0b2b, 0x26251255, 0x3036106b, 0x3a471078,
                                   0x4b621980, 0x69912b81, 0x85bf3a77, 0x98dc4869, 0xa8ef5d5e, 0xb6f8765c,
                                   0xc3fc8e64, 0xd5feb078, 0xeffde0a1, 0xfffcfdbf};

constexpr std::uint32_t plasma[] = {0x000d0887, 0x08220690, 0x1f4b03a1, 0x346c00a8, 0x428104a7,
                                    0x529814a0, 0x70bc3587, 0x95de5f65, 0xbaf68d45, 0xd2fdaf31,
                                    0xe3fdca26, 0xe8fcd225, 0xfcf1f426, 0xfff0f921};

constexpr std::uint32_t cividis[] = {0x0000224e, 0x14003070, 0x17013271, 0x1d143670, 0x29293f6e,
                                     0x41444f6c, 0x57595e6e, 0x88848279, 0xafaaa073, 0xcfccba64,
                                     0xe7e6d051, 0xededd54a, 0xfcfee434, 0xfffee838};

constexpr std::uint32_t turbo[] = {0x0030123b, 0x08392a73, 0x104040a2, 0x184456c7, 0x20466be3, 0x284680f6,
                                   0x2e448ffe, 0x343d9efe, 0x3c2fb2f4, 0x491bd0d5, 0x5018ddc2, 0x551ae4b6,
                                   0x5c27eea4, 0x643ff68a, 0x747dff56, 0x7d9cfe40, 0x85b1f936, 0x91d0ea34,
                                   0x9eebd339, 0xaafaba39, 0xb5fe9e2f, 0xc0fb7e21, 0xd0eb500e, 0xded43305,
                                   0xebb71d02, 0xf8920b01, 0xff7a0403};

constexpr std::uint32_t jet[] = {0x00000080, 0x1c0000ff, 0x200000ff, 0x5700dcfe, 0x5a02e8f4, 0x6016ffe1,
                                 0xa3eeff09, 0xa6f8f500, 0xa9ffea00, 0xe3ff1300, 0xe8e80000, 0xff800000};

constexpr std::uint32_t gray[] = {0x00000000, 0xffffffff};

constexpr std::uint32_t blues[] = {0x00f7fbff, 0x41c4daee, 0x6399c7e0, 0x8465aad4,
                                   0xa43d8dc4, 0xc41d6cb1, 0xe008509b, 0xff08306b};

constexpr std::uint32_t greens[] = {0x00f7fcf5, 0x23e2f4dd, 0x46c0e6b9, 0x6994d390, 0x846dc072,
                                    0x9f42ab5d, 0xd1107a37, 0xe0006c2c, 0xff00441b};

constexpr std::uint32_t reds[] = {0x00fff5f0, 0x22fedecf, 0x55fca082, 0x6cfc8262, 0x85f96245,
                                  0xa0ee3a2c, 0xc0ca181d, 0xe0a30f15, 0xff67000d};

constexpr std::uint32_t coolwarm[] = {0x003b4cc0, 0x165572df, 0x2a6f92f3, 0x408db0fe, 0x53a7c5fe, 0x68c3d5f4,
                                      0x7cd9dce1, 0x83e0dbd8, 0x97f1cdba, 0xacf7b599, 0xbef59c7d, 0xd4e8765c,
                                      0xe8d44e41, 0xf6c12b30, 0xfeb50927, 0xffb40426};

constexpr std::uint32_t bwr[] = {0x000000ff, 0x7ffefeff, 0x83fff8f8, 0xffff0000};

constexpr std::uint32_t rdbuReversed[] = {0x00053061, 0x192065ab, 0x334393c3, 0x4e96c7df,
                                          0x66d1e5f0, 0x7ff6f7f7, 0x99fddbc7, 0xb3f3a481,
                                          0xced35a4a, 0xe5b3192c, 0xff67001f};

}  // namespace fovea::viz::anchors
