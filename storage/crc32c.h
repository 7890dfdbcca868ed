// CRC32C (Castagnoli, reflected, polynomial 0x82f63b78), as iSCSI, ext4 and SSE4.2 have it. Any thread, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace storage {

// Continues from `crc`, which is 0 at the start: crc32c(b, crc32c(a)) == crc32c(a ++ b).
uint32_t crc32c(std::span<const uint8_t> bytes, uint32_t crc = 0);

// crc32c(a ++ b) from crc32c(a), crc32c(b) and b's length, without reading either again.
uint32_t crc32c_combine(uint32_t first, uint32_t second, uint64_t second_length);

// The portable loop, for tests and for processors without SSE4.2.
uint32_t crc32c_portable(std::span<const uint8_t> bytes, uint32_t crc = 0);

}  // namespace storage
